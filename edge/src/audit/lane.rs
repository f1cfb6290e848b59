//! One lane of the spool: one epoch, its own sequence and its own files, written by one thread at a time.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Unrecorded,
    frame::{self, Payload},
    segment::{Append, Name, Writer},
};

/// What a lane tells the one that reads its files.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) epoch: u64,
    /// Every record up to this sequence is wholly in the files; 0 is none.
    written: AtomicU64,
}

impl Progress {
    pub(super) fn new(epoch: u64, written: u64) -> Self {
        Self {
            epoch,
            written: AtomicU64::new(written),
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }
}

/// The writing end of a lane. Whoever holds it, holds it for one record.
#[derive(Debug)]
pub(super) struct Lane {
    folder: Arc<PathBuf>,
    progress: Arc<Progress>,
    /// A segment is closed when it has reached this many bytes.
    roll: u64,
    /// The number of the next segment.
    number: u64,
    writer: Option<Writer>,
    /// The next sequence.
    next: u64,
    buffer: Vec<u8>,
    /// What a failed write left behind could not be removed: nothing may come after it.
    broken: bool,
    /// Files that hold records which are to survive power failure, and may not be on the disk yet.
    unsynced: Vec<Arc<File>>,
}

impl Lane {
    pub(super) fn new(folder: Arc<PathBuf>, progress: Arc<Progress>, roll: u64) -> Self {
        Self {
            folder,
            progress,
            roll,
            number: 0,
            writer: None,
            next: 1,
            buffer: Vec::with_capacity(2048),
            broken: false,
            unsynced: Vec::new(),
        }
    }

    /// The files that must be on the disk before what was secured of their records may be forgotten.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<File>> {
        std::mem::take(&mut self.unsynced)
    }

    /// Appends a record and answers how many bytes the files grew by. A secured one makes its file one to be synced.
    pub(super) fn append(&mut self, record: Payload<'_>, secured: bool) -> Result<u64, Unrecorded> {
        if self.broken {
            return Err(Unrecorded::Disk(std::io::Error::other("the lane is broken")));
        }
        if !frame::encode(&mut self.buffer, self.next, record) {
            return Err(Unrecorded::TooLarge);
        }
        let (mut writer, mut grown) = match self.writer.take() {
            Some(writer) if writer.length() < self.roll => (writer, 0),
            _ => (self.roll()?, frame::HEADER as u64),
        };
        let appended = writer.append(&self.buffer);
        let file = writer.file();
        if secured && self.unsynced.last().is_none_or(|last| !Arc::ptr_eq(last, file)) {
            self.unsynced.push(file.clone());
        }
        self.writer = Some(writer);
        match appended {
            Ok(()) => {
                grown += self.buffer.len() as u64;
                // Published after the bytes are with the kernel, so that a reader never meets half a frame.
                self.progress.written.store(self.next, Ordering::Release);
                self.next += 1;
                Ok(grown)
            }
            Err(Append::Refused(refused)) => Err(Unrecorded::Disk(refused)),
            Err(Append::Broken(refused)) => {
                self.broken = true;
                Err(Unrecorded::Disk(refused))
            }
        }
    }

    fn roll(&mut self) -> Result<Writer, Unrecorded> {
        let name = Name {
            epoch: self.progress.epoch,
            number: self.number,
        };
        let writer = Writer::create(&self.folder, name, self.next).map_err(|refused| {
            // The number is used again, because a reader goes from one number to the next.
            self.broken = std::fs::remove_file(name.path(&self.folder)).is_err();
            Unrecorded::Disk(refused)
        })?;
        self.number += 1;
        Ok(writer)
    }
}
