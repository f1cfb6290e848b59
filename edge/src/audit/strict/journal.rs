//! The journal of openings and its one thread, which gathers what waits and syncs once for all of it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use bytes::Bytes;

use super::{Lanes, Live, Opening, Order};
use crate::audit::{
    frame,
    segment::{Append, Name, Writer},
};

/// The journal is begun anew at this many bytes.
const ROLL: u64 = 4 << 20;

pub(super) struct Journal {
    folder: PathBuf,
    base: u64,
    lanes: Arc<Lanes>,
    live: Arc<Mutex<Live>>,
    /// The number of the next file.
    number: u64,
    /// `None`: there is no file, or what is in it is not to be relied on.
    writer: Option<Writer>,
    /// The sequence of the next frame in it.
    next: u64,
    buffer: Vec<u8>,
}

impl Journal {
    pub(super) fn new(folder: PathBuf, base: u64, lanes: Arc<Lanes>, live: Arc<Mutex<Live>>) -> Self {
        Self {
            folder,
            base,
            lanes,
            live,
            number: 0,
            writer: None,
            next: 1,
            buffer: Vec::new(),
        }
    }

    /// Until nobody can ask any more.
    pub(super) fn run(mut self, orders: &mpsc::Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let (mut openings, mut waiting, mut forgetting) = (Vec::new(), Vec::new(), Vec::new());
            for order in std::iter::once(first).chain(orders.try_iter()) {
                match order {
                    Order::Open(more, answer) => {
                        openings.extend(more);
                        waiting.push(answer);
                    }
                    Order::Forget(answer) => forgetting.push(answer),
                }
            }
            let rolled = self.writer.as_ref().is_none_or(|writer| writer.length() > ROLL);
            let kept = match rolled || !forgetting.is_empty() || self.lanes.lost() {
                // These are among those with no record yet.
                true => self.begin(),
                false => self.keep(&openings),
            };
            for answer in forgetting {
                // Whoever asked may have gone.
                let _ = answer.send(kept.is_ok());
            }
            let kept = kept.map_err(Arc::new);
            if let Err(error) = &kept
                && !waiting.is_empty()
            {
                tracing::error!(%error, requests = waiting.len(), "the audit cannot be synced to the disk: strict tenants are refused");
            }
            for answer in waiting {
                let _ = answer.send(kept.clone());
            }
        }
    }

    /// One write and one fsync for all of them.
    fn keep(&mut self, openings: &[Opening]) -> io::Result<()> {
        let wanted: Vec<&Bytes> = {
            let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            // Of the others there is a record already: their clients have gone, and nothing is to stand for them.
            let wanted = openings
                .iter()
                .filter(|opening| live.by_id.contains_key(&opening.id));
            wanted.map(|opening| &opening.bytes).collect()
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer.take().ok_or_else(|| io::Error::other("no journal"))?;
        self.append(&mut writer, wanted.into_iter())?;
        self.lanes.sync.file(writer.file())?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Begins a new file with what has no record yet, and deletes the old ones: what has one is on the disk by then.
    fn begin(&mut self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        // In this order: what is not among them has its record in a lane, and that lane among those synced after.
        let live: Vec<Bytes> = {
            let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            live.by_id.values().cloned().collect()
        };
        self.lanes.sync()?;
        let name = Name {
            epoch: self.base,
            number: self.number,
        };
        self.number += 1;
        self.writer = None;
        self.next = 1;
        let mut writer = Writer::create(&self.folder, name, 1)?;
        self.append(&mut writer, live.iter())?;
        self.lanes.sync.file(writer.file())?;
        self.lanes.sync.folder(&self.folder)?;
        self.writer = Some(writer);
        for older in super::recover::files(&self.folder)? {
            if older.epoch == self.base && older.number < name.number {
                fs::remove_file(older.path(&self.folder))?;
            }
        }
        // Else an old one might be there again, with what was forgotten.
        self.lanes.sync.folder(&self.folder)
    }

    fn append<'b>(
        &mut self,
        writer: &mut Writer,
        openings: impl Iterator<Item = &'b Bytes>,
    ) -> io::Result<()> {
        let mut all = Vec::new();
        for bytes in openings {
            if !frame::encode(&mut self.buffer, self.next, &|out| out.extend_from_slice(bytes)) {
                return Err(io::Error::other("an audit record is too large"));
            }
            all.extend_from_slice(&self.buffer);
            self.next += 1;
        }
        writer
            .append(&all)
            .map_err(|(Append::Refused(refused) | Append::Broken(refused))| refused)
    }
}
