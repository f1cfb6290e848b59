//! Which edges there are, what each has applied, and waiting until all of them have applied a position.
//!
//! What an edge attached to this control plane reports is held here and passed to the store soon after; the store
//! tells of edges that are attached to other control planes.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, interval, sleep, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use turnpike_access::log::Position;
use turnpike_runtime::clock;

mod halted;
mod roster;
#[cfg(test)]
pub(crate) mod tests;

use roster::Roster;
pub use roster::{EdgeState, EdgeStatus};

use crate::{
    projection::Projection,
    store::{EdgeReport, EventStore, StoreError},
};

/// While somebody waits, the store is asked this often about edges attached elsewhere.
const POLL: Duration = Duration::from_millis(50);
/// How often what was reported is passed to the store, at most.
const SAVE_EVERY: Duration = Duration::from_millis(50);
/// After saving, so many times as long as that took passes before the next time …
const SHARE: u32 = 4;
/// … but no longer than this.
const SAVE_AT_LEAST_EVERY: Duration = Duration::from_millis(500);

/// What `wait_applied` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedReceipt {
    /// Whether every edge that may serve anybody has applied the position.
    pub applied: bool,
    /// Every known edge, in the order of their names, and whether it has applied the position.
    pub edges: Vec<(EdgeStatus, bool)>,
}

/// The edges that this installation knows. Clones share one roster.
#[derive(Clone)]
pub struct Edges(Arc<Shared>);

struct Shared {
    store: Arc<dyn EventStore>,
    /// What was decided about edges.
    projection: Arc<Projection>,
    roster: watch::Sender<Roster>,
    unsaved: Notify,
}

impl Edges {
    /// Nobody is attached yet; the store knows who was.
    pub fn new(store: Arc<dyn EventStore>, projection: Arc<Projection>) -> Self {
        Self(Arc::new(Shared {
            store,
            projection,
            roster: watch::Sender::new(Roster::default()),
            unsaved: Notify::new(),
        }))
    }

    /// Takes in what an edge that is attached here says of itself.
    pub fn report(&self, report: EdgeReport) {
        let mut news = false;
        // Only news wakes those who wait; most reports are heartbeats.
        self.0.roster.send_if_modified(|roster| {
            news = roster.take(report);
            news
        });
        if news {
            self.0.unsaved.notify_one();
        }
    }

    /// Every known edge, in the order of their names.
    ///
    /// # Errors
    /// The store cannot say who is attached to other control planes.
    pub async fn list(&self) -> Result<Vec<EdgeStatus>, StoreError> {
        let stored = self.0.store.edges().await?;
        let now = clock::now();
        let mut edges = self.0.roster.borrow().merged(stored, now);
        let decided = self.0.projection.snapshot();
        for edge in &mut edges {
            edge.heed(decided.edges().duty(&edge.report.name));
        }
        Ok(edges)
    }

    /// Forgets an edge that will not come back; one that still reports is known again at once. Says whether it
    /// was known.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn delete(&self, name: &str) -> Result<bool, StoreError> {
        let mut held = false;
        self.0.roster.send_if_modified(|roster| {
            held = roster.forget(name);
            held
        });
        Ok(self.0.store.forget_edge(name).await? || held)
    }

    /// Waits until every edge that may serve anybody has applied a position, or the deadline passes.
    ///
    /// An edge that is silent counts for what it last reported: it is not presumed dead, since it may be serving.
    ///
    /// # Errors
    /// The store cannot say who is attached to other control planes.
    pub async fn wait_applied(
        &self,
        position: Position,
        deadline: Instant,
    ) -> Result<AppliedReceipt, StoreError> {
        let mut news = self.0.roster.subscribe();
        loop {
            let receipt = receipt(self.list().await?, position);
            if receipt.applied || Instant::now() >= deadline {
                return Ok(receipt);
            }
            let look_again = deadline.min(Instant::now() + POLL);
            if news.borrow().is_behind(position) {
                // All are looked at again once the last has come as far, not for each that has. Either way it is time to look.
                let there = news.wait_for(|roster| !roster.is_behind(position));
                let _ = timeout_at(look_again, there).await.map(drop);
            } else {
                // Whoever is waited for is not attached here.
                sleep_until(look_again).await;
            }
        }
    }

    /// Passes reports to the store until `stop`, and then once more.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let mut heartbeat = interval(Duration::from_secs(1));
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.0.unsaved.notified() => {}
                _ = heartbeat.tick() => {}
                () = stop.cancelled() => {}
            }
            let begun = Instant::now();
            self.save().await;
            // Very many edges leave the database to others for most of the time.
            sleep((begun.elapsed() * SHARE).clamp(SAVE_EVERY, SAVE_AT_LEAST_EVERY)).await;
        }
        // What came while the last round was under way: the edges' goodbyes, as often as not.
        self.save().await;
    }

    async fn save(&self) {
        let now = clock::now();
        let due = self.0.roster.borrow().due(now);
        if due.is_empty() {
            return;
        }
        match self.0.store.report_edges(&due).await {
            Ok(()) => {
                self.0.roster.send_if_modified(|roster| {
                    roster.saved(due, now);
                    false
                });
            }
            // They stay due; the next round tries again.
            Err(error) => tracing::warn!(%error, edges = due.len(), "could not save what edges reported"),
        }
    }
}

fn receipt(edges: Vec<EdgeStatus>, position: Position) -> AppliedReceipt {
    let judged: Vec<_> = edges
        .into_iter()
        .map(|edge| {
            let applied = edge.report.position >= position;
            (edge, applied)
        })
        .collect();
    AppliedReceipt {
        applied: judged
            .iter()
            .all(|(edge, applied)| *applied || edge.state.serves_nobody()),
        edges: judged,
    }
}
