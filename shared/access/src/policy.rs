//! The access state of a tenant as text that people review: what the file says, and what follows from it.
//!
//! [`Policy`] is the file. Its parts are the domain's own types, with what the file alone knows beside them. How the text
//! is read and written is not known here. `plan` says which commands lead from a state to what a file says.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{id::ModelId, limit::Limit, role::Role, tenant::TenantSettings};

mod check;
mod entry;
mod export;
mod issuer;
pub mod judge;
mod moment;
pub mod plan;
pub mod replay;
mod split;
pub mod survey;
mod test;

pub use check::Doubled;
pub use entry::{
    AccountEntry, FallbackEntry, GrantEntry, ModelEntry, OfferEntry, ProviderEntry, Secret, TeamEntry,
};
pub use issuer::{IssuerEntry, VerificationEntry};
pub use moment::Moment;
pub use test::{Question, Test};

/// A policy file. A section that is absent is nobody's business; one that is there speaks for all of its kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// Which format it is.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What the tenant chose about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantSettings>,
    /// Teams, and who is in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<TeamEntry>>,
    /// People.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<AccountEntry>>,
    /// Applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_accounts: Option<Vec<AccountEntry>>,
    /// The tenant's own roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// Issuers that are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuers: Option<Vec<IssuerEntry>>,
    /// Upstreams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<ProviderEntry>>,
    /// The catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<ModelEntry>>,
    /// Other names for models.
    #[serde(
        default,
        deserialize_with = "aliases",
        skip_serializing_if = "Option::is_none"
    )]
    pub aliases: Option<BTreeMap<Arc<str>, ModelId>>,
    /// Fallback rules, in the order in which they are tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallbacks: Option<Vec<FallbackEntry>>,
    /// Grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<GrantEntry>>,
    /// What the operators' tenant offers to others; no other tenant has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<OfferEntry>>,
    /// What may be spent; what was spent is no part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<Limit>>,
    /// Who must, and who must not, be allowed what once all of this is so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
}

/// The format of a policy file: the only one that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ApiVersion {
    /// This one.
    #[default]
    #[serde(rename = "turnpike/v1")]
    V1,
}

/// A map that refuses a key that stands twice, which serde's own takes.
fn aliases<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<Arc<str>, ModelId>>, D::Error> {
    struct Unique;

    impl<'de> de::Visitor<'de> for Unique {
        type Value = BTreeMap<Arc<str>, ModelId>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a mapping of aliases to models")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((alias, target)) = map.next_entry::<String, ModelId>()? {
                if all.insert(Arc::from(alias.as_str()), target).is_some() {
                    return Err(de::Error::custom(format!("alias {alias:?} stands twice")));
                }
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Unique).map(Some)
}
