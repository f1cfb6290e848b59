//! What came after the state in the file: batches of events, each under a mark that also covers all before it.
//!
//! A record is its length (four bytes, little-endian), a `Batch` of `proto/turnpike/sync/v1/sync.proto`, and the mark.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
};

use prost::Message as _;
use turnpike_access::log::{Head, Recorded};
use turnpike_proto::sync::{self, v1::Batch};
use turnpike_runtime::keyring::authenticator::{Authenticator, MARK};

use super::{
    Refused,
    file::{Title, create, sync_folder},
};

/// No record is longer: what comes in one message of the control plane's is at most so long.
const LONGEST: u32 = 32 << 20;

/// A journal that is written.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    length: u64,
    key: u32,
    /// The mark of the last record; the next one covers it.
    mark: [u8; MARK],
}

/// A journal as it was read.
pub(super) struct Found {
    /// The events after the state in the file, in their order.
    pub(super) events: Vec<Recorded>,
    /// Where the last whole record ends.
    whole: u64,
    key: u32,
    mark: [u8; MARK],
}

impl Journal {
    /// A new journal from a position on, in the place of the one before.
    pub(super) fn begin(
        path: &Path,
        edge: &str,
        authenticator: &Authenticator,
        head: Head,
    ) -> io::Result<Self> {
        let key = authenticator.active();
        let line = Title::new(edge, key, head).line()?;
        let mut marking = authenticator.begin(key).ok_or_else(no_key)?;
        marking.update(&line);
        let mark = marking.finish();
        let new = with_new(path);
        let mut file = create(&new)?;
        file.write_all(&[line.as_slice(), &mark].concat())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)?;
        Ok(Self {
            file,
            length: (line.len() + MARK) as u64,
            key,
            mark,
        })
    }

    /// Goes on behind the last whole record.
    pub(super) fn go_on(path: &Path, found: &Found) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(path)?;
        file.set_len(found.whole)?;
        file.sync_all()?;
        Ok(Self {
            file,
            length: found.whole,
            key: found.key,
            mark: found.mark,
        })
    }

    /// Appends events, and returns when they outlive a power failure.
    ///
    /// # Errors
    /// Half a record may be there: nothing may come after it.
    pub(super) fn append(&mut self, authenticator: &Authenticator, events: &[Recorded]) -> io::Result<()> {
        let payload = sync::batch(events).encode_to_vec();
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("the events are too many for one record"))?;
        let mut marking = authenticator.begin(self.key).ok_or_else(no_key)?;
        marking.update(&self.mark);
        marking.update(&payload);
        let mark = marking.finish();
        self.file
            .write_all(&[length.to_le_bytes().as_slice(), &payload, &mark].concat())?;
        self.file.sync_data()?;
        self.length += (4 + payload.len() + MARK) as u64;
        self.mark = mark;
        Ok(())
    }

    /// How long it is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// Reads a journal up to its last whole record. A record that is cut short is the end; one that is whole and not
/// authentic refuses all of it.
pub(super) fn read(path: &Path, edge: &str, authenticator: &Authenticator) -> Result<Found, Refused> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)?;
    let (title, marking) = Title::read(&line, edge, authenticator)?;
    let mut mark = [0; MARK];
    if !filled(&mut file, &mut mark)? || !marking.verifies(&mark) {
        return Err(Refused::Damaged("the journal's first line"));
    }
    let mut found = Found {
        events: Vec::new(),
        whole: (line.len() + MARK) as u64,
        key: title.key,
        mark,
    };
    while let Some((payload, mark)) = record(&mut file)? {
        let mut marking = authenticator.begin(title.key).ok_or(Refused::Foreign)?;
        marking.update(&found.mark);
        marking.update(&payload);
        if !marking.verifies(&mark) {
            return Err(Refused::Damaged("a record of the journal"));
        }
        let batch = Batch::decode(payload.as_slice()).map_err(|_| Refused::Damaged("a batch"))?;
        let events = sync::read_batch(batch).map_err(|_| Refused::Damaged("an event"))?;
        found.events.extend(events);
        found.whole += (4 + payload.len() + MARK) as u64;
        found.mark = mark;
    }
    Ok(found)
}

/// A batch, and its mark.
type Record = (Vec<u8>, [u8; MARK]);

/// The next record, or the end.
fn record(file: &mut impl Read) -> Result<Option<Record>, Refused> {
    let mut length = [0; 4];
    if !filled(file, &mut length)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(Refused::Damaged("the length of a record"));
    }
    let mut payload = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut mark = [0; MARK];
    let whole = filled(file, &mut payload)? && filled(file, &mut mark)?;
    Ok(whole.then_some((payload, mark)))
}

/// Whether the file had so much left.
fn filled(file: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn with_new(path: &Path) -> PathBuf {
    path.with_extension("new-journal")
}

fn no_key() -> io::Error {
    io::Error::other("the keyring has no such key any more")
}
