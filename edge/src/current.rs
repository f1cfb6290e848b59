//! The snapshot that requests are judged by: one writer swaps it, every request loads it once.

use std::{
    marker::PhantomData,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use tokio::{sync::watch, time::timeout};
use turnpike_access::{log::Position, snapshot::Snapshot};

use crate::freshness::Freshness;

/// Holds the last good snapshot, or none until the first has come.
#[derive(Debug)]
pub struct Current {
    snapshot: ArcSwapOption<Snapshot>,
    position: watch::Sender<Option<Position>>,
    freshness: Freshness,
    /// Why no request is to be judged at all, where none is.
    closed: ArcSwapOption<&'static str>,
    /// One more for each request under way.
    under_way: Arc<()>,
    /// Closed, with no request under way.
    serves_nobody: AtomicBool,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    _counted: Arc<()>,
}

/// The snapshot of one request.
///
/// It can't be held across an await in a task that may change threads: it is not `Send`, so that such code does not
/// compile. One request, one snapshot, and no old one is kept alive by a slow client. Take what the rest of the
/// request needs out of it.
pub struct Loaded {
    guard: Guard<Option<Arc<Snapshot>>>,
    _stays_here: PhantomData<*const ()>,
}

impl Default for Current {
    fn default() -> Self {
        Self::with(Freshness::default())
    }
}

impl Current {
    /// Nothing yet, and this is to tell how fresh it is.
    pub(crate) fn with(freshness: Freshness) -> Self {
        Self {
            snapshot: ArcSwapOption::empty(),
            position: watch::Sender::new(None),
            freshness,
            closed: ArcSwapOption::empty(),
            under_way: Arc::new(()),
            serves_nobody: AtomicBool::new(false),
        }
    }

    /// The snapshot now; `None`: the edge has never had one and can't decide anything.
    pub fn load(&self) -> Option<Loaded> {
        let guard = self.snapshot.load();
        guard.is_some().then_some(Loaded {
            guard,
            _stays_here: PhantomData,
        })
    }

    /// Why no request is to be judged, whatever the snapshot says: `revoked`, `drained`.
    pub fn closed(&self) -> Option<&'static str> {
        self.closed.load().as_deref().copied()
    }

    /// From now on no request is judged.
    pub(crate) fn close(&self, why: &'static str) {
        self.closed.store(Some(Arc::new(why)));
    }

    /// A request is under way.
    pub(crate) fn enter(&self) -> UnderWay {
        UnderWay {
            _counted: self.under_way.clone(),
        }
    }

    /// How many requests are under way.
    pub(crate) fn under_way(&self) -> usize {
        Arc::strong_count(&self.under_way) - 1
    }

    /// Whether this edge has ended all that it had, and takes nothing new.
    pub(crate) fn serves_nobody(&self) -> bool {
        self.serves_nobody.load(Ordering::Relaxed)
    }

    /// Everything has ended.
    pub(crate) fn rest(&self) {
        self.serves_nobody.store(true, Ordering::Relaxed);
    }

    /// Requests are judged again.
    pub(crate) fn open(&self) {
        // Said before anything is served.
        self.serves_nobody.store(false, Ordering::Relaxed);
        self.closed.store(None);
    }

    /// How far behind the snapshot can be.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// The position now; `None` before the first snapshot.
    pub fn position(&self) -> Option<Position> {
        *self.position.borrow()
    }

    /// Tells of every change of the position, the newest only.
    pub fn positions(&self) -> watch::Receiver<Option<Position>> {
        self.position.subscribe()
    }

    /// Swaps the snapshot. One that stands before the present one is not taken: `false`.
    pub fn store(&self, snapshot: Arc<Snapshot>) -> bool {
        let position = snapshot.position();
        // The watch's lock orders writers; requests do not take it.
        self.position.send_if_modified(|held| {
            let forward = held.is_none_or(|held| held <= position);
            if forward {
                self.snapshot.store(Some(snapshot));
                *held = Some(position);
            }
            forward
        })
    }

    /// Waits until the position is reached, at most so long. Whether it is.
    pub async fn wait_for(&self, position: Position, at_most: Duration) -> bool {
        let mut positions = self.position.subscribe();
        let reached = positions.wait_for(|held| held.is_some_and(|held| held >= position));
        timeout(at_most, reached)
            .await
            .is_ok_and(|changed| changed.is_ok())
    }

    /// A copy to fold on. It shares everything with the one that requests load.
    pub(crate) fn copy(&self) -> Option<Snapshot> {
        self.snapshot.load().as_deref().cloned()
    }
}

impl Deref for Loaded {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        // `load` makes none without a snapshot; the empty one allows nothing.
        static EMPTY: std::sync::LazyLock<Snapshot> = std::sync::LazyLock::new(Snapshot::default);
        self.guard.as_deref().unwrap_or(&EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::sync::tests_log;

    #[test]
    fn writers_that_race_take_no_reader_back_and_what_is_told_is_there() {
        let mut state = Snapshot::default();
        let mut states = Vec::new();
        for event in tests_log(400) {
            state.fold(&event).expect("folds");
            states.push(Arc::new(state.clone()));
        }
        let end = state.position();
        let current = Current::default();
        thread::scope(|threads| {
            for first in 0..2 {
                let (current, states) = (&current, &states);
                threads.spawn(move || {
                    for state in states.iter().skip(first).step_by(2) {
                        current.store(state.clone());
                    }
                });
            }
            for _ in 0..3 {
                threads.spawn(|| {
                    let mut before = Position::ZERO;
                    while before < end {
                        let told = current.position().unwrap_or_default();
                        let loaded = current.load().map_or(Position::ZERO, |state| state.position());
                        assert!(loaded >= told, "{told} was told, {loaded} is there");
                        assert!(loaded >= before, "{loaded} after {before}");
                        before = loaded;
                    }
                });
            }
        });
        assert_eq!(current.position(), Some(end));
    }
}
