//! Which answers had begun when an earlier process, or the machine, died: openings of which the spool has no record.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use prost::Message;

use super::{FOLDER, Fsync};
use crate::audit::segment::{Name, Next, Reader};

/// What an earlier process left.
#[derive(Debug, Default)]
pub(in crate::audit) struct Openings {
    /// The records that stand for answers whose end nobody recorded.
    pub(in crate::audit) unfinished: Vec<Bytes>,
    folder: PathBuf,
    files: Vec<Name>,
    /// The segments that have the records of the others: they may not be on the disk.
    segments: Vec<PathBuf>,
}

impl Openings {
    /// Once what is unfinished is on the disk as records.
    pub(in crate::audit) fn forget(&self, sync: &Fsync) -> io::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        for segment in &self.segments {
            sync.file(&File::open(segment)?)?;
        }
        if let Some(spool) = self.folder.parent() {
            sync.folder(spool)?;
        }
        for file in &self.files {
            fs::remove_file(file.path(&self.folder))?;
        }
        // Else they might be there again, with openings whose records are uploaded and deleted.
        sync.folder(&self.folder)
    }
}

/// The journal's files.
pub(super) fn files(folder: &Path) -> io::Result<Vec<Name>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(Name::parse(&entry?.path()));
    }
    names.sort_unstable();
    Ok(names)
}

/// Reads the journals, and the spool's records, which are whole by now, of as many epochs as were begun since.
pub(in crate::audit) fn recover(spool: &Path) -> io::Result<Openings> {
    let folder = spool.join(FOLDER);
    let files = files(&folder)?;
    let mut unfinished = HashMap::new();
    for file in &files {
        // Where it ends within a group nobody's answer had begun.
        each(&folder, *file, |bytes| {
            unfinished.insert(request_id(&bytes), bytes);
        })?;
    }
    let mut segments = Vec::new();
    if let Some(oldest) = files.first().filter(|_| !unfinished.is_empty()) {
        for segment in self::files(spool)?
            .into_iter()
            .filter(|of| of.epoch >= oldest.epoch)
        {
            let before = unfinished.len();
            each(spool, segment, |bytes| {
                drop(unfinished.remove(&request_id(&bytes)))
            })?;
            if unfinished.len() < before {
                segments.push(segment.path(spool));
            }
        }
    }
    Ok(Openings {
        unfinished: unfinished.into_values().collect(),
        folder,
        files,
        segments,
    })
}

fn each(folder: &Path, name: Name, mut take: impl FnMut(Bytes)) -> io::Result<()> {
    if let Some(mut reader) = Reader::open(folder, name)? {
        while let Next::Record(_, bytes, _) = reader.next()? {
            take(bytes);
        }
    }
    Ok(())
}

/// Of a record only the field that names its request.
#[derive(Message)]
struct Named {
    #[prost(string, tag = "2")]
    request_id: String,
}

fn request_id(bytes: &Bytes) -> String {
    Named::decode(bytes.clone()).map_or_else(|_| String::new(), |named| named.request_id)
}
