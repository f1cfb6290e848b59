//! Alerts: something happened that somebody should look at.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::id::Id;

pub mod rules;
pub mod spike;

/// An alert, with what is known of its cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its id.
    pub id: Id,
    /// What kind of thing happened: `decoy_used`.
    pub kind: Arc<str>,
    /// The credential that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Id>,
    /// A sentence for people.
    pub summary: Arc<str>,
    /// All that is known: `client_address`, `user_agent`, `edge` …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<Arc<str>, Arc<str>>,
}
