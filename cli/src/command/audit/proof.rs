//! A line of an exported proof, and the same out of the control plane's answer.

use serde::{Deserialize, Serialize};
use turnpike_access::{
    audit::{
        chain::{Checkpoint, Leaf, Link},
        retired::{Retired, StandIn},
    },
    id::Timestamp,
};
use turnpike_proto::admin::v1::{self as wire, audit_proof::Part};

use crate::failure::Failure;

/// One line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Line {
    /// What follows is about this epoch.
    Epoch { edge: String, epoch: u64, highest: u64 },
    /// Hashes of consecutive rows.
    Leaves { first: u64, hashes: Vec<String> },
    /// What the edge signed.
    Checkpoint {
        first: u64,
        last: u64,
        before: String,
        after: String,
        time_us: i64,
        key: String,
        signature: String,
    },
    /// What is deleted because its tenant keeps it no longer: by the links around it, or by hashes.
    Retired {
        first: u64,
        last: u64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        before: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        after: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sequences: Vec<u64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hashes: Vec<String>,
        until_us: i64,
        time_us: i64,
        key: String,
        signature: String,
    },
}

impl TryFrom<wire::AuditProof> for Line {
    type Error = Failure;

    fn try_from(proof: wire::AuditProof) -> Result<Self, Failure> {
        match proof.part {
            Some(Part::Epoch(wire::AuditEpoch { edge, epoch, highest })) => {
                Ok(Self::Epoch { edge, epoch, highest })
            }
            Some(Part::Leaves(wire::AuditLeaves { first, hashes })) => Ok(Self::Leaves {
                first,
                hashes: hashes.iter().map(|hash| hex(hash)).collect(),
            }),
            Some(Part::Checkpoint(said)) => {
                let wire::AuditCheckpoint {
                    first,
                    last,
                    before,
                    after,
                    time_us,
                    key,
                    signature,
                } = said;
                Ok(Self::Checkpoint {
                    first,
                    last,
                    before: hex(&before),
                    after: hex(&after),
                    time_us,
                    key,
                    signature: hex(&signature),
                })
            }
            Some(Part::Retired(gone)) => {
                let wire::AuditRetired {
                    first,
                    last,
                    before,
                    after,
                    sequences,
                    hashes,
                    until_us,
                    time_us,
                    key,
                    signature,
                } = gone;
                Ok(Self::Retired {
                    first,
                    last,
                    before: hex(&before),
                    after: hex(&after),
                    sequences,
                    hashes: hashes.iter().map(|hash| hex(hash)).collect(),
                    until_us,
                    time_us,
                    key,
                    signature: hex(&signature),
                })
            }
            None => Err(Failure::local(
                "the control plane sent a part of the proof that this turnpike does not know",
            )),
        }
    }
}

/// Reads a hash.
pub(super) fn leaf(text: &str) -> Result<Leaf, Failure> {
    Ok(Leaf(link(text)?.0))
}

fn link(text: &str) -> Result<Link, Failure> {
    text.parse()
        .map_err(|error| Failure::local(format!("{text} {error}")))
}

/// A checkpoint of an epoch, from its line's parts.
pub(super) fn checkpoint(edge: &str, epoch: u64, line: Line) -> Result<Option<Checkpoint>, Failure> {
    let Line::Checkpoint {
        first,
        last,
        before,
        after,
        time_us,
        key,
        signature,
    } = line
    else {
        return Ok(None);
    };
    if first == 0 || last < first {
        return Err(Failure::local(format!(
            "a checkpoint is about no records: {first} to {last}"
        )));
    }
    Ok(Some(Checkpoint {
        edge: edge.to_owned(),
        epoch,
        first,
        last,
        before: link(&before)?,
        after: link(&after)?,
        time: Timestamp::from_micros(time_us),
        key,
        signature: bytes(&signature)?,
    }))
}

/// What was retired of an epoch, from its line's parts.
pub(super) fn retired(edge: &str, epoch: u64, line: Line) -> Result<Option<Retired>, Failure> {
    let Line::Retired {
        first,
        last,
        before,
        after,
        sequences,
        hashes,
        until_us,
        time_us,
        key,
        signature,
    } = line
    else {
        return Ok(None);
    };
    let stand_in = match sequences.is_empty() {
        true => StandIn::Links(link(&before)?, link(&after)?),
        false => {
            let leaves = hashes
                .iter()
                .map(|hash| leaf(hash))
                .collect::<Result<Vec<_>, _>>()?;
            StandIn::Leaves(sequences.into_iter().zip(leaves).collect())
        }
    };
    Ok(Some(Retired {
        edge: edge.to_owned(),
        epoch,
        first,
        last,
        stand_in,
        until: Timestamp::from_micros(until_us),
        time: Timestamp::from_micros(time_us),
        key,
        signature: bytes(&signature)?,
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads pairs of hexadecimal digits.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    let wrong = || Failure::local(format!("{text} is not a text of hexadecimal digits"));
    if !text.is_ascii() || text.len() % 2 == 1 {
        return Err(wrong());
    }
    let pairs = text.as_bytes().chunks_exact(2).map(std::str::from_utf8);
    pairs
        .map(|pair| u8::from_str_radix(pair.unwrap_or_default(), 16).map_err(|_| wrong()))
        .collect()
}

/// Writes bytes as hexadecimal digits.
pub(super) fn written(bytes: &[u8]) -> String {
    hex(bytes)
}
