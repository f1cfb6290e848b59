//! Records that survive power failure: before the answer begins, what is known of the request is on the disk.
//!
//! A record is whole only when its response ends, so what is known before is written first, an opening, to a journal of its
//! own beside the lanes; one fsync is for all requests that wait for one. The record itself goes the ordinary way. At the next
//! start an opening of which the spool has no record becomes one, with [`Ending::EdgeLost`]: each answer that began has exactly
//! one. An opening may be forgotten when its record's lane was synced, which is done before the journal grows large, before
//! the record is uploaded, and before its segment is deleted.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
};

use bytes::Bytes;
use tokio::sync::oneshot;
use turnpike_access::audit::{AuditRecord, Ending};
use turnpike_proto::audit::encoded;

use super::Unrecorded;

mod journal;
mod recover;

use journal::Journal;
pub(super) use recover::{Openings, recover};

/// The folder of the journal, within the spool's.
const FOLDER: &str = "openings";
/// The most that requests under way may hold in the journal, in bytes.
const LIVE_BYTES: usize = 64 << 20;

type Way = dyn Fn(&File) -> io::Result<()> + Send + Sync;

/// How a file gets onto the disk.
#[derive(Clone)]
pub struct Fsync(Arc<Way>);

impl Fsync {
    /// Any other way, for tests that watch it or let it fail.
    pub fn by(sync: impl Fn(&File) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(sync))
    }

    fn file(&self, file: &File) -> io::Result<()> {
        (self.0)(file)
    }

    /// A file that is new in a folder is there after a power failure only when the folder, too, is on the disk.
    fn folder(&self, folder: &Path) -> io::Result<()> {
        self.file(&File::open(folder)?)
    }
}

impl Default for Fsync {
    fn default() -> Self {
        Self::by(File::sync_data)
    }
}

impl fmt::Debug for Fsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fsync")
    }
}

/// The lanes' files that must be on the disk before openings may be forgotten.
pub(super) type Unsynced = Arc<dyn Fn() -> Vec<Arc<File>> + Send + Sync>;

/// The lanes, as far as they hold what must be on the disk.
struct Lanes {
    unsynced: Unsynced,
    sync: Fsync,
    spool: PathBuf,
    /// They could not be synced: what the kernel has of them may never reach the disk, and a second try would not tell. All that
    /// was secured stays in the journal for the next start, and nothing more is taken.
    lost: Mutex<Option<String>>,
}

impl Lanes {
    fn sync(&self) -> io::Result<()> {
        // Held, so that nobody finds nothing to sync while another is about it.
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = &*lost {
            return Err(io::Error::other(lost.clone()));
        }
        let files = (self.unsynced)();
        if files.is_empty() {
            return Ok(());
        }
        let synced = files.iter().try_for_each(|file| self.sync.file(file));
        let synced = synced.and_then(|()| self.sync.folder(&self.spool));
        synced.inspect_err(|error| *lost = Some(error.to_string()))
    }

    fn lost(&self) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// What is known of a request before its end: its id, and the record that stands for it should the end never be recorded.
pub(super) struct Opening {
    id: Arc<str>,
    bytes: Bytes,
}

impl Opening {
    /// A record that is whole already stands for itself.
    pub(super) fn of(record: &AuditRecord, whole: bool) -> Self {
        let bytes = match whole {
            true => encoded(record),
            false => encoded(&AuditRecord {
                status: 0,
                ending: Ending::EdgeLost,
                ..record.clone()
            }),
        };
        Self {
            id: record.request_id.clone(),
            bytes: Bytes::from(bytes),
        }
    }
}

/// What the journal's thread is asked for.
enum Order {
    /// To write these and to answer when they are on the disk.
    Open(Vec<Opening>, oneshot::Sender<Result<(), Arc<io::Error>>>),
    /// To forget those of which there is a record.
    Forget(mpsc::Sender<bool>),
}

/// What must be on the disk, by request.
#[derive(Default)]
struct Live {
    by_id: HashMap<Arc<str>, Bytes>,
    bytes: usize,
}

impl Live {
    fn insert(&mut self, opening: &Opening) {
        self.bytes += opening.bytes.len();
        let before = self.by_id.insert(opening.id.clone(), opening.bytes.clone());
        self.bytes -= before.map_or(0, |before| before.len());
    }

