//! What may be asked for, and which permission each asks of the caller.

#![expect(
    missing_docs,
    reason = "the fields are named for what they hold; what a variant means is documented"
)]

use std::sync::Arc;

use crate::{
    alert::{Alert, destination::Destination, own::OwnRule},
    audit::sink::Sink,
    credential::{Credential, HandOver, Scope, Warning},
    digest::KeyDigest,
    edge::EdgeChange,
    grant::Grant,
    id::{Id, ModelId, Name, Principal, Timestamp},
    issuer::{IssuerProfile, TokenKey, TokenMatch},
    limit::Limit,
    model::{Fallback, ModelProfile, ProviderProfile},
    offer::Offer,
    request::AccessRequest,
    role::Role,
    tenant::{Account, AccountProfile, TeamProfile, TenantSettings},
};

/// A change that somebody asks for, in one tenant. Ids, digests and times are made by whoever asks.
///
/// An update carries what the change is based on: where that is no longer so, the command is refused and the
/// caller reads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The first tenant, its first administrator and that user's first key; only on an empty log.
    Bootstrap {
        administrator: Name,
        credential: Credential,
    },
    /// A new tenant.
    CreateTenant(TenantSettings),
    /// Other settings.
    UpdateTenant {
        from: TenantSettings,
        to: TenantSettings,
    },
    /// The end of a tenant and of everything in it.
    DeleteTenant,
    /// A new team.
    CreateTeam { name: Name, profile: TeamProfile },
    /// Other facts about a team.
    UpdateTeam {
        name: Name,
        from: TeamProfile,
        to: TeamProfile,
    },
    /// The end of a team, its memberships and its grants.
    DeleteTeam { name: Name },
    /// A principal joins a team.
    AddTeamMember { team: Name, principal: Principal },
    /// A principal leaves a team.
    RemoveTeamMember { team: Name, principal: Principal },
    /// A new user or virtual account, in these teams.
    CreateAccount {
        principal: Principal,
        profile: AccountProfile,
        teams: Vec<Name>,
    },
    /// Other facts about an account.
    UpdateAccount {
        principal: Principal,
        from: AccountProfile,
        to: AccountProfile,
    },
    /// The end of an account; its keys are revoked and its grants deleted.
    DeleteAccount { principal: Principal },
    /// A new key.
    IssueCredential(Credential),
    /// Another secret; the one before works until then. With `since`: if it still has the secret that it got then.
    RotateCredential {
        id: Id,
        digest: KeyDigest,
        previous_until: Timestamp,
        since: Option<Timestamp>,
        reason: Arc<str>,
    },
    /// A key stops working until it is resumed.
    SuspendCredential { id: Id, reason: Arc<str> },
    /// A suspended key works again.
    ResumeCredential { id: Id, reason: Arc<str> },
    /// A key stops working for ever.
    RevokeCredential { id: Id, reason: Arc<str> },
    /// A key opens less from now on, or ends earlier. Absent parts stay as they are.
    NarrowCredential {
        id: Id,
        scope: Option<Box<Scope>>,
        expires: Option<Timestamp>,
        reason: Arc<str>,
    },
    /// All live keys of a principal, a team or the tenant stop working for ever.
    RevokeCredentials { of: Holders, reason: Arc<str> },
    /// The owner of a key is warned of what is due.
    WarnOfCredential {
        id: Id,
        warning: Warning,
        due: Timestamp,
    },
    /// The secret that a key got then, by Turnpike itself, goes to its owner, if it still has it and nobody has it yet.
    HandOverCredential { id: Id, by: HandOver, since: Timestamp },
    /// Something that somebody should look at; nothing, while the same about the same is open.
    RaiseAlert(Alert),
    /// Somebody has seen an alert.
    AcknowledgeAlert { id: Id, note: Arc<str> },
    /// What is like an alert is told to nobody until then.
    SilenceAlert {
        id: Id,
        until: Timestamp,
        reason: Arc<str>,
    },
    /// Alerts go there.
    SetAlertDestination {
        name: Name,
        destination: Box<Destination>,
    },
    /// A rule of the tenant's own becomes this.
    SetAlertRule { name: Name, rule: OwnRule },
    /// The end of a rule of the tenant's own.
    DeleteAlertRule { name: Name },
    /// Alerts no longer go there.
    DeleteAlertDestination { name: Name },
    /// The audit is sent there too.
    SetAuditSink { name: Name, sink: Box<Sink> },
    /// The audit is no longer sent there.
    DeleteAuditSink { name: Name },
    /// An alert is over, or was dealt with.
    ResolveAlert {
        id: Id,
        count: Option<u64>,
        reason: Arc<str>,
    },
    /// An issuer to trust.
    CreateIssuer { name: Name, profile: IssuerProfile },
    /// Other decisions about an issuer.
    UpdateIssuer {
        name: Name,
        from: IssuerProfile,
        to: IssuerProfile,
    },
    /// The end of trusting an issuer.
    DeleteIssuer { name: Name },
    /// Tokens of an issuer, or Turnpike's own, stop working for ever.
    RevokeTokens {
        issuer: Name,
        tokens: TokenMatch,
        reason: Arc<str>,
    },
    /// A key that Turnpike's own tokens are signed with from now on.
    AddTokenKey(TokenKey),
    /// What a key signed stops working.
    RemoveTokenKey { id: Arc<str> },
    /// Something else is decided about an edge.
    ChangeEdge { edge: Name, change: EdgeChange },
    /// A new provider.
    CreateProvider { name: Name, profile: ProviderProfile },
    /// Another configuration of a provider.
    UpdateProvider {
        name: Name,
        from: ProviderProfile,
        to: ProviderProfile,
    },
    /// The end of a provider that has no models.
    DeleteProvider { name: Name },
    /// A model for the catalogue.
    CreateModel { id: ModelId, profile: ModelProfile },
    /// Other facts about a model.
    UpdateModel {
        id: ModelId,
        from: ModelProfile,
        to: ModelProfile,
    },
    /// The end of a model that nothing points to.
    DeleteModel { id: ModelId },
    /// An alias comes to mean a model, or another model.
    SetAlias { alias: Arc<str>, target: ModelId },
    /// The end of an alias.
    DeleteAlias { alias: Arc<str> },
    /// A custom role.
    CreateRole(Role),
    /// Other actions of a custom role.
    UpdateRole { from: Role, to: Role },
    /// The end of a custom role that no grant names.
    DeleteRole { name: Name },
    /// A grant.
    CreateGrant(Grant),
    /// A grant says something else from now on; its id stays.
    UpdateGrant { from: Box<Grant>, to: Box<Grant> },
    /// The end of a grant.
    DeleteGrant { id: Id },
    /// A grant for some time is asked for, by whoever is to have it.
    RequestAccess(AccessRequest),
    /// A request is approved with this grant: what was asked for, for no longer.
    ApproveAccess { id: Id, grant: Grant },
    /// A request for this role is refused.
    RefuseAccess { id: Id, role: Name, reason: Arc<str> },
    /// A request for this role is withdrawn, by whoever asked.
    WithdrawAccess { id: Id, role: Name },
    /// A new limit.
    CreateLimit(Limit),
    /// Another limit of the same name, provided it still is `from`.
    UpdateLimit { from: Limit, to: Limit },
    /// The end of a limit.
    DeleteLimit { name: Name },
    /// The budget of a limit, provided it still is this, is spent until then.
    SpendLimit { limit: Limit, until: Timestamp },
    /// A fallback rule, after the others.
    CreateFallback(Fallback),
    /// The end of a fallback rule.
    DeleteFallback { id: Id },
    /// Models of the operators' tenant for other tenants.
    CreateOffer(Offer),
    /// The end of an offer.
    DeleteOffer { id: Id },
}

