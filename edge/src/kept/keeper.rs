//! Keeps the disk behind the state that is in force, at the disk's own pace: nothing that a request or a change waits for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    log::{Position, Recorded},
    snapshot::Snapshot,
};

use super::Files;
use crate::current::Current;

/// Batches that wait for the disk. When it is slower, the whole state is written once it has caught up.
const WAITING: usize = 256;
/// How often it is noted as of when the state is certain.
const NOTE_EVERY: Duration = Duration::from_secs(2);
/// After the disk has refused, it is tried again with a whole state.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What the disk is to hold.
enum Kept {
    Events(Vec<Recorded>),
    Whole(Snapshot),
}

/// What a restart would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Disk {
    /// Where the state stands that is there.
    at: Option<Position>,
    /// A whole state is wanted.
    wanted: bool,
    /// Nothing is taken for now: it has refused.
    refused: bool,
}

/// The follower's end.
pub(crate) struct Handle {
    sender: mpsc::Sender<Kept>,
    disk: watch::Receiver<Disk>,
    /// The last position in force; whatever the edge says of itself is at most this.
    applied: Arc<AtomicU64>,
    /// Whether what was handed over leads without a gap to what is in force.
    following: bool,
}

impl Handle {
    /// Hands over what has come into force.
    pub(crate) fn keep(&mut self, events: &[Recorded], snapshot: &Snapshot) {
        self.applied.store(snapshot.position().get(), Ordering::SeqCst);
        if self.disk.borrow().refused {
            self.following = false;
        }
        if self.following {
            self.hand_over(Kept::Events(events.to_vec()));
        }
    }

    /// Hands a whole state over.
    pub(crate) fn replace(&mut self, snapshot: &Snapshot) {
        self.applied.store(snapshot.position().get(), Ordering::SeqCst);
        self.hand_over(Kept::Whole(snapshot.clone()));
    }

    /// The disk has moved: a whole state, where one is missing.
    pub(crate) fn catch_up(&mut self, snapshot: &Snapshot) {
        let Disk { wanted, refused, .. } = *self.disk.borrow_and_update();
        if wanted || !(self.following || refused) {
            self.replace(snapshot);
        }
    }

    /// Waits until the disk has moved.
    pub(crate) async fn moved(&mut self) {
        if self.disk.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// How far the edge may say that it is, at a position.
    pub(crate) fn may_say(&self, applied: Position) -> Position {
        self.disk.borrow().at.map_or(applied, |at| applied.min(at))
    }

    /// Where there is no room, the disk is behind; it says when it has moved.
    fn hand_over(&mut self, kept: Kept) {
        self.following = !matches!(self.sender.try_send(kept), Err(TrySendError::Full(_)));
    }
}

/// The disk's end.
pub(crate) struct Keeper {
    files: Option<Files>,
    current: Arc<Current>,
    received: mpsc::Receiver<Kept>,
    disk: watch::Sender<Disk>,
    applied: Arc<AtomicU64>,
}

impl Keeper {
    /// Both ends. `at` is where the files stand, if they hold a state.
    pub(crate) fn new(files: Files, at: Option<Position>, current: Arc<Current>) -> (Handle, Self) {
        let (sender, received) = mpsc::channel(WAITING);
        let (disk, moves) = watch::channel(Disk {
            at,
            ..Disk::default()
        });
        let applied = Arc::new(AtomicU64::new(at.map_or(0, Position::get)));
        let handle = Handle {
            sender,
            disk: moves,
            applied: applied.clone(),
            following: at.is_some(),
        };
        let keeper = Self {
            files: Some(files),
            current,
            received,
            disk,
            applied,
        };
        (handle, keeper)
    }

    /// Keeps until `done`, and then what has been handed over by then.
    pub(crate) async fn run(mut self, done: CancellationToken) {
        let mut note = interval(NOTE_EVERY);
        note.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refused: Option<Instant> = None;
        loop {
            tokio::select! {
                kept = self.received.recv() => match kept {
                    Some(kept) => {
                        self.write(kept).await;
                        if self.disk.borrow().refused && refused.is_none() {
                            refused = Some(Instant::now());
                        }
                    }
                    None => return,
                },
                _ = note.tick() => self.note().await,
                () = done.cancelled(), if !self.received.is_closed() => self.received.close(),
            }
            if refused.take_if(|at| at.elapsed() >= TRY_AGAIN).is_some() {
                self.disk.send_replace(Disk {
                    wanted: true,
                    ..Disk::default()
                });
            }
        }
    }

    /// What has been handed over by now, for tests that decide when the disk works; and, where that is so, as of when it is
    /// certain.
    #[cfg(test)]
    pub(crate) async fn turn(&mut self) {
        while let Ok(kept) = self.received.try_recv() {
            self.write(kept).await;
        }
        self.note().await;
    }

    /// Writes what was handed over, with all that waits behind it.
    async fn write(&mut self, first: Kept) {
        let mut whole = None;
        let mut events = Vec::new();
        let mut next = Some(first);
        while let Some(kept) = next {
            match kept {
                Kept::Events(more) => events.extend(more),
                // Whatever came before it is in it.
                Kept::Whole(snapshot) => {
                    events.clear();
                    whole = Some(snapshot);
                }
            }
            next = self.received.try_recv().ok();
        }
        if let Some(snapshot) = whole {
            self.replace(snapshot).await;
        }
        // What follows nothing on the disk is not kept.
        if self.disk.borrow().at.is_none() {
            return;
        }
        let Some(last) = events.last().map(|event| event.position) else {
            return;
        };
        let append = move |files: &mut Files| files.append(&events).map(|()| files.is_long());
        if let Some(wanted) = self.with(append).await {
            self.disk.send_replace(Disk {
                at: Some(last),
                wanted,
                refused: false,
            });
        }
    }

    async fn replace(&mut self, snapshot: Snapshot) {
        let at = Some(snapshot.position());
        let now = Disk {
            at,
            ..Disk::default()
        };
        let before = self.disk.borrow().at;
        let said = match before {
            // Nothing beyond the state that is there was said.
            Some(before) => before,
            // The edge has said what it liked. From here on it says no more than this state holds; and what it has said
            // is at most what is in force, which the witness is told first, so that this state is not served by until it
            // has come that far.
            None => {
                self.disk.send_replace(now);
                Position::new(self.applied.load(Ordering::SeqCst))
            }
        };
        if self
            .with(move |files| files.replace(&snapshot, said))
            .await
            .is_some()
        {
            self.disk.send_replace(now);
        }
    }

    /// Only where all that is in force is on the disk, asked in this order.
    async fn note(&mut self) {
        let certain = self.current.freshness().certain();
        let applied = Position::new(self.applied.load(Ordering::SeqCst));
        let at = self.disk.borrow().at;
        if let Some(certain) = certain.filter(|_| at.is_some_and(|at| at >= applied)) {
            self.with(move |files| files.certain(certain)).await;
        }
    }

    /// Has work done on the files, where it may block. What fails takes the state away: it could not follow any more.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Files) -> std::io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let mut files = self.files.take()?;
        let done = spawn_blocking(move || {
            let done = work(&mut files);
            if let Err(error) = &done {
                tracing::error!(%error, "cannot keep the state on disk: make room in the data folder, or mend it; until then a restart waits for a control plane");
                files.discard();
            }
            (files, done.ok())
        });
        let (files, done) = done.await.ok()?;
        self.files = Some(files);
        if done.is_none() {
            self.disk.send_replace(Disk {
                refused: true,
                ..Disk::default()
            });
        }
        done
    }
}
