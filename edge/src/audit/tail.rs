//! Reads one epoch of the spool from its oldest record on, across its segments, and forgets what is acknowledged.
//!
//! Sending is left to [`super::upload`]. A record may be read again after [`Tail::rewind`], for it may be sent again. The
//! chain is computed here and not where requests write: the spool has the same bytes, and no request waits for a hash.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use turnpike_access::audit::chain::{Leaf, Link};

use super::{
    frame,
    lane::Progress,
    links,
    segment::{Name, Next, Reader},
};

/// Consecutive records of one epoch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) epoch: u64,
    pub(super) first: u64,
    /// As they were encoded when they were written.
    pub(super) records: Vec<Bytes>,
    /// The chain before the first and after the last; `None` where its beginning is lost.
    pub(super) links: Option<(Link, Link)>,
}

impl Run {
    /// The sequence of the last record.
    pub(super) fn last(&self) -> u64 {
        self.first + self.records.len() as u64 - 1
    }
}

/// A segment that was read to its end.
#[derive(Debug, Clone, Copy)]
struct Passed {
    number: u64,
    /// Its last sequence.
    last: u64,
    /// The chain before it.
    start: Option<Link>,
}

/// How much goes into one [`Run`]. A single record is taken whatever its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// The reading end of a lane, or of what an earlier process left.
#[derive(Debug)]
pub(super) struct Tail {
    folder: Arc<PathBuf>,
    progress: Arc<Progress>,
    /// Nobody writes to this epoch any more.
    finished: bool,
    /// Segments read to their end and not yet deleted.
    behind: VecDeque<Passed>,
    /// The segment that is read now.
    number: u64,
    /// The chain before that segment, and after the last record that was read in it.
    start: Option<Link>,
    link: Option<Link>,
    reader: Option<Reader>,
    /// The sequence of the next record to read.
    next: u64,
    /// Every record up to here is stored by the control plane.
    acknowledged: u64,
}

impl Tail {
    /// Reads the epoch from the segment of this number on, whose first record has this sequence.
    pub(super) fn new(
        folder: Arc<PathBuf>,
        progress: Arc<Progress>,
        finished: bool,
        number: u64,
        first: u64,
    ) -> Self {
        let start = links::before(&folder, progress.epoch, number);
        Self {
            folder,
            progress,
            finished,
            behind: VecDeque::new(),
            number,
            start,
            link: start,
            reader: None,
            next: first,
            acknowledged: first.saturating_sub(1),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.progress.epoch
    }

    /// How many records wait for their acknowledgement.
    pub(super) fn waiting(&self) -> u64 {
        self.progress.written().saturating_sub(self.acknowledged)
    }

    /// Every record up to here is stored by the control plane.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether there is something to read.
    pub(super) fn has_more(&self) -> bool {
        self.next <= self.progress.written()
    }

    /// How many records can be read.
    pub(super) fn unread(&self) -> u64 {
        (self.progress.written() + 1).saturating_sub(self.next)
    }

    /// Whether it is all acknowledged and nothing will come.
    pub(super) fn is_done(&self) -> bool {
        self.finished && self.waiting() == 0
    }

    /// The last sequence that is wholly in the files.
    pub(super) fn written(&self) -> u64 {
        self.progress.written()
    }

    /// The next records up to a sequence, `None` where there are none now.
    pub(super) fn read(&mut self, bounds: Bounds, up_to: u64) -> io::Result<Option<Run>> {
        let written = self.written().min(up_to);
        let first = self.next;
        let mut before = None;
        let mut records = Vec::new();
        let mut bytes = 0;
        while self.next <= written && records.len() < bounds.records && bytes < bounds.bytes {
            let (record, length, link) = self.read_one()?;
            if records.is_empty() {
                before = link;
            }
            records.push(record);
            bytes += length;
        }
        let links = before.zip(self.link);
        Ok((!records.is_empty()).then(|| Run {
            epoch: self.epoch(),
            first,
            records,
            links,
        }))
    }

    /// The record, the bytes that it takes, and the chain before it. Only called where it is known to be written.
    fn read_one(&mut self) -> io::Result<(Bytes, usize, Option<Link>)> {
        loop {
            let name = self.name(self.number);
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => {
                    let opened = Reader::open(&self.folder, name)?.ok_or_else(|| damaged(name))?;
                    self.reader.insert(opened)
                }
            };
            match reader.next()? {
                Next::Record(sequence, record, length) if sequence <= self.next => {
                    let before = self.link;
                    self.link = before.map(|link| link.after(sequence, Leaf::of(&record)));
                    // After a rewind others come first: read before, and acknowledged meanwhile.
                    if sequence == self.next {
                        self.next += 1;
                        return Ok((record, length, before));
                    }
                }
                // The record is written, but not here: the lane has gone on to its next file.
                Next::End => {
                    self.behind.push_back(Passed {
                        number: self.number,
                        last: self.next - 1,
                        start: self.start,
                    });
                    self.number += 1;
                    self.start = self.link;
                    self.reader = None;
                }
                Next::Record(..) | Next::Torn | Next::Damaged => return Err(damaged(name)),
            }
        }
    }

