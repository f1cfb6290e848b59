//! The access state as it was: at any position of the log, or at any moment.
//!
//! A past state is put together like the present one at start: from the nearest saved fold before it and the events
//! after that. What was put together is remembered for a while, since questions about one moment come together. That costs
//! memory and time, so that it is done for one caller at a time, and only so many may wait.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Mutex as Turn, Semaphore};
use turnpike_access::{
    fold::FoldError,
    id::Timestamp,
    log::{Position, Recorded},
    snapshot::Snapshot,
};

use crate::{
    projection::{Projection, load},
    store::{EventStore, StoreError},
};

#[cfg(test)]
mod tests;

/// Events read at a time.
const READ_LIMIT: u32 = 5_000;
/// Progress is logged every so many events.
const PROGRESS_EVERY: u64 = 50_000;
/// A remembered state is gone on from where at most so many events are missing; beyond that a saved fold may be nearer.
const NEAR: u64 = 10_000;
/// Calls that may wait for their past. Beyond it they are told [`HistoryError::Busy`].
const WAITING_LIMIT: usize = 16;
/// States that are remembered …
const REMEMBERED: usize = 8;
/// … as long as they hold no more credentials than this together; the newest one is remembered in any case.
const REMEMBERED_CREDENTIALS: usize = 1_000_000;

/// A point of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Right after this event.
    Position(Position),
    /// After the last event that was made by then. Where the clocks of control planes differ, the log's order counts.
    Time(Timestamp),
}

/// Why a past state could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log holds an event that this build cannot take in, or its chain is broken.
    #[error("the event log cannot be read: {0}")]
    Fold(#[from] FoldError),
    /// It lies in the future.
    #[error("the log ends at position {end}; position {asked} is not there yet")]
    NotYet {
        /// What was asked for.
        asked: Position,
        /// What there is.
        end: Position,
    },
    /// Others are waiting already.
    #[error("too many are asking for the past at once; try again in a moment")]
    Busy,
    /// The work on it ended without a result.
    #[error("putting the past together broke off")]
    BrokenOff,
}

/// Past states. Clones share what is remembered.
#[derive(Clone)]
pub struct History {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn EventStore>,
    projection: Arc<Projection>,
    recent: Mutex<VecDeque<Arc<Snapshot>>>,
    waiting: Semaphore,
    turn: Turn<()>,
}

impl History {
    /// The history of a store whose present is `projection`.
    pub fn new(store: Arc<dyn EventStore>, projection: Arc<Projection>) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                projection,
                recent: Mutex::default(),
                waiting: Semaphore::new(WAITING_LIMIT),
                turn: Turn::new(()),
            }),
        }
    }

    /// The state at a point of the past. Where that is the present, it is the very state that everybody reads.
    ///
    /// # Errors
    /// See [`HistoryError`]. Dropping the future ends the work after the events that it is at.
    pub async fn at(&self, moment: Moment) -> Result<Arc<Snapshot>, HistoryError> {
        let shared = &self.shared;
        let position = match moment {
            Moment::Position(position) => position,
            Moment::Time(time) => shared.position_at(time).await?,
        };
        if let Some(known) = shared.known(position) {
            return Ok(known);
        }
        let end = shared
            .projection
            .position()
            .max(shared.store.head().await?.position);
        if position > end {
            return Err(HistoryError::NotYet { asked: position, end });
        }
        let _waiting = shared.waiting.try_acquire().map_err(|_| HistoryError::Busy)?;
        let _turn = shared.turn.lock().await;
        // Whoever had the turn before may have wanted the same.
        if let Some(known) = shared.known(position) {
            return Ok(known);
        }
        let state = Arc::new(shared.put_together(position).await?);
        shared.remember(state.clone());
        Ok(state)
    }

    /// The position of the last event that was made by a time.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn position_at(&self, time: Timestamp) -> Result<Position, StoreError> {
        self.shared.position_at(time).await
    }

    /// When the event at a position was made; `None` before the first event and after the last.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn time_of(&self, position: Position) -> Result<Option<Timestamp>, StoreError> {
        let Some(before) = position.get().checked_sub(1) else {
            return Ok(None);
        };
        let found = self.shared.store.read(Position::new(before), 1).await?;
        Ok(found.first().map(|event| event.origin.time))
    }
}

impl Shared {
    async fn position_at(&self, time: Timestamp) -> Result<Position, StoreError> {
        let (mut made, mut later) = (0, self.store.head().await?.position.get() + 1);
        while later - made > 1 {
            let middle = made + (later - made) / 2;
            let found = self.store.read(Position::new(middle - 1), 1).await?;
            match found.first() {
                Some(event) if event.origin.time <= time => made = middle,
                _ => later = middle,
            }
        }
        Ok(Position::new(made))
    }

    fn known(&self, position: Position) -> Option<Arc<Snapshot>> {
        let present = self.projection.snapshot();
        if present.position() == position {
            return Some(present);
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let place = recent.iter().position(|state| state.position() == position)?;
        let state = recent.remove(place)?;
        recent.push_front(state.clone());
        Some(state)
    }

    fn remember(&self, state: Arc<Snapshot>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_front(state);
        let held = |recent: &VecDeque<Arc<Snapshot>>| -> usize {
            recent.iter().map(|state| state.credential_count()).sum()
        };
        while recent.len() > 1 && (recent.len() > REMEMBERED || held(&recent) > REMEMBERED_CREDENTIALS) {
            recent.pop_back();
        }
    }

    /// The remembered state that `position` is nearest after.
    fn remembered_before(&self, position: Position) -> Option<Snapshot> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let before = recent.iter().filter(|state| state.position() <= position);
        let nearest = before.max_by_key(|state| state.position())?;
        let missing = position.get() - nearest.position().get();
        (missing <= NEAR).then(|| Snapshot::clone(nearest))
    }

    async fn put_together(&self, position: Position) -> Result<Snapshot, HistoryError> {
        let mut state = match self.remembered_before(position) {
            Some(state) => state,
            None => load::saved(&*self.store, position).await?,
        };
        let mut told = state.position().get();
        while state.position() < position {
            let mut events = self.store.read(state.position(), READ_LIMIT).await?;
            events.retain(|event| event.position <= position);
            if events.is_empty() {
                // The database was put back to an earlier time since its end was asked for.
                let end = state.position();
                return Err(HistoryError::NotYet { asked: position, end });
            }
            state = fold(state, events).await?;
            let reached = state.position().get();
            if reached >= told + PROGRESS_EVERY {
                told = reached;
                tracing::info!(
                    position = reached,
                    until = position.get(),
                    "putting a past state together"
                );
            }
        }
        Ok(state)
    }
}

/// Folding takes time that no other call should wait for.
async fn fold(mut state: Snapshot, events: Vec<Recorded>) -> Result<Snapshot, HistoryError> {
    let folding = tokio::task::spawn_blocking(move || {
        events.iter().try_for_each(|event| state.fold(event))?;
        Ok(state)
    });
    folding.await.map_err(|_| HistoryError::BrokenOff)?
}
