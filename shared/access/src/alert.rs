//! Alerts: something happened that somebody should look at, and what became of it.
//!
//! One anomaly is one alert: while one of a kind about a subject is open, none like it is raised. The state holds what is open
//! and what is silenced; the log has all.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::id::{Id, Name, Timestamp};

use destination::Destination;
use own::OwnRule;

pub mod destination;
pub mod own;
pub mod rules;
pub mod spike;

/// Alerts of one kind that a tenant may have open at once; more of the same are not told one by one.
pub const MAX_OPEN: usize = 100;
/// Silences that a tenant may have at once.
pub const MAX_SILENCES: usize = 200;
/// The longest silence, in seconds.
pub const LONGEST_SILENCE: i64 = 30 * 86_400;

/// An alert, with what is known of its cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its id.
    pub id: Id,
    /// What kind of thing happened: `decoy_used`.
    pub kind: Arc<str>,
    /// Whom or what it is about, within its kind. Absent: it is like no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// The credential that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Id>,
    /// A sentence for people.
    pub summary: Arc<str>,
    /// How often it had happened when it was raised; absent: there is nothing to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Some of the audit's records that it was found by, `EDGE/EPOCH/SEQUENCE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit: Vec<Arc<str>>,
    /// All that is known: `client_address`, `user_agent`, `edge` …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<Arc<str>, Arc<str>>,
}

/// An alert that nobody has resolved, and that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldAlert {
    /// Its id.
    pub id: Id,
    /// Of its event in the log.
    pub position: u64,
    /// Its kind.
    pub kind: Arc<str>,
    /// Whom or what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// When it was raised.
    pub raised: Timestamp,
    /// Who has seen it, as the log names them, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<(Arc<str>, Timestamp)>,
}

/// What is alike is recorded, and sent to nobody, for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// The kind.
    pub kind: Arc<str>,
    /// Whom or what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// Its end.
    pub until: Timestamp,
}

/// What a tenant's state holds of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// What is open, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<HeldAlert>,
    /// What is silenced; some of it may be over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Silence>,
    /// Where they go, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub destinations: BTreeMap<Name, Destination>,
    /// Rules of its own, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<Name, OwnRule>,
}

impl Alerts {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        let Self {
            open,
            silences,
            destinations,
            rules,
        } = self;
        open.is_empty() && silences.is_empty() && destinations.is_empty() && rules.is_empty()
    }

    /// An open alert by its id.
    pub fn find(&self, id: Id) -> Option<&HeldAlert> {
        self.open.iter().find(|held| held.id == id)
    }

    /// The open alert of a kind about a subject.
    pub fn about(&self, kind: &str, subject: &str) -> Option<&HeldAlert> {
        let same = |held: &&HeldAlert| *held.kind == *kind && held.subject.as_deref() == Some(subject);
        self.open.iter().find(same)
    }

    /// Until when what is alike is silenced, at a moment.
    pub fn silenced(&self, kind: &str, subject: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        let alike = |one: &&Silence| *one.kind == *kind && one.subject.as_deref() == subject;
        let found = self.silences.iter().find(alike);
        found.map(|one| one.until).filter(|until| now < *until)
    }

    pub(crate) fn of_kind(&self, kind: &str) -> usize {
        self.open.iter().filter(|held| *held.kind == *kind).count()
    }
}
