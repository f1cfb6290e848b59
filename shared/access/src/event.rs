//! What can have happened: every event, in the past tense, with an explicit type and version.
//!
//! The serialised name is the contract with everything recorded so far. A recorded name keeps its meaning for
//! ever; another meaning is another version beside it. Unknown fields are refused, because an edge that ignored
//! one might allow what the event forbids.

#![expect(
    missing_docs,
    reason = "the fields are named for what they hold; what a variant means is documented"
)]

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    alert::{Alert, destination::Destination, own::OwnRule},
    audit::sink::Sink,
    credential::{Credential, HandOver, Scope, Warning},
    digest::KeyDigest,
    edge::Invitation,
    grant::Grant,
    id::{Id, ModelId, Name, Principal, Timestamp},
    issuer::{IssuerProfile, TokenKey, TokenMatch},
    limit::Limit,
    model::{Fallback, ModelProfile, ProviderProfile},
    offer::Offer,
    request::AccessRequest,
    role::Role,
    tenant::{AccountProfile, TeamProfile, TenantSettings},
};

/// Everything that can have happened. The tenant, actor and time are in the event's [`crate::log::Origin`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", deny_unknown_fields)]
pub enum Event {
    /// The operators' tenant got its first administrator; it happens once.
    #[serde(rename = "platform.bootstrapped.v1")]
    PlatformBootstrapped {},
    /// The tenant of this event came into being.
    #[serde(rename = "tenant.created.v1")]
    TenantCreated(TenantSettings),
    /// The tenant's settings became these.
    #[serde(rename = "tenant.updated.v1")]
    TenantUpdated(TenantSettings),
    /// The tenant and everything in it ceased to be.
    #[serde(rename = "tenant.deleted.v1")]
    TenantDeleted {},
    /// A team came into being.
    #[serde(rename = "team.created.v1")]
    TeamCreated { name: Name, profile: TeamProfile },
    /// What is known of a team became this.
    #[serde(rename = "team.updated.v1")]
    TeamUpdated { name: Name, profile: TeamProfile },
    /// A team ceased to be; its memberships with it.
    #[serde(rename = "team.deleted.v1")]
    TeamDeleted { name: Name },
    /// A principal joined a team.
    #[serde(rename = "team.member_added.v1")]
    TeamMemberAdded { team: Name, principal: Principal },
    /// A principal left a team.
    #[serde(rename = "team.member_removed.v1")]
    TeamMemberRemoved { team: Name, principal: Principal },
    /// A user or virtual account came into being.
    #[serde(rename = "account.created.v1")]
    AccountCreated {
        principal: Principal,
        profile: AccountProfile,
    },
    /// What is known of a user or virtual account became this.
    #[serde(rename = "account.updated.v1")]
    AccountUpdated {
        principal: Principal,
        profile: AccountProfile,
    },
    /// A user or virtual account ceased to be. Its keys were revoked and its grants deleted before.
    #[serde(rename = "account.deleted.v1")]
    AccountDeleted { principal: Principal },
    /// A key was made.
    #[serde(rename = "credential.issued.v1")]
    CredentialIssued(Credential),
    /// A key got a new secret; the one before works until then.
    #[serde(rename = "credential.rotated.v1")]
    CredentialRotated {
        id: Id,
        digest: KeyDigest,
        previous_until: Timestamp,
        #[serde(default, skip_serializing_if = "is_empty")]
        reason: Arc<str>,
    },
    /// A key stopped working until it is resumed.
    #[serde(rename = "credential.suspended.v1")]
    CredentialSuspended { id: Id, reason: Arc<str> },
    /// A suspended key works again.
    #[serde(rename = "credential.resumed.v1")]
    CredentialResumed {
        id: Id,
        #[serde(default, skip_serializing_if = "is_empty")]
        reason: Arc<str>,
    },
    /// A key stopped working for ever.
    #[serde(rename = "credential.revoked.v1")]
    CredentialRevoked { id: Id, reason: Arc<str> },
    /// A key was narrowed to this, and ends then.
    #[serde(rename = "credential.narrowed.v1")]
    CredentialNarrowed {
        id: Id,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Box<Scope>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "is_empty")]
        reason: Arc<str>,
    },
    /// The owner of a key was warned; what of happens then, unless something is done.
    #[serde(rename = "credential.warned.v1")]
    CredentialWarned {
        id: Id,
        warning: Warning,
        due: Timestamp,
    },
    /// The secret that Turnpike had made by itself for a key came to its owner.
    #[serde(rename = "credential.handed_over.v1")]
    CredentialHandedOver { id: Id, by: HandOver },
    /// Something happened that somebody should look at.
    #[serde(rename = "alert.raised.v1")]
    AlertRaised(Alert),
    /// Alerts go there from now on.
    #[serde(rename = "alert.destination_set.v1")]
    AlertDestinationSet {
        name: Name,
        destination: Box<Destination>,
    },
    /// A rule of the tenant's own became this.
    #[serde(rename = "alert.rule_set.v1")]
    AlertRuleSet { name: Name, rule: OwnRule },
    /// A rule of the tenant's own ceased to be.
    #[serde(rename = "alert.rule_deleted.v1")]
    AlertRuleDeleted { name: Name },
    /// Alerts no longer go there.
    #[serde(rename = "alert.destination_deleted.v1")]
    AlertDestinationDeleted { name: Name },
    /// The audit is sent there too from now on.
    #[serde(rename = "audit.sink_set.v1")]
    AuditSinkSet { name: Name, sink: Box<Sink> },
    /// The audit is no longer sent there.
    #[serde(rename = "audit.sink_deleted.v1")]
    AuditSinkDeleted { name: Name },
    /// Somebody has seen an alert.
    #[serde(rename = "alert.acknowledged.v1")]
    AlertAcknowledged {
        id: Id,
        #[serde(default, skip_serializing_if = "is_empty")]
        note: Arc<str>,
    },
    /// What is like this alert is told to nobody until then; a moment that has passed ends a silence.
    #[serde(rename = "alert.silenced.v1")]
    AlertSilenced {
        id: Id,
        kind: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<Arc<str>>,
        until: Timestamp,
        #[serde(default, skip_serializing_if = "is_empty")]
        reason: Arc<str>,
    },
    /// The alert that was raised at this position was over, or dealt with; where there was something to count, so often it had
    /// happened.
    #[serde(rename = "alert.resolved.v1")]
    AlertResolved {
        id: Id,
        position: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
        #[serde(default, skip_serializing_if = "is_empty")]
        reason: Arc<str>,
    },
    /// An issuer came to be trusted.
    #[serde(rename = "issuer.created.v1")]
    IssuerCreated { name: Name, profile: IssuerProfile },
    /// What was decided about an issuer became this.
    #[serde(rename = "issuer.updated.v1")]
    IssuerUpdated { name: Name, profile: IssuerProfile },
    /// An issuer ceased to be trusted.
    #[serde(rename = "issuer.deleted.v1")]
    IssuerDeleted { name: Name },
    /// Tokens of an issuer stopped working for ever.
    #[serde(rename = "token.revoked.v1")]
    TokenRevoked {
        issuer: Name,
        tokens: TokenMatch,
        reason: Arc<str>,
    },
    /// Turnpike's own tokens came to be signed with this key. Of the operators' tenant.
    #[serde(rename = "token_key.added.v1")]
    TokenKeyAdded(TokenKey),
    /// What this key signed stopped working. Of the operators' tenant.
    #[serde(rename = "token_key.removed.v1")]
    TokenKeyRemoved { id: Arc<str> },
    /// A token was made for an edge to come in by. Of the operators' tenant, as all about edges.
    #[serde(rename = "edge.invited.v1")]
    EdgeInvited { edge: Name, invitation: Invitation },
    /// The token was shown, with the key that the edge is known by from now on.
    #[serde(rename = "edge.enrolled.v1")]
    EdgeEnrolled {
        edge: Name,
        invitation: Id,
        key: Arc<str>,
    },
    /// The edge was sent away, and no token that was made before lets it in.
    #[serde(rename = "edge.revoked.v1")]
    EdgeRevoked { edge: Name, reason: Arc<str> },
    /// The edge is to finish what it has and to take nothing new.
    #[serde(rename = "edge.drained.v1")]
    EdgeDrained { edge: Name },
    /// The edge serves again.
    #[serde(rename = "edge.resumed.v1")]
    EdgeResumed { edge: Name },
    /// Whatever was decided about the edge is over; it is known by no key.
    #[serde(rename = "edge.forgotten.v1")]
    EdgeForgotten { edge: Name },
    /// A provider was added.
    #[serde(rename = "provider.created.v1")]
    ProviderCreated { name: Name, profile: ProviderProfile },
    /// A provider's configuration became this.
    #[serde(rename = "provider.updated.v1")]
    ProviderUpdated { name: Name, profile: ProviderProfile },
    /// A provider was removed.
    #[serde(rename = "provider.deleted.v1")]
    ProviderDeleted { name: Name },
    /// A model entered the catalogue.
    #[serde(rename = "model.created.v1")]
    ModelCreated { id: ModelId, profile: ModelProfile },
    /// What is known of a model became this.
    #[serde(rename = "model.updated.v1")]
    ModelUpdated { id: ModelId, profile: ModelProfile },
    /// A model left the catalogue.
    #[serde(rename = "model.deleted.v1")]
    ModelDeleted { id: ModelId },
    /// An alias came to mean this model.
    #[serde(rename = "alias.set.v1")]
    AliasSet { alias: Arc<str>, target: ModelId },
    /// An alias ceased to be.
    #[serde(rename = "alias.deleted.v1")]
    AliasDeleted { alias: Arc<str> },
    /// A custom role came into being.
    #[serde(rename = "role.created.v1")]
    RoleCreated(Role),
    /// A custom role became this.
    #[serde(rename = "role.updated.v1")]
    RoleUpdated(Role),
    /// A custom role ceased to be.
    #[serde(rename = "role.deleted.v1")]
    RoleDeleted { name: Name },
    /// Something was granted, or denied.
    #[serde(rename = "grant.created.v1")]
    GrantCreated(Grant),
    /// A grant became this; it is the one of its id.
    #[serde(rename = "grant.updated.v1")]
    GrantUpdated(Grant),
    /// A grant ceased to be.
    #[serde(rename = "grant.deleted.v1")]
    GrantDeleted { id: Id },
    /// Somebody asked for a grant.
    #[serde(rename = "access.requested.v1")]
    AccessRequested(AccessRequest),
    /// A request was approved; the grant follows in the same change.
    #[serde(rename = "access.approved.v1")]
    AccessApproved { id: Id, grant: Id, expires: Timestamp },
    /// A request was refused.
    #[serde(rename = "access.refused.v1")]
    AccessRefused { id: Id, reason: Arc<str> },
    /// A request was withdrawn by whoever asked, or for the given reason.
    #[serde(rename = "access.withdrawn.v1")]
    AccessWithdrawn {
        id: Id,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Arc<str>>,
    },
    /// A fallback rule was added after the others.
    #[serde(rename = "fallback.created.v1")]
    FallbackCreated(Fallback),
    /// A fallback rule was removed.
    #[serde(rename = "fallback.deleted.v1")]
    FallbackDeleted { id: Id },
    /// A limit came into being.
    #[serde(rename = "limit.created.v1")]
    LimitCreated(Limit),
    /// A limit became this; it is the one of its name, and nothing of it is spent.
    #[serde(rename = "limit.updated.v1")]
    LimitUpdated(Limit),
    /// A limit ceased to be.
    #[serde(rename = "limit.deleted.v1")]
    LimitDeleted { name: Name },
    /// The budget of a limit was found to be spent, until then.
    #[serde(rename = "limit.spent.v1")]
    LimitSpent { name: Name, until: Timestamp },
    /// Models of the operators' tenant came to exist for other tenants.
    #[serde(rename = "offer.created.v1")]
    OfferCreated(Offer),
    /// An offer was withdrawn.
    #[serde(rename = "offer.deleted.v1")]
    OfferDeleted { id: Id },
}

