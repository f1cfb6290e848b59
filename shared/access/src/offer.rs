//! Offers: which of the operators' own models tenants may be granted.
//!
//! An offer only makes a model exist for a tenant; whether one of its people may use it is for the tenant's grants to
//! say. Target, secret and prices stay the operators'.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    id::{Id, Name},
    pattern::{Resource, Selector, TagTest},
    snapshot::Tenant,
};

/// Some of the operators' models, for some tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Its id.
    pub id: Id,
    /// For whom.
    pub to: Audience,
    /// Which models. Where tags must match, the tenant's are meant.
    #[serde(default)]
    pub models: Selector,
    /// Why, for whoever reviews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

/// For whom an offer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Audience {
    /// Every tenant.
    All {},
    /// These tenants.
    Named(Vec<Name>),
    /// Tenants that pass all of these tests.
    Tagged(Vec<TagTest>),
}

impl Audience {
    /// Whether a tenant is meant.
    pub fn includes(&self, tenant: &Tenant) -> bool {
        match self {
            Self::All {} => true,
            Self::Named(names) => names.contains(tenant.name()),
            Self::Tagged(tests) => tests.iter().all(|one| {
                let value = tenant.settings().tags.get(&one.key);
                one.test.passes(value.map(AsRef::as_ref))
            }),
        }
    }
}

impl Offer {
    /// Whether a model of the operators' is offered by this to a tenant that is meant.
    pub fn covers(&self, model: &Resource<'_>, tenant: &Tenant) -> bool {
        self.models.covers(model, Some(&tenant.settings().tags)).is_ok()
    }
}
