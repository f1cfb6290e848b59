//! The audit of this edge: what the request path hands over here survives the death of the process.
//!
//! [`Audit::record`] writes to one of several lanes, each with its own files, so that no request waits for another.
//! [`upload`] reads the files and sends them to the control plane; only what is stored there is deleted. A record is in the
//! kernel's page cache, not on the disk, when `record` returns; who wants it to survive power failure calls [`Audit::secure`]
//! before.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::File,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use opentelemetry::metrics::Counter;
use tokio::sync::Notify;
use turnpike_access::audit::AuditRecord;
use turnpike_proto::audit::write;
use turnpike_runtime::{clock, telemetry::metrics};

use self::{
    frame::Payload,
    lane::Lane,
    losses::{Dropped, Losses},
    strict::{Opening, Strict},
};
pub use self::{open::Opened, recover::Report, strict::Fsync};

mod frame;
mod lane;
mod links;
mod losses;
mod open;
mod recover;
mod segment;
mod strict;
mod tail;
#[cfg(test)]
mod tests;
pub mod upload;

/// What happens when the spool holds as many bytes as it may, because the control plane does not take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum WhenFull {
    /// Requests are refused with 503, so that none goes unrecorded.
    #[default]
    Refuse,
    /// Requests go on; their records are dropped and counted.
    Drop,
}

/// Where the spool is and how much it may hold.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// The folder, made if missing. One process at a time.
    pub folder: PathBuf,
    /// The bound on all files together, in bytes.
    pub max_bytes: u64,
    /// What happens at the bound.
    pub when_full: WhenFull,
    /// How many records can be written at the same time: more than there are threads that write. At most 256.
    pub lanes: usize,
    /// How files get onto the disk, for tenants whose audit is strict.
    pub fsync: Fsync,
}