    fn remove(&mut self, id: &str) {
        self.bytes -= self.by_id.remove(id).map_or(0, |gone| gone.len());
    }
}

/// The openings of this process. Its thread is begun when it is first needed.
pub(super) struct Strict {
    folder: PathBuf,
    base: u64,
    lanes: Arc<Lanes>,
    live: Arc<Mutex<Live>>,
    orders: OnceLock<mpsc::Sender<Order>>,
}

impl Strict {
    /// `base` is the process's, of its epochs.
    pub(super) fn new(spool: &Path, base: u64, sync: Fsync, unsynced: Unsynced) -> Self {
        let lanes = Lanes {
            unsynced,
            sync,
            spool: spool.to_owned(),
            lost: Mutex::default(),
        };
        Self {
            folder: spool.join(FOLDER),
            base,
            lanes: Arc::new(lanes),
            live: Arc::default(),
            orders: OnceLock::new(),
        }
    }

    /// Returns when the openings are on the disk. Waits with all others who want that, for one fsync.
    ///
    /// Whether or not it returns, [`Self::recorded`] is to be called when the record of one is in a lane.
    pub(super) async fn open(&self, openings: Vec<Opening>) -> Result<(), Unrecorded> {
        let ids: Vec<Arc<str>> = openings.iter().map(|opening| opening.id.clone()).collect();
        {
            let mut live = self.live();
            if live.bytes > LIVE_BYTES {
                return Err(Unrecorded::Full);
            }
            openings.iter().for_each(|opening| live.insert(opening));
        }
        let kept = self.keep(openings).await;
        if kept.is_err() {
            ids.iter().for_each(|id| self.recorded(id));
        }
        kept
    }

    async fn keep(&self, openings: Vec<Opening>) -> Result<(), Unrecorded> {
        let (answer, answered) = oneshot::channel();
        // As many wait here as there are requests under way.
        let sent = self.orders()?.send(Order::Open(openings, answer));
        sent.map_err(|_| ended())?;
        match answered.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(Unrecorded::Unsynced(refused)),
            Err(_) => Err(ended()),
        }
    }

    /// The record is in a lane.
    pub(super) fn recorded(&self, id: &str) {
        self.live().remove(id);
    }

    /// Whether a crash would find no opening of a record that was ever recorded. Waits for the disk where there are any.
    pub(super) fn forget(&self) -> bool {
        let Some(orders) = self.orders.get() else {
            return true;
        };
        let (answer, answered) = mpsc::channel();
        orders.send(Order::Forget(answer)).is_ok() && answered.recv().unwrap_or(false)
    }

    /// Whether all that is in the lanes by now is on the disk, as far as it was secured. Waits for the disk.
    pub(super) fn sync_lanes(&self) -> io::Result<()> {
        self.lanes.sync()
    }

    /// The same, for as long as nothing was ever secured without looking at the lanes.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.orders.get().map_or(Ok(()), |_| self.sync_lanes())
    }

    fn live(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn orders(&self) -> Result<&mpsc::Sender<Order>, Unrecorded> {
        if let Some(orders) = self.orders.get() {
            return Ok(orders);
        }
        let (orders, received) = mpsc::channel();
        if self.orders.set(orders).is_ok() {
            let journal = Journal::new(
                self.folder.clone(),
                self.base,
                self.lanes.clone(),
                self.live.clone(),
            );
            let thread = std::thread::Builder::new().name("audit-sync".to_owned());
            thread
                .spawn(move || journal.run(&received))
                .map_err(Unrecorded::Disk)?;
        }
        self.orders.get().ok_or_else(ended)
    }
}

impl fmt::Debug for Strict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strict")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

fn ended() -> Unrecorded {
    Unrecorded::Disk(io::Error::other("the thread that syncs the audit has ended"))
}
