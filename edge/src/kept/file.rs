//! The whole state as a file: a line that says whose it is and where it stands, the snapshot's lines, and a mark over all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::{Deserialize, Serialize};
use turnpike_access::{
    codec::{self, Decoder},
    log::Head,
    snapshot::Snapshot,
};
use turnpike_runtime::keyring::authenticator::{Authenticator, MARK, Marking};

use super::Refused;

/// The format that this build writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The first line of each file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Title {
    pub(super) turnpike_edge_state: u32,
    /// Whose it is.
    pub(super) edge: String,
    /// The key of the keyring that the mark is made with.
    pub(super) key: u32,
    /// Where it stands, or begins.
    pub(super) head: Head,
}

impl Title {
    pub(super) fn new(edge: &str, key: u32, head: Head) -> Self {
        Self {
            turnpike_edge_state: FORMAT,
            edge: edge.to_owned(),
            key,
            head,
        }
    }

    /// As the line that it is.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self).map_err(io::Error::other)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads the line, and begins the mark over it.
    pub(super) fn read(
        line: &[u8],
        edge: &str,
        authenticator: &Authenticator,
    ) -> Result<(Self, Marking), Refused> {
        let title: Self = serde_json::from_slice(line).map_err(|_| Refused::Damaged("its first line"))?;
        if title.turnpike_edge_state > FORMAT {
            return Err(Refused::Newer(title.turnpike_edge_state));
        }
        let mut marking = authenticator.begin(title.key).ok_or(Refused::Foreign)?;
        marking.update(line);
        if title.edge != edge {
            return Err(Refused::OfAnother(title.edge.chars().take(64).collect()));
        }
        Ok((title, marking))
    }
}

/// Writes a snapshot under a name of its own and renames it into place, so that there is a whole one or the one before.
pub(super) fn write(
    path: &Path,
    edge: &str,
    authenticator: &Authenticator,
    snapshot: &Snapshot,
) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = BufWriter::with_capacity(1 << 18, create(&new)?);
    let title = Title::new(edge, authenticator.active(), snapshot.head()).line()?;
    let mut marking = authenticator
        .begin(authenticator.active())
        .ok_or_else(|| io::Error::other("the keyring has no active key"))?;
    let mut put = |bytes: &[u8]| {
        marking.update(bytes);
        file.write_all(bytes)
    };
    put(&title)?;
    codec::encode(snapshot, |line| put(line).map_err(Unwritten::from)).map_err(|Unwritten(error)| error)?;
    file.write_all(&marking.finish())?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(path)
}

/// Either of the two ways in which a line is not written.
struct Unwritten(io::Error);

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl From<serde_json::Error> for Unwritten {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}

/// Reads a snapshot. What is not authentic is never used, however far it could be read.
pub(super) fn read(path: &Path, edge: &str, authenticator: &Authenticator) -> Result<Snapshot, Refused> {
    let file = File::open(path)?;
    let body = file.metadata()?.len().checked_sub(MARK as u64);
    let body = body.ok_or(Refused::Damaged("its end"))?;
    let mut lines = BufReader::with_capacity(1 << 18, file).take(body);
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line)?;
    let (title, mut marking) = Title::read(&line, edge, authenticator)?;
    let mut decoder = Some(Decoder::default());
    let mut unreadable = None;
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        marking.update(&line);
        // The mark is checked to the end all the same: it tells whether the file was touched or is of another build.
        if let Some(Err(error)) = decoder.as_mut().map(|decoder| decoder.feed(&line)) {
            (decoder, unreadable) = (None, Some(error));
        }
    }
    let mut mark = Vec::new();
    let mut file = lines.into_inner();
    file.read_to_end(&mut mark)?;
    if !marking.verifies(&mark) {
        return Err(Refused::Damaged("its mark"));
    }
    match (decoder, unreadable) {
        (Some(decoder), None) => {
            let snapshot = decoder.finish().map_err(Refused::Unreadable)?;
            (snapshot.head() == title.head)
                .then_some(snapshot)
                .ok_or(Refused::Damaged("its position"))
        }
        (_, Some(error)) => Err(Refused::Unreadable(error)),
        (None, None) => Err(Refused::Damaged("its lines")),
    }
}

/// A new file, for this user alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// A rename outlives a power failure once the folder is synced.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
