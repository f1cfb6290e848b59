//! The newest committed state, for everybody in this process who reads it.
//!
//! The writer alone publishes; it publishes nothing that is not committed. Readers load it once per request.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::{sync::watch, time::Instant};
use turnpike_access::{
    log::{Head, Position},
    snapshot::Snapshot,
};

pub(crate) mod keep;
pub(crate) mod load;

/// The newest committed state and the news of it.
pub struct Projection {
    current: ArcSwap<Snapshot>,
    heads: watch::Sender<Head>,
    complete: Mutex<Option<Instant>>,
}

impl Projection {
    /// Starts from a state that was loaded.
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self {
            heads: watch::Sender::new(snapshot.head()),
            current: ArcSwap::from_pointee(snapshot),
            complete: Mutex::default(),
        }
    }

    /// The newest committed state that this process knows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The position of that state.
    pub fn position(&self) -> Position {
        self.heads.borrow().position
    }

    /// Wakes whoever waits for the head to move. Steps in between may be missed; the newest never is.
    pub(crate) fn heads(&self) -> watch::Receiver<Head> {
        self.heads.subscribe()
    }

    /// When the store was last asked and had nothing newer: what was committed before that, by whomever, is in the state.
    /// Ask this first and for the state after, never the other way.
    pub(crate) fn complete_as_of(&self) -> Option<Instant> {
        *self.complete.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store was asked at this moment and had nothing newer.
    pub(crate) fn is_complete_as_of(&self, asked: Instant) {
        *self.complete.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
    }

    /// Makes a committed state the newest one.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        let head = snapshot.head();
        self.current.store(snapshot);
        self.heads.send_replace(head);
    }
}
