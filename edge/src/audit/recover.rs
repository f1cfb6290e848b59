//! What an earlier process left in the spool: which records are whole, and what had to be cut off or set aside.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    lane::Progress,
    links,
    segment::{Name, Reader},
    tail::Tail,
};

/// What was found of earlier processes.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) tails: Vec<Tail>,
    /// Bytes of all segments that stay.
    pub(super) bytes: u64,
    /// The newest epoch seen; every new one must be beyond it.
    pub(super) newest_epoch: u64,
    pub(super) report: Report,
}

/// What start-up has to tell.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whole records found, to be uploaded now.
    pub records: u64,
    /// Answers that had begun and of whose end there was no record, recorded now: of tenants whose audit is strict.
    pub unfinished: u64,
    /// Bytes of unfinished frames cut off the end. Their requests had not been answered.
    pub torn_bytes: u64,
    /// Files set aside because they are damaged where they had been whole. They hold lost records.
    pub set_aside: Vec<PathBuf>,
}

/// Reads every segment of the folder, cuts torn ends off and sets damaged files aside.
pub(super) fn recover(folder: &Arc<PathBuf>) -> io::Result<Recovered> {
    let mut epochs: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut linked = Vec::new();
    for entry in fs::read_dir(folder.as_path())? {
        let path = entry?.path();
        linked.extend(links::epoch_of(&path));
        if let Some(name) = Name::parse(&path) {
            epochs.entry(name.epoch).or_default().push(name.number);
        }
    }
    for epoch in linked.into_iter().filter(|epoch| !epochs.contains_key(epoch)) {
        links::forget(folder, epoch);
    }
    let mut recovered = Recovered::default();
    for (epoch, mut numbers) in epochs {
        numbers.sort_unstable();
        recovered.newest_epoch = recovered.newest_epoch.max(epoch);
        recovered.add_epoch(folder, epoch, &numbers)?;
    }
    Ok(recovered)
}

impl Recovered {
    /// An epoch is whole up to the first file that is not; what comes after that cannot be sent in order any more.
    fn add_epoch(&mut self, folder: &Arc<PathBuf>, epoch: u64, numbers: &[u64]) -> io::Result<()> {
        let mut start = None;
        let mut expected = None;
        let mut whole = true;
        for (index, &number) in numbers.iter().enumerate() {
            let name = Name { epoch, number };
            let last = index + 1 == numbers.len();
            let scanned = if whole {
                scan(folder, name, expected)?
            } else {
                None
            };
            let Some(scanned) = scanned else {
                self.dismiss(folder, name, last && whole)?;
                whole = false;
                continue;
            };
            if scanned.surplus > 0 {
                self.cut(folder, name, &scanned, last)?;
                whole = last;
            }
            start.get_or_insert((number, scanned.first));
            expected = Some(scanned.next);
            self.bytes += scanned.length;
            self.report.records += scanned.next - scanned.first;
        }
        if let (Some((number, first)), Some(next)) = (start, expected) {
            let progress = Arc::new(Progress::new(epoch, next - 1));
            let mut tail = Tail::new(folder.clone(), progress, true, number, first);
            // An epoch without a single record is done before it begins.
            self.bytes -= tail.acknowledge(0, || true).min(self.bytes);
            if !tail.is_done() {
                self.tails.push(tail);
            }
        }
        Ok(())
    }

    /// A newest file that is all torn never held an answered request; any other one did.
    fn dismiss(&mut self, folder: &Path, name: Name, newest: bool) -> io::Result<()> {
        let path = name.path(folder);
        let length = fs::metadata(&path)?.len();
        if newest && length < super::frame::HEADER as u64 {
            self.report.torn_bytes += length;
            return fs::remove_file(path);
        }
        self.set_aside(&path)
    }

    fn cut(&mut self, folder: &Path, name: Name, scanned: &Scanned, newest: bool) -> io::Result<()> {
        let path = name.path(folder);
        if newest {
            self.report.torn_bytes += scanned.surplus;
        } else {
            // What is cut here had been followed by another file, so it had been whole: keep it for a person.
            let copy = path.with_extension("damaged");
            fs::copy(&path, &copy)?;
            self.report.set_aside.push(copy);
        }
        OpenOptions::new()
            .write(true)
            .open(&path)?
            .set_len(scanned.length)
    }

    fn set_aside(&mut self, path: &Path) -> io::Result<()> {
        let aside = path.with_extension("damaged");
        fs::rename(path, &aside)?;
        self.report.set_aside.push(aside);
        Ok(())
    }
}

/// One segment: its frames are whole up to `length`, and `surplus` bytes follow that are not.
struct Scanned {
    first: u64,
    next: u64,
    length: u64,
    surplus: u64,
}

/// `None`: not a segment, or not the one that has to come here.
fn scan(folder: &Path, name: Name, expected: Option<u64>) -> io::Result<Option<Scanned>> {
    let Some(mut reader) = Reader::open(folder, name)? else {
        return Ok(None);
    };
    let first = reader.sequence();
    if expected.is_some_and(|expected| expected != first) {
        return Ok(None);
    }
    while reader.pass()? {}
    let length = reader.offset();
    Ok(Some(Scanned {
        first,
        next: reader.sequence(),
        length,
        surplus: fs::metadata(name.path(folder))?.len().saturating_sub(length),
    }))
}