    /// Takes note of what is stored, and deletes the segments that hold nothing else. Answers the bytes freed.
    /// `may_delete` is asked before.
    pub(super) fn acknowledge(&mut self, stored: u64, may_delete: impl Fn() -> bool) -> u64 {
        // Never beyond what was sent, whatever the other side claims.
        self.acknowledged = self.acknowledged.max(stored.min(self.next - 1));
        let mut freed = 0;
        let passed = self.behind.front();
        let passed = passed.is_some_and(|passed| passed.last <= self.acknowledged);
        if (passed || self.is_done()) && !may_delete() || passed && !self.keep_links() {
            return freed;
        }
        while let Some(passed) = self
            .behind
            .pop_front_if(|passed| passed.last <= self.acknowledged)
        {
            freed += self.delete(passed.number);
        }
        if self.is_done() {
            self.reader = None;
            freed += self.delete(self.number);
            links::forget(&self.folder, self.epoch());
        }
        freed
    }

    /// Of the segments that are deleted next, too: a crash may come before they are.
    fn keep_links(&self) -> bool {
        let passed = self.behind.iter().map(|passed| (passed.number, passed.start));
        let all = passed.chain([(self.number, self.start)]);
        let known: BTreeMap<u64, Link> = all.filter_map(|(number, link)| Some((number, link?))).collect();
        match links::keep(&self.folder, self.epoch(), &known) {
            Ok(()) => true,
            Err(refused) => {
                // The segments stay, and are deleted with the next that is acknowledged.
                tracing::warn!(error = %refused, "cannot note how far the audit's chain is");
                false
            }
        }
    }

    /// Says that nobody writes any more.
    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    /// Goes back to the first record that is not acknowledged.
    pub(super) fn rewind(&mut self) {
        self.next = self.acknowledged + 1;
        self.reader = None;
        if let Some(oldest) = self.behind.front() {
            self.number = oldest.number;
            self.start = oldest.start;
        }
        self.link = self.start;
        self.behind.clear();
    }

    fn delete(&self, number: u64) -> u64 {
        let path = self.name(number).path(&self.folder);
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        match fs::remove_file(&path) {
            Ok(()) => length,
            Err(refused) if refused.kind() == io::ErrorKind::NotFound => 0,
            Err(refused) => {
                // It is sent again at the next start, which changes nothing.
                tracing::warn!(path = %path.display(), error = %refused, "cannot delete an uploaded audit segment");
                0
            }
        }
    }

    fn name(&self, number: u64) -> Name {
        Name {
            epoch: self.epoch(),
            number,
        }
    }
}

fn damaged(name: Name) -> io::Error {
    let Name { epoch, number } = name;
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "audit segment {epoch}-{number} is damaged where it had been whole (frames of at most {} bytes)",
            frame::LARGEST
        ),
    )
}