/// Whose credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holders {
    /// One user's or virtual account's.
    Principal(Principal),
    /// Those of everybody in a team, its virtual accounts too.
    Team(Name),
    /// Everybody's in the tenant.
    Tenant,
}

impl Holders {
    /// Whether the account is one of them.
    pub fn include(&self, account: &Account) -> bool {
        match self {
            Self::Principal(principal) => account.principal == *principal,
            Self::Team(team) => account.teams.contains(team),
            Self::Tenant => true,
        }
    }
}

/// What the caller must be allowed in order to ask: an action on a resource of the command's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// `grants.write` …
    pub action: &'static str,
    /// The resource's type.
    pub kind: &'static str,
    /// The resource's name.
    pub name: String,
}

impl Command {
    /// The permission that the command asks for. [`Command::Bootstrap`] asks for none here: it needs the
    /// one-time token. Creating and deleting tenants is for those who hold `tenants.write` in the operators' tenant.
    pub fn permission(&self) -> Option<Permission> {
        let (action, kind, name) = match self {
            Self::Bootstrap { .. } => return None,
            Self::CreateTenant(_) | Self::DeleteTenant => ("tenants.write", "tenant", String::new()),
            Self::UpdateTenant { from, to } => (tenant_update(from, to), "tenant", String::new()),
            Self::CreateTeam { name, .. }
            | Self::UpdateTeam { name, .. }
            | Self::DeleteTeam { name }
            | Self::AddTeamMember { team: name, .. }
            | Self::RemoveTeamMember { team: name, .. } => ("teams.write", "team", name.to_string()),
            Self::CreateAccount { principal, .. }
            | Self::UpdateAccount { principal, .. }
            | Self::DeleteAccount { principal } => account_write(principal),
            Self::IssueCredential(credential) => {
                ("credentials.write", "credential", credential.id.to_string())
            }
            Self::RotateCredential { id, .. } | Self::HandOverCredential { id, .. } => {
                ("credentials.rotate", "credential", id.to_string())
            }
            Self::SuspendCredential { id, .. }
            | Self::ResumeCredential { id, .. }
            | Self::WarnOfCredential { id, .. } => ("credentials.suspend", "credential", id.to_string()),
            Self::RevokeCredential { id, .. } => ("credentials.revoke", "credential", id.to_string()),
            Self::NarrowCredential { id, .. } => ("credentials.narrow", "credential", id.to_string()),
            Self::RevokeCredentials { .. } => ("credentials.revoke", "credential", String::new()),
            Self::CreateIssuer { name, .. }
            | Self::UpdateIssuer { name, .. }
            | Self::DeleteIssuer { name } => ("issuers.write", "issuer", name.to_string()),
            Self::RevokeTokens { issuer, .. } => ("tokens.revoke", "issuer", issuer.to_string()),
            Self::AddTokenKey(TokenKey { id, .. }) | Self::RemoveTokenKey { id } => {
                ("token-keys.write", "token-key", id.to_string())
            }
            Self::SetAuditSink { name, .. } | Self::DeleteAuditSink { name } => {
                ("audit-sinks.write", "audit-sink", name.to_string())
            }
            Self::ChangeEdge { edge, .. } => ("edges.write", "edge", edge.to_string()),
            Self::CreateRole(_)
            | Self::UpdateRole { .. }
            | Self::DeleteRole { .. }
            | Self::CreateGrant(_)
            | Self::UpdateGrant { .. }
            | Self::DeleteGrant { .. }
            | Self::RequestAccess(_)
            | Self::WithdrawAccess { .. }
            | Self::ApproveAccess { .. }
            | Self::RefuseAccess { .. } => self.about_rights()?,
            // One that were forgotten would be nobody's to ask.
            _ => self.about_catalogue().or_else(|| self.about_alerts())?,
        };
        Some(Permission { action, kind, name })
    }

