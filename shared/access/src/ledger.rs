//! Which events a command leads to, or why it is refused. Decides only; [`crate::fold`] records.

use std::{fmt::Display, sync::Arc};

use crate::{
    audit::settings::AuditSettings,
    command::Command,
    credential::{Credential, CredentialStatus},
    event::Event,
    grant::{Effect, Grant, Subject},
    id::{Name, Principal, Timestamp, check_label},
    pattern::{Selector, Tags},
    role,
    snapshot::{Snapshot, Tenant},
    tenant::{Staleness, TenantSettings},
};

mod alert;
mod catalogue;
mod credential;
mod edge;
mod issuer;
mod limit;
mod offer;
mod people;
mod request;
mod rights;
mod sink;

/// Why a command changes nothing. The message is for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What it speaks of is not there.
    #[error("{what} {name:?} was not found")]
    NotFound {
        /// Team, user …
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// What it would make is there already.
    #[error("{what} {name:?} exists already")]
    Exists {
        /// Team, user …
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// Others depend on it, or its state does not permit it.
    #[error("{0}")]
    NotNow(String),
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else changed it since it was read.
    #[error("it was changed by somebody else meanwhile; read it again and retry")]
    Changed,
}

type Handled = Result<Vec<Event>, Refusal>;

/// The most that a text for people may hold.
const TEXT_LIMIT: usize = 1024;
/// A snapshot holds them all, and a request of an edge that is behind looks through them.
const STALE_MODELS_LIMIT: usize = 100;

/// The events that a command leads to in a tenant, at a moment. None means that it is so already.
pub fn handle(snapshot: &Snapshot, tenant: &Name, now: Timestamp, command: Command) -> Handled {
    match command {
        Command::Bootstrap {
            administrator,
            credential,
        } => bootstrap(snapshot, tenant, administrator, credential),
        Command::CreateTenant(settings) => match snapshot.tenant(tenant.as_str()) {
            Some(_) => Err(exists("tenant", tenant)),
            None => {
                check_settings(&settings)?;
                Ok(vec![Event::TenantCreated(settings)])
            }
        },
        other => {
            let held = snapshot
                .tenant(tenant.as_str())
                .ok_or_else(|| not_found("tenant", tenant))?;
            in_tenant(snapshot, held, now, other)
        }
    }
}

fn in_tenant(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp, command: Command) -> Handled {
    match command {
        Command::UpdateTenant { from, to } => {
            check_settings(&to)?;
            change(tenant.settings(), &from, &to, || Event::TenantUpdated(to.clone()))
        }
        Command::DeleteTenant if tenant.name == Name::platform() => Err(Refusal::NotNow(
            "the operators' own tenant cannot be deleted".to_owned(),
        )),
        Command::DeleteTenant => Ok(vec![Event::TenantDeleted {}]),
        people @ (Command::CreateTeam { .. }
        | Command::UpdateTeam { .. }
        | Command::DeleteTeam { .. }
        | Command::AddTeamMember { .. }
        | Command::RemoveTeamMember { .. }
        | Command::CreateAccount { .. }
        | Command::UpdateAccount { .. }
        | Command::DeleteAccount { .. }) => people::handle(snapshot, tenant, people),
        rights @ (Command::CreateRole(_)
        | Command::UpdateRole { .. }
        | Command::DeleteRole { .. }
        | Command::CreateGrant(_)
        | Command::UpdateGrant { .. }
        | Command::DeleteGrant { .. }) => rights::handle(tenant, now, rights),
        asked @ (Command::RequestAccess(_)
        | Command::ApproveAccess { .. }
        | Command::RefuseAccess { .. }
        | Command::WithdrawAccess { .. }) => request::handle(tenant, now, asked),
        credential @ (Command::IssueCredential(_)
        | Command::RotateCredential { .. }
        | Command::SuspendCredential { .. }
        | Command::ResumeCredential { .. }
        | Command::RevokeCredential { .. }
        | Command::NarrowCredential { .. }
        | Command::RevokeCredentials { .. }
        | Command::WarnOfCredential { .. }
        | Command::HandOverCredential { .. }) => credential::handle(snapshot, tenant, now, credential),
        alert @ (Command::RaiseAlert(_)
        | Command::AcknowledgeAlert { .. }
        | Command::SilenceAlert { .. }
        | Command::SetAlertDestination { .. }
        | Command::SetAlertRule { .. }
        | Command::DeleteAlertRule { .. }
        | Command::DeleteAlertDestination { .. }
        | Command::ResolveAlert { .. }) => alert::handle(snapshot, tenant, now, alert),
        issuer @ (Command::CreateIssuer { .. }
        | Command::UpdateIssuer { .. }
        | Command::DeleteIssuer { .. }
        | Command::RevokeTokens { .. }
        | Command::AddTokenKey(_)
        | Command::RemoveTokenKey { .. }) => issuer::handle(snapshot, tenant, now, issuer),
        sink @ (Command::SetAuditSink { .. } | Command::DeleteAuditSink { .. }) => sink::handle(tenant, sink),
        Command::ChangeEdge { edge, change } => edge::handle(snapshot, tenant, now, edge, change),
        one @ (Command::CreateOffer(_) | Command::DeleteOffer { .. }) => offer::handle(snapshot, tenant, one),
        limit @ (Command::CreateLimit(_)
        | Command::UpdateLimit { .. }
        | Command::DeleteLimit { .. }
        | Command::SpendLimit { .. }) => limit::handle(tenant, limit),
        catalogue => catalogue::handle(snapshot, tenant, catalogue),
    }
}

fn bootstrap(snapshot: &Snapshot, tenant: &Name, administrator: Name, credential: Credential) -> Handled {
    if snapshot.bootstrapped() || snapshot.tenant(tenant.as_str()).is_some() {
        return Err(Refusal::NotNow(
            "Turnpike has its first administrator already; ask them for access".to_owned(),
        ));
    }
    let principal = Principal::User(administrator);
    if credential.tenant != *tenant || credential.owner != principal {
        return Err(Refusal::Invalid(
            "the first credential is the first administrator's".to_owned(),
        ));
    }
    let grant = Grant {
        id: credential.id,
        subject: Subject::Principal(principal.clone()),
        role: role::built_in("admin")
            .ok_or_else(|| not_found("role", "admin"))?
            .name,
        effect: Effect::Allow,
        selector: Default::default(),
        conditions: Default::default(),
        reason: Some(Arc::from("the first administrator")),
        owner: None,
    };
    Ok(vec![
        Event::TenantCreated(TenantSettings::default()),
        Event::AccountCreated {
            principal,
            profile: Default::default(),
        },
        Event::GrantCreated(grant),
        Event::CredentialIssued(credential),
        Event::PlatformBootstrapped {},
    ])
}

fn account<'t>(
    tenant: &'t Tenant,
    principal: &Principal,
) -> Result<&'t crate::snapshot::HeldAccount, Refusal> {
    tenant
        .account(principal)
        .map(AsRef::as_ref)
        .ok_or_else(|| not_found(principal.kind(), principal.name()))
}

