//! The chain of an edge's audit records: each link is a hash over the one before it and a record's bytes.
//!
//! A run of a spool lane, an epoch, is one chain that begins at [`Link::start`]. The edge signs the link after each batch, a
//! [`Checkpoint`]; whoever has the records and the checkpoints can tell whether a record was changed, left out or put
//! elsewhere. Signing and verifying is left to others: here is only what is signed.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::id::Timestamp;

/// What a chain begins with, so that no other hash of Turnpike's is one of its links.
const DOMAIN: &[u8] = b"turnpike.audit.chain.v1\0";
/// What a signed statement begins with, likewise.
const SIGNED: &str = "turnpike.audit.checkpoint.v1";

/// The hash of a record's bytes, as its edge wrote them. It tells nothing of the record to who has not got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf(pub [u8; 32]);

impl Leaf {
    /// Of the bytes.
    pub fn of(record: &[u8]) -> Self {
        Self(Sha256::digest(record).into())
    }
}

/// A chain up to some record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link(pub [u8; 32]);

impl Link {
    /// Before the first record of an epoch.
    pub fn start(epoch: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(epoch.to_be_bytes());
        Self(hash.finalize().into())
    }

    /// After one more record.
    #[must_use]
    pub fn after(self, sequence: u64, leaf: Leaf) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(sequence.to_be_bytes());
        hash.update(leaf.0);
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Link {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NotALink);
        }
        let mut link = [0; 32];
        for (byte, [high, low]) in link.iter_mut().zip(pairs) {
            *byte = digit(*high)
                .zip(digit(*low))
                .map(|(high, low)| high << 4 | low)
                .ok_or(NotALink)?;
        }
        Ok(Self(link))
    }
}

/// A text that no link was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 64 hexadecimal digits")]
pub struct NotALink;

/// What an edge says of its chain: between these two links are its records `first..=last`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The edge's name.
    pub edge: String,
    /// The run of a spool lane.
    pub epoch: u64,
    /// The first record's sequence.
    pub first: u64,
    /// The last record's sequence.
    pub last: u64,
    /// The chain before the first record.
    pub before: Link,
    /// The chain after the last record.
    pub after: Link,
    /// When it was said.
    pub time: Timestamp,
    /// The edge's public key: `x` of its JSON Web Key.
    pub key: String,
    /// By that key, Ed25519, over [`Checkpoint::statement`].
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// What is signed. Names of edges hold no NUL, so that no two statements read alike.
    pub fn statement(&self) -> Vec<u8> {
        let Self {
            edge,
            epoch,
            first,
            last,
            before,
            after,
            time,
            key: _,
            signature: _,
        } = self;
        let time = time.as_micros();
        format!("{SIGNED}\0{edge}\0{epoch}\0{first}\0{last}\0{before}\0{after}\0{time}").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Records<'r> = &'r [(u64, &'r [u8])];

    fn chain(epoch: u64, records: Records<'_>) -> Link {
        let start = Link::start(epoch);
        records.iter().fold(start, |link, (sequence, record)| {
            link.after(*sequence, Leaf::of(record))
        })
    }

    #[test]
    fn any_other_record_order_place_or_run_is_another_chain() {
        let whole = chain(7, &[(1, b"a"), (2, b"b"), (3, b"c")]);
        let others: [(u64, Records<'_>); 6] = [
            (7, &[(1, b"a"), (2, b"B"), (3, b"c")]),
            (7, &[(1, b"b"), (2, b"a"), (3, b"c")]),
            (7, &[(1, b"a"), (2, b"c")]),
            (7, &[(1, b"a"), (2, b"b"), (4, b"c")]),
            (7, &[(1, b"ab"), (2, b""), (3, b"c")]),
            (8, &[(1, b"a"), (2, b"b"), (3, b"c")]),
        ];
        for (epoch, records) in others {
            assert_ne!(chain(epoch, records), whole, "{epoch} {records:?}");
        }
        assert_eq!(chain(7, &[(1, b"a"), (2, b"b"), (3, b"c")]), whole);
    }

    #[test]
    fn a_link_is_read_as_it_is_written() {
        let link = Link::start(7);
        assert_eq!(link.to_string().parse(), Ok(link));
        for text in [
            "",
            "00",
            &"g".repeat(64),
            &"0".repeat(63),
            &"0".repeat(65),
            &"é".repeat(32),
        ] {
            assert_eq!(text.parse::<Link>(), Err(NotALink), "{text}");
        }
    }

    #[test]
    fn links_are_these_for_ever() {
        let link = chain(7, &[(1, b"a")]);
        assert_eq!(
            Link::start(7).to_string(),
            "d9a6fcd4504afccb6c08e503a11a4cae71d30f3b4a33cf9b2932c90d5addeb69"
        );
        assert_eq!(
            link.to_string(),
            "41238371b56dc9b43f53657e862555fbc41a5d928335ec4e06ba1c8632337323"
        );
    }
}
