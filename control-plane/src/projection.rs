//! The newest committed state, for everybody in this process who reads it.
//!
//! The writer alone publishes; it publishes nothing that is not committed. Readers load it once per request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use tokio::{sync::watch, time::Instant};
use turnpike_access::{
    log::{Head, Position, Recorded},
    snapshot::Snapshot,
};

pub(crate) mod keep;
pub(crate) mod load;

/// So many of the newest events are at hand …
const TAIL_EVENTS: usize = 8192;
/// … and so many bytes of their payloads.
const TAIL_BYTES: usize = 8 << 20;

/// The newest committed state and the news of it.
pub struct Projection {
    current: ArcSwap<Snapshot>,
    heads: watch::Sender<Head>,
    complete: Mutex<Option<Instant>>,
    tail: Mutex<Tail>,
}

/// The last events of the log, without a gap; whoever passes them on need not ask the store for them.
#[derive(Default)]
struct Tail {
    events: VecDeque<Recorded>,
    bytes: usize,
}

impl Projection {
    /// Starts from a state that was loaded.
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self {
            heads: watch::Sender::new(snapshot.head()),
            current: ArcSwap::from_pointee(snapshot),
            complete: Mutex::default(),
            tail: Mutex::default(),
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

    /// What was committed after a position, at most so much of it, where it is all at hand; else the store has it.
    pub(crate) fn recent(&self, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        self.tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .after(after, limit)
    }

    /// Makes a committed state the newest one; `events` are those that led to it.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>, events: &[Recorded]) {
        let head = snapshot.head();
        self.current.store(snapshot);
        self.tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(events);
        self.heads.send_replace(head);
    }
}

impl Tail {
    fn add(&mut self, events: &[Recorded]) {
        for event in events {
            let follows = self
                .events
                .back()
                .is_some_and(|last| last.position.next() == event.position);
            if !follows {
                *self = Self::default();
            }
            self.bytes += event.payload.len();
            self.events.push_back(event.clone());
        }
        while self.events.len() > TAIL_EVENTS || self.bytes > TAIL_BYTES {
            let Some(oldest) = self.events.pop_front() else {
                return;
            };
            self.bytes -= oldest.payload.len();
        }
    }

    fn after(&self, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        let first = self.events.front()?.position.get();
        let skip = after.next().get().checked_sub(first)?;
        let found = self.events.iter().skip(usize::try_from(skip).ok()?);
        let found: Vec<_> = found.take(limit).cloned().collect();
        (!found.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests;
