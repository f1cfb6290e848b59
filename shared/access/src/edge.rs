//! Edges as the log knows them: who may come, by which key each is known, and which are to serve.
//!
//! An edge that was never spoken of in the log may serve all the same, where the installation lets in whoever holds the
//! keyring. How an edge is doing is not known here: it says so itself, every second.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    digest::KeyDigest,
    id::{Id, Name, Timestamp},
};

/// The longest life of an invitation, in seconds.
pub const LONGEST_INVITATION: i64 = 30 * 24 * 3600;

/// A one-time token: whoever shows it first is the edge of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The token's public id.
    pub id: Id,
    /// What is kept of its secret.
    pub digest: KeyDigest,
    /// Where the edge is to be; absent: wherever it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Name>,
    /// It is good for nothing from then on.
    pub expires: Timestamp,
}

/// An invitation that was taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The invitation. Whoever lost the answer may show it again with the same key, until it expires.
    pub invitation: Invitation,
    /// The edge's public key, `x` of its JWK: whoever has the private half is the edge.
    pub key: Arc<str>,
}

/// What may be decided about an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeChange {
    /// It may come in by this token, in the place of one that nobody has shown.
    Invite(Invitation),
    /// It has shown a token, and the key that it is to be known by.
    Enrol {
        /// The token's id.
        invitation: Id,
        /// As in [`Enrolment`].
        key: Arc<str>,
    },
    /// It enrolled, and is sent away; its token is withdrawn.
    Revoke {
        /// For people.
        reason: Arc<str>,
    },
    /// It takes nothing new from now on.
    Drain,
    /// It serves again.
    Resume,
    /// Whatever was decided about it is over.
    Forget,
}

/// Whether an edge is to serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// It serves.
    #[default]
    Serve,
    /// It finishes what it has, and takes nothing new.
    Drain,
    /// It was sent away: it is told nothing any more, and serves nobody.
    Revoked,
}

/// What was decided about an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeRecord {
    /// Its name.
    pub name: Name,
    /// A token that nobody has shown yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Invitation>,
    /// By which key it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Enrolment>,
    /// Whether it is to serve.
    pub duty: Duty,
}

impl EdgeRecord {
    pub(crate) fn new(name: Name) -> Self {
        Self {
            name,
            invitation: None,
            enrolment: None,
            duty: Duty::Serve,
        }
    }
}

/// Everything that was decided about edges. There are few, and they change rarely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeRecords(Arc<BTreeMap<Name, EdgeRecord>>);

impl EdgeRecords {
    /// An edge by its name.
    pub fn get(&self, name: &str) -> Option<&EdgeRecord> {
        let name: Name = name.parse().ok()?;
        self.0.get(&name)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &EdgeRecord> {
        self.0.values()
    }

    /// Whether an edge of this name is to serve. One that was never spoken of is.
    pub fn duty(&self, name: &str) -> Duty {
        self.get(name).map_or(Duty::Serve, |edge| edge.duty)
    }

    /// Whether these are the very same: cheaper than comparing them.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The edge that is known by a public key, or was until it was revoked.
    pub fn known_by(&self, key: &str) -> Option<&EdgeRecord> {
        self.iter().find(|edge| {
            let enrolment = edge.enrolment.as_ref();
            enrolment.is_some_and(|enrolment| *enrolment.key == *key)
        })
    }

    /// For the fold and [`crate::codec`].
    pub(crate) fn put(&mut self, edge: EdgeRecord) {
        Arc::make_mut(&mut self.0).insert(edge.name.clone(), edge);
    }

    pub(crate) fn remove(&mut self, name: &Name) -> Option<EdgeRecord> {
        Arc::make_mut(&mut self.0).remove(name)
    }
}
