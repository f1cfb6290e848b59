//! One file of the spool: its name, how it is appended to, and how it is read back.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::frame::{self, Found, Header};

/// Which segment: the run of a lane and the number of the file within it, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) epoch: u64,
    pub(super) number: u64,
}

impl Name {
    pub(super) fn path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{}.seg", self.epoch, self.number))
    }

    pub(super) fn parse(file: &Path) -> Option<Self> {
        let (epoch, number) = file
            .file_name()?
            .to_str()?
            .strip_suffix(".seg")?
            .split_once('-')?;
        Some(Self {
            epoch: epoch.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<File>,
    length: u64,
}

impl Writer {
    /// Makes a new file; an existing one of that name is never touched.
    pub(super) fn create(folder: &Path, name: Name, first: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(name.path(folder))?;
        let header = Header {
            epoch: name.epoch,
            first,
        };
        file.write_all(&header.encode())?;
        Ok(Self {
            file: Arc::new(file),
            length: frame::HEADER as u64,
        })
    }

    /// For whoever wants it on the disk.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The file's length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Hands a frame to the kernel: from then on it outlives this process, though not yet a power failure.
    ///
    /// # Errors
    /// The file is as it was before; or, where even that failed, [`Append::Broken`]: write to it no more.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), Append> {
        match (&*self.file).write_all(frame) {
            Ok(()) => {
                self.length += frame.len() as u64;
                Ok(())
            }
            // Half a frame may be there, on a full disk for one. The next must not come after it.
            Err(refused) => match self.file.set_len(self.length) {
                Ok(()) => Err(Append::Refused(refused)),
                Err(_) => Err(Append::Broken(refused)),
            },
        }
    }
}

/// Why a frame was not appended.
#[derive(Debug)]
pub(super) enum Append {
    Refused(io::Error),
    Broken(io::Error),
}

/// Reads a segment from its beginning, frame by frame, also while it is being written.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    /// What was read and not yet taken: `buffer[taken..]`.
    buffer: Vec<u8>,
    taken: usize,
    /// The sequence of the next frame.
    next: u64,
    /// Bytes of the file up to the end of the last frame taken.
    offset: u64,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Next {
    /// The record of this sequence, as it was encoded, and the bytes that its frame took.
    Record(u64, Bytes, usize),
    /// The file ends here, between two frames.
    End,
    /// The file ends within a frame.
    Torn,
    /// What follows is not a frame.
    Damaged,
}

impl Reader {
    /// Opens a segment and reads its header; `None`: it has none, or another's.
    pub(super) fn open(folder: &Path, name: Name) -> io::Result<Option<Self>> {
        let mut file = File::open(name.path(folder))?;
        let mut header = Vec::with_capacity(frame::HEADER);
        Read::by_ref(&mut file)
            .take(frame::HEADER as u64)
            .read_to_end(&mut header)?;
        Ok(Header::decode(&header)
            .filter(|header| header.epoch == name.epoch)
            .map(|header| Self {
                file,
                buffer: Vec::new(),
                taken: 0,
                next: header.first,
                offset: frame::HEADER as u64,
            }))
    }

    /// The sequence of the next frame.
    pub(super) fn sequence(&self) -> u64 {
        self.next
    }

    /// Bytes of the file up to the end of the last frame taken.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next frame.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        self.step(Bytes::copy_from_slice)
    }

    /// Passes over the next frame; `false`: there is none that is whole.
    pub(super) fn pass(&mut self) -> io::Result<bool> {
        Ok(matches!(self.step(|_| Bytes::new())?, Next::Record(..)))
    }

    fn step(&mut self, keep: impl Fn(&[u8]) -> Bytes) -> io::Result<Next> {
        loop {
            let rest = self.buffer.get(self.taken..).unwrap_or_default();
            match frame::decode(rest, self.next) {
                Found::Frame(record, length) => {
                    let (sequence, record) = (self.next, keep(record));
                    self.taken += length;
                    self.offset += length as u64;
                    self.next += 1;
                    return Ok(Next::Record(sequence, record, length));
                }
                Found::Damaged => return Ok(Next::Damaged),
                Found::Short => {}
            }
            if !self.read_more()? {
                let torn = self.buffer.len() > self.taken;
                return Ok(if torn { Next::Torn } else { Next::End });
            }
        }
    }

    fn read_more(&mut self) -> io::Result<bool> {
        const CHUNK: u64 = 128 * 1024;
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let read = Read::by_ref(&mut self.file)
            .take(CHUNK)
            .read_to_end(&mut self.buffer)?;
        Ok(read > 0)
    }
}
