//! What was taken out of the audit because its tenant does not keep it for longer, so that the rest can still be proven.
//!
//! The control plane signs for it, and only then deletes. Where all the records between two links of the chain go, the links
//! stand for them; where others stay among them, their hashes do.

use super::chain::{Leaf, Link};
use crate::id::Timestamp;

/// What a signed statement begins with, so that no other statement of Turnpike's reads like it.
const SIGNED: &str = "turnpike.audit.retired.v1";

/// Records that are deleted, and what stands for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The edge's name.
    pub edge: String,
    /// The run of a spool lane.
    pub epoch: u64,
    /// The first record's sequence.
    pub first: u64,
    /// The last record's sequence.
    pub last: u64,
    /// What stands for them.
    pub stand_in: StandIn,
    /// What was signed by edges before this moment might go.
    pub until: Timestamp,
    /// When it was said.
    pub time: Timestamp,
    /// The control plane's public key: `x` of its JSON Web Key.
    pub key: String,
    /// By that key, Ed25519, over [`Retired::statement`].
    pub signature: Vec<u8>,
}

/// What stands for deleted records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandIn {
    /// Everything from the first to the last: the chain before and after.
    Links(Link, Link),
    /// Some of them: their sequences and their hashes, in order.
    Leaves(Vec<(u64, Leaf)>),
}

impl Retired {
    /// What is signed. Names of edges hold no NUL, so that no two statements read alike.
    pub fn statement(&self) -> Vec<u8> {
        let Self {
            edge,
            epoch,
            first,
            last,
            stand_in,
            until,
            time,
            key: _,
            signature: _,
        } = self;
        let (until, time) = (until.as_micros(), time.as_micros());
        let stand_in = match stand_in {
            StandIn::Links(before, after) => format!("links\0{before}\0{after}"),
            StandIn::Leaves(leaves) => {
                let mut bytes = Vec::with_capacity(leaves.len() * 40);
                for (sequence, leaf) in leaves {
                    bytes.extend_from_slice(&sequence.to_be_bytes());
                    bytes.extend_from_slice(&leaf.0);
                }
                format!("leaves\0{}", Link(Leaf::of(&bytes).0))
            }
        };
        format!("{SIGNED}\0{edge}\0{epoch}\0{first}\0{last}\0{stand_in}\0{until}\0{time}").into_bytes()
    }

    /// Whether it is about records at all, and about those alone that it names.
    pub fn makes_sense(&self) -> bool {
        let inside = |sequence: u64| (self.first..=self.last).contains(&sequence);
        self.first > 0
            && self.first <= self.last
            && match &self.stand_in {
                StandIn::Links(..) => true,
                StandIn::Leaves(leaves) => {
                    !leaves.is_empty()
                        && leaves.is_sorted_by(|(one, _), (next, _)| one < next)
                        && leaves.iter().all(|(sequence, _)| inside(*sequence))
                }
            }
    }
}
