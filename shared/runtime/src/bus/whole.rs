//! A whole state as it is put aside on the bus, for edges that begin while no control plane answers.
//!
//! It is cut into pieces, each under a mark that also covers all before it: nothing is read before it is known to be a control
//! plane's, and what is cut short, put together anew or made under another keyring is refused. The first piece says what it
//! is; then come the lines of the snapshot.
//!
//! A piece is what it is (one byte), its payload, and the mark. The first piece's payload begins with the number of the keyring's
//! key, four bytes, little-endian; the rest of it is a [`Title`] in JSON.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use turnpike_access::{codec, id::Timestamp, log::Head, snapshot::Snapshot};

use crate::keyring::{
    Keyring,
    authenticator::{Authenticator, MARK},
};

/// The format that this build writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// What the keys are for. An edge's own disk uses others, so that one is never taken for the other.
const PURPOSE: &str = "turnpike.bus.state";
/// A piece is full with so many bytes: NATS takes a mebibyte.
const FULL: usize = 512 * 1024;

const FIRST: u8 = 1;
const MORE: u8 = 2;
const LAST: u8 = 3;

/// What a state says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    turnpike_bus_state: u32,
    /// Where it stands.
    pub head: Head,
    /// When it was put there, by the control plane's clock.
    pub made: Timestamp,
    /// What the bus keeps of events up to this number is in it.
    pub heard: u64,
    /// The keys by which what follows on the bus is signed.
    pub keys: Vec<Vec<u8>>,
}

impl Title {
    /// Of a state that is put there now.
    pub fn new(head: Head, made: Timestamp, heard: u64, keys: Vec<Vec<u8>>) -> Self {
        Self {
            turnpike_bus_state: FORMAT,
            head,
            made,
            heard,
            keys,
        }
    }
}

/// Why there is no piece.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// It cannot be written down.
    #[error("the state cannot be written down: {0}")]
    Encoding(#[from] serde_json::Error),
    /// The keyring is without its active key.
    #[error("the keyring has no active key")]
    NoKey,
    /// Nobody takes it any more.
    #[error("it is not taken any more")]
    Gone,
}

/// Why a state on the bus is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Made under another keyring.
    #[error("it was made under a key that is not in this keyring")]
    Foreign,
    /// Not as a control plane made it.
    #[error("it is not as a control plane made it")]
    Damaged,
    /// Something is missing at its end.
    #[error("its end is missing")]
    CutShort,
    /// Written by a newer version.
    #[error("it has format {0}, which this version of Turnpike does not read")]
    Newer(u32),
}

/// Knows the states of one installation.
pub fn authenticator(keyring: &Keyring) -> Authenticator {
    keyring.authenticator(PURPOSE)
}

/// Writes a state down, piece by piece. Blocks for as long as the pieces are not taken.
///
/// # Errors
/// It cannot be written down, or `take` says that nobody wants more.
pub fn write(
    snapshot: &Snapshot,
    title: &Title,
    authenticator: &Authenticator,
    take: impl FnMut(Bytes) -> Result<(), Unwritten>,
) -> Result<(), Unwritten> {
    let mut writing = Writing {
        authenticator,
        mark: [0; MARK],
        next: BytesMut::new(),
        take,
    };
    let mut first = authenticator.active().to_le_bytes().to_vec();
    serde_json::to_writer(&mut first, title)?;
    writing.piece(FIRST, &first)?;
    codec::encode(snapshot, |line| writing.line(line))?;
    let rest = writing.next.split();
    writing.piece(LAST, &rest)
}

/// Pieces on their way.
struct Writing<'a, T> {
    authenticator: &'a Authenticator,
    /// The mark of the piece before.
    mark: [u8; MARK],
    next: BytesMut,
    take: T,
}

impl<T: FnMut(Bytes) -> Result<(), Unwritten>> Writing<'_, T> {
    /// Only whole lines share a piece.
    fn line(&mut self, line: &[u8]) -> Result<(), Unwritten> {
        if !self.next.is_empty() && self.next.len() + line.len() > FULL {
            let full = self.next.split();
            self.piece(MORE, &full)?;
        }
        self.next.extend_from_slice(line);
        Ok(())
    }

    fn piece(&mut self, what: u8, payload: &[u8]) -> Result<(), Unwritten> {
        let mut marking = self
            .authenticator
            .begin(self.authenticator.active())
            .ok_or(Unwritten::NoKey)?;
        marking.update(&self.mark);
        marking.update(&[what]);
        marking.update(payload);
        self.mark = marking.finish();
        let mut piece = BytesMut::with_capacity(1 + payload.len() + MARK);
        piece.put_u8(what);
        piece.put_slice(payload);
        piece.put_slice(&self.mark);
        (self.take)(piece.freeze())
    }
}

/// A state that is being read.
pub struct Reading {
    authenticator: Authenticator,
    key: u32,
    mark: [u8; MARK],
    whole: bool,
}

impl Reading {
    /// Reads the first piece.
    ///
    /// # Errors
    /// It is none of this installation's.
    pub fn begin(authenticator: Authenticator, first: &[u8]) -> Result<(Self, Title), Untrusted> {
        let key = first.get(1..).and_then(|rest| rest.first_chunk::<4>());
        let mut reading = Self {
            authenticator,
            key: u32::from_le_bytes(*key.ok_or(Untrusted::Damaged)?),
            mark: [0; MARK],
            whole: false,
        };
        let (what, payload) = reading.verified(first)?;
        let title = payload.get(4..).filter(|_| what == FIRST);
        let title: serde_json::Value =
            serde_json::from_slice(title.ok_or(Untrusted::Damaged)?).map_err(|_| Untrusted::Damaged)?;
        let format = title
            .get("turnpike_bus_state")
            .and_then(serde_json::Value::as_u64);
        let format = u32::try_from(format.ok_or(Untrusted::Damaged)?).unwrap_or(u32::MAX);
        if format > FORMAT {
            return Err(Untrusted::Newer(format));
        }
        let title = serde_json::from_value(title).map_err(|_| Untrusted::Damaged)?;
        Ok((reading, title))
    }

    /// The lines of the next piece.
    ///
    /// # Errors
    /// It is not the one that a control plane made to follow.
    pub fn next<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], Untrusted> {
        let (what, payload) = self.verified(piece)?;
        match what {
            LAST => self.whole = true,
            MORE => {}
            _ => return Err(Untrusted::Damaged),
        }
        Ok(payload)
    }

    /// Whether the last piece was read.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    fn verified<'p>(&mut self, piece: &'p [u8]) -> Result<(u8, &'p [u8]), Untrusted> {
        let (&what, rest) = piece.split_first().ok_or(Untrusted::Damaged)?;
        let (payload, mark) = rest.split_last_chunk::<MARK>().ok_or(Untrusted::Damaged)?;
        let mut marking = self.authenticator.begin(self.key).ok_or(Untrusted::Foreign)?;
        marking.update(&self.mark);
        marking.update(&[what]);
        marking.update(payload);
        // What comes after the last piece is none.
        if self.whole || !marking.verifies(mark) {
            return Err(Untrusted::Damaged);
        }
        self.mark = *mark;
        Ok((what, payload))
    }
}

#[cfg(test)]
mod tests;
