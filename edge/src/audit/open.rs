//! Opens the spool: takes the folder for this process alone, recovers what is left in it, and lays out the lanes.

use std::{
    fs::{self, File, TryLockError},
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
};

use tokio::sync::Notify;
use turnpike_runtime::telemetry::metrics;

use super::{
    Audit, Fsync, Report, SpoolSettings,
    lane::{Lane, Progress},
    losses::Losses,
    recover::recover,
    strict::{self, Strict},
    tail::Tail,
};

/// A segment is closed at this many bytes, or earlier in a small spool.
const LARGEST_SEGMENT: u64 = 16 << 20;

/// A spool that is ready.
#[derive(Debug)]
pub struct Opened {
    /// The writing end.
    pub audit: Arc<Audit>,
    /// The reading end, for [`super::upload`].
    pub reader: SpoolReader,
    /// What earlier processes left.
    pub report: Report,
}

/// The reading end of the whole spool; there is one.
#[derive(Debug)]
pub struct SpoolReader {
    pub(super) tails: Vec<Tail>,
}

impl Audit {
    /// Opens the spool. `now_us` is the time in microseconds since 1970, from which the new epochs are named.
    ///
    /// # Errors
    /// The folder cannot be made, read or written, or another process has it.
    pub fn open(settings: &SpoolSettings, now_us: u64) -> io::Result<Opened> {
        fs::create_dir_all(&settings.folder)?;
        let lock = lock(settings)?;
        let folder = Arc::new(settings.folder.clone());
        let mut recovered = recover(&folder)?;
        let openings = strict::recover(&folder)?;

        let count = settings.lanes.clamp(1, 256);
        // The low eight bits are the lane. A clock that went back must not give an epoch that is in use.
        let base = (now_us << 8).max((recovered.newest_epoch | 0xff) + 1);
        // Half of the bound at most is in segments that are not closed, and so cannot be deleted yet.
        let roll = (settings.max_bytes / (2 * count as u64)).min(LARGEST_SEGMENT);
        let mut tails = recovered.tails;
        let waiting = tails.iter().map(Tail::waiting).sum();
        let mut lanes = Vec::with_capacity(count);
        for lane in 0..count as u64 {
            let progress = Arc::new(Progress::new(base | lane, 0));
            tails.push(Tail::new(folder.clone(), progress.clone(), false, 0, 1));
            lanes.push(Mutex::new(Lane::new(folder.clone(), progress, roll)));
        }
        let lanes: Arc<[Mutex<Lane>]> = lanes.into();
        let strict = Strict::new(&folder, base, settings.fsync.clone(), unsynced(lanes.clone()));
        let audit = Arc::new(Self {
            lanes,
            used: AtomicU64::new(recovered.bytes),
            max_bytes: settings.max_bytes,
            when_full: settings.when_full,
            failing: AtomicBool::new(false),
            waiting: AtomicU64::new(waiting),
            written: Notify::new(),
            dropped: metrics::audit_dropped(),
            losses: Losses::default(),
            strict,
            _lock: lock,
        });
        recovered.report.unfinished = audit.conclude(&openings, &settings.fsync)?;
        audit.observe();
        Ok(Opened {
            audit,
            reader: SpoolReader { tails },
            report: recovered.report,
        })
    }
}

impl Audit {
    /// Makes records of what stands for answers whose end nobody recorded, and answers how many there are.
    fn conclude(&self, openings: &strict::Openings, fsync: &Fsync) -> io::Result<u64> {
        for record in &openings.unfinished {
            self.put(&|out| out.extend_from_slice(record), self.beyond(), true)
                .map_err(io::Error::other)?;
        }
        self.strict.sync_lanes()?;
        openings.forget(fsync)?;
        Ok(openings.unfinished.len() as u64)
    }
}

fn unsynced(lanes: Arc<[Mutex<Lane>]>) -> strict::Unsynced {
    let of = |lane: &Mutex<Lane>| {
        lane.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_unsynced()
    };
    Arc::new(move || lanes.iter().flat_map(of).collect())
}

fn lock(settings: &SpoolSettings) -> io::Result<File> {
    let path = settings.folder.join("lock");
    let file = File::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("another process uses {}", settings.folder.display()),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
