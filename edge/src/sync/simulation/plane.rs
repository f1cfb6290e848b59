//! A control plane as edges see it: what it knows of the log, and what it answers. It may know less than the others.

use std::collections::VecDeque;

/// A stream that an edge holds open.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Which of the edge's streams it is; 0: none.
    pub(super) id: u64,
    waiting: VecDeque<(u64, u64)>,
    settled: u64,
    /// Nothing overtakes on a stream.
    pub(super) last_notice: u64,
}

#[derive(Debug)]
pub(super) struct Plane {
    /// So many events are in its state.
    pub(super) known: usize,
    /// When the store was last asked and had nothing newer.
    pub(super) complete: Option<u64>,
    /// So many events were published.
    pub(super) published: usize,
    /// Whether it reaches the database.
    pub(super) has_store: bool,
    pub(super) streams: Vec<Stream>,
}

impl Plane {
    pub(super) fn new(known: usize, edges: usize) -> Self {
        Self {
            known,
            complete: None,
            published: known,
            has_store: true,
            streams: (0..edges).map(|_| Stream::default()).collect(),
        }
    }
}

impl Stream {
    pub(super) fn of(id: u64) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    pub(super) fn hear(&mut self, number: u64, now: u64) {
        self.waiting.push_back((number, now));
    }

    /// The newest report that had come when the store was last asked, as `control-plane/src/rpc/sync/attach.rs` says it.
    pub(super) fn heard(&mut self, complete: Option<u64>) -> u64 {
        while let Some((number, _)) = self.waiting.pop_front_if(|(_, came)| Some(*came) <= complete) {
            self.settled = number;
        }
        self.settled
    }
}