fn is_revoked(credential: &Credential) -> bool {
    matches!(credential.status, CredentialStatus::Revoked { .. })
}

/// An update, if what it is based on is still so; nothing, if it is so already.
fn change<T: PartialEq>(current: &T, from: &T, to: &T, event: impl FnOnce() -> Event) -> Handled {
    match (current == to, current == from) {
        (true, _) => Ok(Vec::new()),
        (_, true) => Ok(vec![event()]),
        _ => Err(Refusal::Changed),
    }
}

fn in_use(
    what: &str,
    name: &dyn Display,
    by: &str,
    users: impl Iterator<Item = impl Display>,
) -> Result<(), Refusal> {
    let mut users: Vec<String> = users.take(6).map(|user| user.to_string()).collect();
    if users.len() > 5 {
        users.truncate(5);
        users.push("…".to_owned());
    }
    if users.is_empty() {
        return Ok(());
    }
    Err(Refusal::NotNow(format!(
        "{what} {name} is still used by {by} {}; delete those first",
        users.join(", ")
    )))
}

fn check_text(text: Option<&Arc<str>>, what: &str) -> Result<(), Refusal> {
    match text {
        Some(text) if text.len() > TEXT_LIMIT || text.chars().any(char::is_control) => Err(Refusal::Invalid(
            format!("the {what} may have up to {TEXT_LIMIT} bytes and no control characters"),
        )),
        _ => Ok(()),
    }
}

fn check_selector(selector: &Selector) -> Result<(), Refusal> {
    let keys = selector.tags.iter().map(|test| &test.key);
    keys.chain(&selector.match_tags)
        .try_for_each(|key| label(key, "tag key"))
}

fn check_settings(settings: &TenantSettings) -> Result<(), Refusal> {
    let Staleness { max_seconds, models } = &settings.staleness;
    if max_seconds.is_some_and(|seconds| seconds < Staleness::SHORTEST) {
        return Err(Refusal::Invalid(format!(
            "the longest staleness is at least {} s: that often is sure to be heard of the log",
            Staleness::SHORTEST
        )));
    }
    if models.len() > STALE_MODELS_LIMIT {
        return Err(Refusal::Invalid(format!(
            "at most {STALE_MODELS_LIMIT} patterns of models are served when stale"
        )));
    }
    if settings
        .audit
        .keep_days
        .is_some_and(|days| days < AuditSettings::FEWEST_DAYS)
    {
        return Err(Refusal::Invalid(format!(
            "the audit is kept for at least {} days",
            AuditSettings::FEWEST_DAYS
        )));
    }
    let rules = settings.alerts.check();
    rules.map_err(|invalid| Refusal::Invalid(invalid.to_string()))?;
    check_tags(&settings.tags)
}

fn check_tags(tags: &Tags) -> Result<(), Refusal> {
    tags.iter()
        .try_for_each(|(key, value)| label(key, "tag key").and_then(|()| label(value, "tag value")))
}

fn label(text: &str, what: &'static str) -> Result<(), Refusal> {
    check_label(text, what).map_err(|invalid| Refusal::Invalid(invalid.to_string()))
}

fn not_found(what: &'static str, name: impl Display) -> Refusal {
    Refusal::NotFound {
        what,
        name: name.to_string(),
    }
}

fn exists(what: &'static str, name: impl Display) -> Refusal {
    Refusal::Exists {
        what,
        name: name.to_string(),
    }
}
