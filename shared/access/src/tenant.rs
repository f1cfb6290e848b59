//! A tenant, its teams and the accounts of its principals.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    id::{Id, Name, Principal, Timestamp},
    pattern::Tags,
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
    /// Nothing of this principal opens anything.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deactivated: bool,
    /// For grants, reports and billing.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
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