/// An event as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// `credential.issued`.
    pub kind: Arc<str>,
    /// The version of the payload's shape.
    pub version: u16,
    /// JSON text.
    pub payload: Arc<str>,
}

/// An event that this build cannot interpret. Whoever folds must stop before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot interpret an event of type {kind} version {version}: {detail}; a newer version of Turnpike is needed"
)]
pub struct UnknownEvent {
    kind: String,
    version: u16,
    detail: String,
}

impl Event {
    /// The event as it is recorded.
    pub fn encode(&self) -> Result<Encoded, serde_json::Error> {
        let mut tagged = serde_json::to_value(self)?;
        let data = tagged
            .get_mut("data")
            .map(serde_json::Value::take)
            .unwrap_or_default();
        let name = tagged
            .get("type")
            .and_then(|name| name.as_str())
            .unwrap_or_default();
        let (kind, version) = name.rsplit_once(".v").unwrap_or((name, "0"));
        Ok(Encoded {
            kind: Arc::from(kind),
            version: version.parse().unwrap_or_default(),
            payload: Arc::from(serde_json::to_string(&data)?),
        })
    }

    /// Reads an event back from how it was recorded.
    pub fn decode(kind: &str, version: u16, payload: &str) -> Result<Self, UnknownEvent> {
        let unknown = |detail: String| UnknownEvent {
            kind: kind.chars().take(80).collect(),
            version,
            detail,
        };
        let name =
            serde_json::to_string(&format!("{kind}.v{version}")).map_err(|e| unknown(e.to_string()))?;
        // Checked on its own first, so that a payload cannot close the wrapper and add to it.
        serde_json::from_str::<&serde_json::value::RawValue>(payload).map_err(|e| unknown(e.to_string()))?;
        serde_json::from_str(&format!(r#"{{"type":{name},"data":{payload}}}"#))
            .map_err(|e| unknown(e.to_string()))
    }
}

fn is_empty(text: &Arc<str>) -> bool {
    text.is_empty()
}
