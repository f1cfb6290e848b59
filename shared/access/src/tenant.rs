//! A tenant, its teams and the accounts of its principals.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    alert::rules::AlertRules,
    audit::settings::AuditSettings,
    grant::Subject,
    id::{Id, Name, Principal, Timestamp},
    pattern::{Glob, Tags},
};

/// What a tenant can choose about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSettings {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Arc<str>>,
    /// A model that the caller may not use looks as if it did not exist: 404 in place of 403.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hide_models: bool,
    /// Nobody of this tenant is served.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// What holds for its credentials.
    #[serde(default, skip_serializing_if = "CredentialPolicy::is_default")]
    pub credentials: CredentialPolicy,
    /// For what the operators offer by tags; theirs to set.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// What becomes of it at an edge that may have missed changes.
    #[serde(default, skip_serializing_if = "Staleness::is_default")]
    pub staleness: Staleness,
    /// A stream that is under way ends when what opened it is revoked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub end_streams: bool,
    /// For how long access may be asked for, in seconds; absent: [`crate::request::DEFAULT_MAX_SECONDS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_access_seconds: Option<u32>,
    /// A grant that is made or changed must say what it is for, and who answers for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub justified_grants: bool,
    /// Which alerts it is given.
    #[serde(default, skip_serializing_if = "AlertRules::is_default")]
    pub alerts: AlertRules,
    /// What its audit survives.
    #[serde(default, skip_serializing_if = "AuditSettings::is_default")]
    pub audit: AuditSettings,
}

/// How far behind an edge may be and still serve a tenant. Absent: however far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staleness {
    /// An edge that may have missed changes for longer serves nobody of the tenant, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u32>,
    /// These models, `provider/name`, it serves all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Glob>,
}

impl Staleness {
    /// The shortest that can be asked for, in seconds: what edges hear of the head comes every second or two.
    pub const SHORTEST: u32 = 5;

    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a model is served however far behind the edge is.
    pub fn spares(&self, model: &str) -> bool {
        self.models.iter().any(|glob| glob.matches(model))
    }
}

/// What holds for a tenant's credentials, when they are made and after. Absent: no such rule. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialPolicy {
    /// The longest life; older ones end, whatever their own expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime_seconds: Option<u32>,
    /// A new one must have an expiry.
    #[serde(default, skip_serializing_if = "is_false")]
    pub expiry_required: bool,
    /// How many live ones a principal may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_live: Option<u32>,
    /// A secret is due for rotation at this age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_after_seconds: Option<u32>,
    /// How long before that, and before an expiry, a warning is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_before_seconds: Option<u32>,
    /// One that was not rotated when due is suspended.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend_overdue: bool,
    /// One unused for so long is warned of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_unused_seconds: Option<u32>,
    /// One unused for so long is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_unused_seconds: Option<u32>,
    /// One unused for so long is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_unused_seconds: Option<u32>,
    /// The keys of virtual accounts are rotated when due, by Turnpike itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic_rotation: Option<AutomaticRotation>,
}

impl CredentialPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the keys of virtual accounts are rotated without anybody asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutomaticRotation {
    /// How long the version before goes on working, in seconds.
    pub overlap_seconds: u32,
    /// Where the new key goes.
    pub delivery: Delivery,
}

/// Where a key goes that Turnpike made by itself. Never into a log or an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delivery {
    /// Posted there, sealed to the tenant's key.
    Webhook {
        /// https.
        url: Arc<str>,
        /// X25519, 32 bytes in base64: the key is in a libsodium sealed box for it.
        public_key: Arc<str>,
    },
    /// Held, sealed under the keyring, for one authenticated pick-up.
    PickUp {},
}

/// People who are granted things together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamProfile {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
}

/// What is known of a user or a virtual account, beside its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountProfile {
    /// A person's name, or what an application does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
    /// Of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Arc<str>>,
    /// Who this is at issuers: `ISSUER/SUBJECT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Arc<str>>,
    /// Nothing of this principal opens anything.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deactivated: bool,
    /// For grants, reports and billing.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Who answers for it: a user or a team. It gives nobody anything, and may have left since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Subject>>,
}

/// A user or a virtual account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its name and kind.
    pub principal: Principal,
    /// What is known of it.
    pub profile: AccountProfile,
    /// The teams whose grants it has: those a user is a member of, the one that owns a virtual account.
    pub teams: Vec<Name>,
    /// Its credentials, dead ones too, oldest first.
    pub credentials: Vec<Id>,
    /// When it was made.
    pub created: Timestamp,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Unique in the tenant.
    pub name: Name,
    /// What it is for.
    pub profile: TeamProfile,
    /// When it was made.
    pub created: Timestamp,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}
