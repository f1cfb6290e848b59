//! How far this edge has ever said that it was, so that an older state is known for what it is; and as of when its state
//! was certain.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use turnpike_access::{id::Timestamp, log::Position};
use turnpike_runtime::keyring::authenticator::{Authenticator, MARK};

use super::Refused;

const LENGTH: usize = 20 + MARK;

/// What is witnessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Testimony {
    /// Never goes back.
    pub(super) position: Position,
    /// Everything committed by then was in force, by this machine's clock; 0: nothing was certain.
    pub(super) certain: Timestamp,
}

/// The file, written in place: it fits into one sector of a disk.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    testimony: Testimony,
}

impl Witness {
    /// Opens the file, or makes it. What it says is read with [`read`].
    pub(super) fn open(path: &Path, testimony: Testimony) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(Self { file, testimony })
    }

    /// What it says.
    pub(super) fn testimony(&self) -> Testimony {
        self.testimony
    }

    /// Writes what is newer of both, and returns when it outlives a power failure.
    pub(super) fn say(
        &mut self,
        edge: &str,
        authenticator: &Authenticator,
        newer: Testimony,
    ) -> io::Result<()> {
        let testimony = Testimony {
            position: self.testimony.position.max(newer.position),
            certain: self.testimony.certain.max(newer.certain),
        };
        let key = authenticator.active();
        let body = body(key, testimony);
        let mark = mark(edge, authenticator, key, &body);
        let mark = mark.ok_or_else(|| io::Error::other("the keyring has no active key"))?;
        self.file.write_all_at(&[body.as_slice(), &mark].concat(), 0)?;
        self.file.sync_data()?;
        self.testimony = testimony;
        Ok(())
    }
}

/// What a witness says; `None` where there is none.
pub(super) fn read(
    path: &Path,
    edge: &str,
    authenticator: &Authenticator,
) -> Result<Option<Testimony>, Refused> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let damaged = || Refused::Damaged("the witness");
    let bytes: [u8; LENGTH] = bytes.try_into().map_err(|_| damaged())?;
    let (body, found) = bytes.split_at(20);
    let (key, rest) = body.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (position, certain) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let certain = certain.first_chunk::<8>().ok_or_else(damaged)?;
    let key = u32::from_le_bytes(*key);
    let mut marking = authenticator.begin(key).ok_or(Refused::Foreign)?;
    marking.update(edge.as_bytes());
    marking.update(&[0]);
    marking.update(body);
    if !marking.verifies(found) {
        return Err(damaged());
    }
    Ok(Some(Testimony {
        position: Position::new(u64::from_le_bytes(*position)),
        certain: Timestamp::from_micros(i64::from_le_bytes(*certain)),
    }))
}

fn body(key: u32, testimony: Testimony) -> Vec<u8> {
    let Testimony { position, certain } = testimony;
    [
        key.to_le_bytes().as_slice(),
        &position.get().to_le_bytes(),
        &certain.as_micros().to_le_bytes(),
    ]
    .concat()
}

fn mark(edge: &str, authenticator: &Authenticator, key: u32, body: &[u8]) -> Option<[u8; MARK]> {
    let mut marking = authenticator.begin(key)?;
    marking.update(edge.as_bytes());
    marking.update(&[0]);
    marking.update(body);
    Some(marking.finish())
}
