//! The event log: what is recorded of every change, in which order, and the chain that shows any edit.
//!
//! Payloads are opaque here; [`crate::event`] gives them meaning. Stores, bus and sync carry [`Recorded`]
//! unchanged, so that an edge checks the very bytes that were committed.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::{Name, Timestamp};

/// The place of an event in the log: gapless, in commit order, the first is 1. Zero is "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// From its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As a number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A link of the hash chain: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first event is chained to.
    pub const GENESIS: Self = Self([0; 32]);

    /// From its 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Where a log ends: the last position and the hash of the event there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// The last event's position.
    pub position: Position,
    /// The last event's hash.
    pub hash: Hash,
}

/// Who made a change, when, where and why: the same for all events of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// When the command was accepted.
    pub time: Timestamp,
    /// The tenant that the change is in.
    pub tenant: Name,
    /// Who asked: `user:alice`, `virtual-account:deployer`, of another tenant `platform/user:root`, or `system`.
    pub actor: Arc<str>,
    /// Joins the events of one command, and the command to its caller's logs.
    pub correlation: Arc<str>,
}

/// An event as committed. The bytes of `payload` never change, nor does what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the log.
    pub position: Position,
    /// Who, when, where.
    pub origin: Origin,
    /// What happened, in the past tense: `credential.revoked`.
    pub kind: Arc<str>,
    /// The version of the payload's shape, from 1.
    pub version: u16,
    /// JSON text, exactly as first written.
    pub payload: Arc<str>,
    /// The hash of the event before.
    pub previous: Hash,
    /// SHA-256 over all of the above.
    pub hash: Hash,
}

/// A link that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An event is missing, or came twice or out of order.
    #[error("expected position {expected}, found {found}")]
    Gap {
        /// The position that had to come.
        expected: Position,
        /// The position that came.
        found: Position,
    },
    /// The event does not follow from its predecessor, or was edited.
    #[error("the event at position {0} is not what was committed: its hash does not hold")]
    Edited(Position),
}

impl Recorded {
    /// Records what happened as the successor of `head`.
    pub fn after(head: Head, origin: Origin, kind: Arc<str>, version: u16, payload: Arc<str>) -> Self {
        let mut event = Self {
            position: head.position.next(),
            origin,
            kind,
            version,
            payload,
            previous: head.hash,
            hash: Hash::GENESIS,
        };
        event.hash = event.compute_hash();
        event
    }

    /// The head of a log that ends with this event.
    pub fn head(&self) -> Head {
        Head {
            position: self.position,
            hash: self.hash,
        }
    }

    /// Checks that this event is the untouched successor of `head`.
    pub fn follows(&self, head: Head) -> Result<(), BrokenChain> {
        if self.position != head.position.next() {
            return Err(BrokenChain::Gap {
                expected: head.position.next(),
                found: self.position,
            });
        }
        if self.previous != head.hash || self.hash != self.compute_hash() {
            return Err(BrokenChain::Edited(self.position));
        }
        Ok(())
    }

    /// Every field is preceded by its length, so that no two events share an encoding.
    fn compute_hash(&self) -> Hash {
        let Self {
            position,
            origin,
            kind,
            version,
            payload,
            previous,
            hash: _,
        } = self;
        let Origin {
            time,
            tenant,
            actor,
            correlation,
        } = origin;
        let mut sha = Sha256::new();
        sha.update(b"turnpike.event.v1\0");
        for field in [
            previous.as_bytes().as_slice(),
            &position.get().to_be_bytes(),
            &time.as_micros().to_be_bytes(),
            tenant.as_str().as_bytes(),
            actor.as_bytes(),
            correlation.as_bytes(),
            kind.as_bytes(),
            &version.to_be_bytes(),
            payload.as_bytes(),
        ] {
            sha.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            sha.update(field);
        }
        Hash(sha.finalize().into())
    }
}