/// A record was not written. Whoever answers the request must not answer it as if it had been.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// The spool is full, even the part that is kept back for requests under way.
    #[error("the audit spool is full")]
    Full,
    /// The record is larger than a frame may be.
    #[error("the audit record is too large")]
    TooLarge,
    /// The disk refused.
    #[error("the audit spool cannot be written: {0}")]
    Disk(#[source] io::Error),
    /// The disk did not take what must survive power failure.
    #[error("the audit spool cannot be synced to the disk: {0}")]
    Unsynced(#[source] Arc<io::Error>),
}

/// The writing end of the spool, shared by all requests.
#[derive(Debug)]
pub struct Audit {
    lanes: Arc<[Mutex<Lane>]>,
    /// Bytes of all files.
    used: AtomicU64,
    max_bytes: u64,
    when_full: WhenFull,
    /// The last write failed: no new request until one succeeds.
    failing: AtomicBool,
    /// Records written and not yet acknowledged.
    waiting: AtomicU64,
    /// Wakes the upload.
    written: Notify,
    dropped: Counter<u64>,
    losses: Losses,
    strict: Strict,
    /// Held locked for as long as the folder is ours.
    _lock: File,
}

impl Audit {
    /// Whether a new request may be let in. Asked before anything is sent to a provider.
    ///
    /// An eighth of the bound is kept back, for the records of requests that are under way and of those refused.
    pub fn has_room(&self) -> bool {
        match self.when_full {
            WhenFull::Drop => true,
            WhenFull::Refuse => {
                !self.failing.load(Ordering::Relaxed)
                    && self.used.load(Ordering::Relaxed) < self.max_bytes - self.max_bytes / 8
            }
        }
    }

    /// Writes the record. When this returns `Ok`, the record survives the death of this process.
    ///
    /// Call it before the response ends. It takes a few microseconds and never waits for another thread. `secured` says that
    /// [`Self::secure`] was called for it.
    ///
    /// # Errors
    /// The record is not written. With [`WhenFull::Drop`] a record for which there is no room is counted, and that is
    /// not an error.
    pub fn record(&self, record: &AuditRecord, secured: bool) -> Result<(), Unrecorded> {
        let written = self.put(&|out| write(record, out), self.max_bytes, secured);
        if secured && written.is_ok() {
            self.strict.recorded(&record.request_id);
        }
        if written.is_err() {
            self.dropped.add(1, &[]);
            self.losses.count(record.tenant.as_ref(), record.time);
        }
        self.tell_losses(self.losses.due(clock::now));
        self.as_chosen(written)
    }

    /// Returns when the record, or what stands for it until it is whole, survives power failure.
    ///
    /// # Errors
    /// It does not, or there is no room for the record: the answer must not begin, also with [`WhenFull::Drop`].
    pub fn secure(
        &self,
        records: &[(&AuditRecord, bool)],
    ) -> impl Future<Output = Result<(), Unrecorded>> + Send + use<'_> {
        let room = self.used.load(Ordering::Relaxed) < self.max_bytes - self.max_bytes / 8;
        let opening = |(record, whole): &(&AuditRecord, bool)| Opening::of(record, *whole);
        let openings: Vec<Opening> = records.iter().map(opening).collect();
        async move {
            match room {
                true => self.strict.open(openings).await,
                false => Err(Unrecorded::Full),
            }
        }
    }

    /// Whether segments whose records are stored may be deleted: nothing would stand for those records a second time.
    fn may_delete(&self) -> bool {
        let may = self.strict.forget();
        if !may {
            tracing::warn!("the audit cannot be synced to the disk: what is uploaded is not deleted");
        }
        may
    }

    /// Sees to it that what was secured of all that is in the lanes by now is on the disk: it may be uploaded. Else it would be
    /// there twice if the power failed, once as it is stored and once as what stands for it.
    fn settle(&self) -> io::Result<()> {
        self.strict.settle()
    }

    /// What is not written is no error where that was chosen.
    fn as_chosen(&self, written: Result<(), Unrecorded>) -> Result<(), Unrecorded> {
        match (self.when_full, written) {
            (WhenFull::Drop, Err(Unrecorded::Disk(error))) => {
                tracing::error!(%error, "an audit record is lost");
                Ok(())
            }
            (WhenFull::Drop, Err(Unrecorded::Full)) => Ok(()),
            (_, written) => written,
        }
    }

    /// Only writes, and tells nothing of what is lost.
    #[cfg(test)]
    fn append(&self, record: Payload<'_>) -> Result<(), Unrecorded> {
        self.as_chosen(self.put(record, self.max_bytes, false))
    }

    /// Records what was found of earlier processes that is not as it should be.
    ///
    /// # Errors
    /// It is not recorded.
    pub fn tell(&self, report: &Report) -> Result<(), Unrecorded> {
        for record in losses::found(report, clock::now()) {
            self.put(&|out| write(&record, out), self.beyond(), false)?;
        }
        Ok(())
    }

    /// Records how many were dropped. There is a little room for that where there is none for others.
    fn tell_losses(&self, lost: BTreeMap<Option<Arc<str>>, Dropped>) {
        for (tenant, dropped) in lost {
            let record = losses::dropped(tenant.clone(), dropped);
            if self
                .put(&|out| write(&record, out), self.beyond(), false)
                .is_err()
            {
                self.losses.add(tenant, dropped);
            }
        }
    }

    fn beyond(&self) -> u64 {
        self.max_bytes.saturating_add(self.max_bytes / 8)
    }

    fn put(&self, record: Payload<'_>, bound: u64, secured: bool) -> Result<(), Unrecorded> {
        if self.used.load(Ordering::Relaxed) >= bound {
            return Err(Unrecorded::Full);
        }
        // Counted before it is written: from then on it may be acknowledged at any moment.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let appended = self.in_a_free_lane(|lane| lane.append(record, secured));
        self.failing
            .store(matches!(appended, Err(Unrecorded::Disk(_))), Ordering::Relaxed);
        match appended {
            Ok(grown) => {
                self.used.fetch_add(grown, Ordering::Relaxed);
                self.written.notify_one();
                Ok(())
            }
            Err(unrecorded) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Err(unrecorded)
            }
        }
    }

    /// There are more lanes than threads, so one is free but for the moment in which two look at the same one.
    fn in_a_free_lane(
        &self,
        write: impl Fn(&mut Lane) -> Result<u64, Unrecorded>,
    ) -> Result<u64, Unrecorded> {
        let preferred = preferred_lane();
        loop {
            let mut failure = None;
            let mut taken = 0;
            for step in 0..self.lanes.len() {
                let lane = self.lanes.get((preferred + step) % self.lanes.len());
                match lane.map(Mutex::try_lock) {
                    Some(Ok(mut lane)) => match write(&mut lane) {
                        Err(Unrecorded::Disk(error)) => failure = Some(Unrecorded::Disk(error)),
                        done => return done,
                    },
                    Some(Err(TryLockError::WouldBlock)) => taken += 1,
                    // A thread died in it: its file may end anywhere, so it is written to no more.
                    Some(Err(TryLockError::Poisoned(_))) | None => {}
                }
            }
            if taken == 0 {
                let all_dead = || Unrecorded::Disk(io::Error::other("no lane is left"));
                return Err(failure.unwrap_or_else(all_dead));
            }
            std::thread::yield_now();
        }
    }

    /// Waits until something was written since the last call.
    async fn written(&self) {
        self.written.notified().await;
    }

    /// Takes note of what the upload has got rid of.
    fn released(&self, records: u64, bytes: u64) {
        let minus = |by: u64| move |now: u64| Some(now.saturating_sub(by));
        let relaxed = Ordering::Relaxed;
        let _ = self.waiting.fetch_update(relaxed, relaxed, minus(records));
        let _ = self.used.fetch_update(relaxed, relaxed, minus(bytes));
        self.tell_all_losses();
    }

    /// Records what was dropped, however lately the last was told: there is room again, or nothing else will be written.
    fn tell_all_losses(&self) {
        self.tell_losses(self.losses.take());
    }

    /// Records written and not yet stored by the control plane.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Publishes `turnpike.audit.queued`.
    fn observe(self: &Arc<Self>) {
        let audit = Arc::downgrade(self);
        metrics::audit_queued(move || Some(audit.upgrade()?.waiting()));
    }
}

/// Each thread begins to look at a lane of its own, so that threads seldom meet.
fn preferred_lane() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PREFERRED: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
    }
    PREFERRED.with(Cell::get)
}