    /// Of a command about providers and models, and rules about models.
    fn about_catalogue(&self) -> Option<(&'static str, &'static str, String)> {
        Some(match self {
            Self::CreateProvider { name, .. }
            | Self::UpdateProvider { name, .. }
            | Self::DeleteProvider { name } => ("providers.write", "provider", name.to_string()),
            Self::CreateModel { id, .. } | Self::UpdateModel { id, .. } | Self::DeleteModel { id } => {
                ("models.write", "model", id.to_string())
            }
            Self::SetAlias { alias, .. } | Self::DeleteAlias { alias } => {
                ("aliases.write", "alias", alias.to_string())
            }
            Self::CreateLimit(Limit { name, .. })
            | Self::UpdateLimit {
                to: Limit { name, .. },
                ..
            }
            | Self::DeleteLimit { name }
            | Self::SpendLimit {
                limit: Limit { name, .. },
                ..
            } => ("limits.write", "limit", name.to_string()),
            Self::CreateFallback(Fallback { id, .. }) | Self::DeleteFallback { id } => {
                ("fallbacks.write", "fallback", id.to_string())
            }
            Self::CreateOffer(Offer { id, .. }) | Self::DeleteOffer { id } => {
                ("offers.write", "offer", id.to_string())
            }
            _ => return None,
        })
    }

    /// Of a command about alerts and where they go.
    fn about_alerts(&self) -> Option<(&'static str, &'static str, String)> {
        let (kind, name) = match self {
            Self::RaiseAlert(Alert { id, .. })
            | Self::AcknowledgeAlert { id, .. }
            | Self::SilenceAlert { id, .. }
            | Self::ResolveAlert { id, .. } => ("alert", id.to_string()),
            Self::SetAlertRule { name, .. } | Self::DeleteAlertRule { name } => {
                ("alert-rule", name.to_string())
            }
            Self::SetAlertDestination { name, .. } | Self::DeleteAlertDestination { name } => {
                ("alert-destination", name.to_string())
            }
            _ => return None,
        };
        Some(("alerts.write", kind, name))
    }

    /// Of a command about roles, grants, and access that is asked for, which is judged on its role.
    fn about_rights(&self) -> Option<(&'static str, &'static str, String)> {
        let (action, kind, name) = match self {
            Self::CreateRole(role) | Self::UpdateRole { to: role, .. } => {
                ("roles.write", "role", role.name.to_string())
            }
            Self::DeleteRole { name } => ("roles.write", "role", name.to_string()),
            Self::CreateGrant(Grant { id, .. }) | Self::DeleteGrant { id } => {
                ("grants.write", "grant", id.to_string())
            }
            Self::UpdateGrant { to, .. } => ("grants.write", "grant", to.id.to_string()),
            Self::RequestAccess(AccessRequest { role, .. }) | Self::WithdrawAccess { role, .. } => {
                ("access.request", "role", role.to_string())
            }
            Self::ApproveAccess { grant, .. } => ("access.approve", "role", grant.role.to_string()),
            Self::RefuseAccess { role, .. } => ("access.approve", "role", role.to_string()),
            _ => return None,
        };
        Some((action, kind, name))
    }
}

/// What the operators offer by tags is not for a tenant to take.
fn tenant_update(from: &TenantSettings, to: &TenantSettings) -> &'static str {
    match from.tags == to.tags {
        true => "tenants.update",
        false => "tenants.write",
    }
}

fn account_write(principal: &Principal) -> (&'static str, &'static str, String) {
    let action = match principal {
        Principal::User(_) => "users.write",
        Principal::VirtualAccount(_) => "virtual-accounts.write",
    };
    (action, principal.kind(), principal.name().to_string())
}
