//! The state that this edge holds, and the only one who writes it. Knows no network.

use std::sync::Arc;

use opentelemetry::metrics::{Gauge, Histogram};
use turnpike_access::{
    fold::FoldError,
    id::Timestamp,
    log::{Head, Position, Recorded},
    snapshot::Snapshot,
};
use turnpike_runtime::telemetry::metrics;

use super::follow::{Incoming, Step, judge};
use crate::{
    current::Current,
    freshness::Moment,
    kept::{Found, Handle},
};

/// Folds what comes in on a private copy and swaps it in once.
pub(super) struct Replica {
    current: Arc<Current>,
    snapshot: Option<Snapshot>,
    /// Behind an event that this build cannot interpret: nothing is folded until a newer build runs.
    halted: Option<String>,
    /// Where it is kept on disk, if it is.
    disk: Option<Handle>,
    delay: Histogram<f64>,
    position: Gauge<u64>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Folded in; the position has moved.
    Applied,
    /// Nothing new, or nothing that may be folded.
    Unchanged,
    /// Ask the control plane for what is missing.
    Missing,
    /// What is held here and what the control plane says do not belong together; why.
    Diverged(String),
}

impl Replica {
    pub(super) fn new(current: Arc<Current>) -> Self {
        let watched = Arc::downgrade(&current);
        metrics::snapshot_age(move || {
            let current = watched.upgrade()?;
            let freshness = current.freshness();
            // Nothing was ever certain: then it is as old as this run.
            Some(freshness.age().unwrap_or(freshness.since_start()).as_secs_f64())
        });
        Self {
            snapshot: current.copy(),
            current,
            halted: None,
            disk: None,
            delay: metrics::propagation_delay(),
            position: metrics::snapshot_position(),
        }
    }

    /// Where the state stands; `None` before there is any.
    pub(super) fn head(&self) -> Option<Head> {
        self.snapshot.as_ref().map(Snapshot::head)
    }

    /// What requests are judged by.
    pub(super) fn current(&self) -> Arc<Current> {
        self.current.clone()
    }

    /// The position that may be said to be applied: in force, and not to be undone by a restart.
    pub(super) fn applied(&self) -> Option<Position> {
        let position = self.head()?.position;
        Some(self.disk.as_ref().map_or(position, |disk| disk.may_say(position)))
    }

    /// Takes what an earlier run left.
    pub(super) fn restore(&mut self, found: Found) {
        self.current.freshness().restore(found.certain);
        self.publish(found.snapshot);
    }

    /// Keeps the state on disk from now on.
    pub(super) fn keep_with(&mut self, handle: Handle) {
        self.disk = Some(handle);
    }

    /// Waits until the disk has moved, and hands over what it is missing. Nothing ever where nothing is kept.
    pub(super) async fn kept(&mut self) {
        match &mut self.disk {
            Some(disk) => disk.moved().await,
            None => std::future::pending().await,
        }
        if let (Some(disk), Some(snapshot)) = (&mut self.disk, &self.snapshot) {
            disk.catch_up(snapshot);
        }
    }

    /// Why the state stands still for good, where it does.
    pub(super) fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Takes a message as [`judge`] says. `now` is for the metric alone.
    pub(super) fn take(&mut self, incoming: Incoming<'_>, now: Timestamp) -> Outcome {
        let Some(head) = self.head() else {
            return Outcome::Unchanged;
        };
        if self.halted.is_some() {
            return Outcome::Unchanged;
        }
        match (judge(head, incoming), incoming) {
            (Step::Apply { skip }, Incoming::Batch(events)) => {
                self.fold(events.get(skip..).unwrap_or_default(), now)
            }
            (Step::Heal, _) => Outcome::Missing,
            (Step::Diverged, _) => Outcome::Diverged(format!(
                "another event than ours stands at position {}",
                head.position
            )),
            (Step::Ignore | Step::Apply { .. }, _) => Outcome::Unchanged,
        }
    }

    /// Everything before an event that cannot be folded is in force; that event and all after it are not.
    fn fold(&mut self, events: &[Recorded], now: Timestamp) -> Outcome {
        let Some(mut next) = self.snapshot.clone() else {
            return Outcome::Unchanged;
        };
        let mut folded = 0;
        let failure = events.iter().find_map(|event| match next.fold(event) {
            Ok(()) => {
                folded += 1;
                None
            }
            Err(failure) => Some(failure),
        });
        if folded > 0 {
            self.publish(next);
            let folded = events.get(..folded).unwrap_or_default();
            if let (Some(disk), Some(snapshot)) = (&mut self.disk, &self.snapshot) {
                disk.keep(folded, snapshot);
            }
            for event in folded {
                self.delay
                    .record(seconds(event.origin.time.as_micros(), now), &[]);
            }
        }
        match failure {
            None => Outcome::Applied,
            Some(FoldError::Unknown(unknown)) => {
                tracing::error!(
                    error = %unknown, position = ?self.head().map(|head| head.position),
                    "stopped before an event of a newer version; the last good state stays in force. \
                     Upgrade this edge, it goes on from there"
                );
                self.halted = Some(unknown.to_string());
                Outcome::Unchanged
            }
            Some(broken @ (FoldError::Chain(_) | FoldError::Inconsistent { .. })) => {
                Outcome::Diverged(broken.to_string())
            }
        }
    }

    /// Takes a whole snapshot of the control plane's, unless it stands before ours.
    pub(super) fn replace(&mut self, snapshot: Snapshot) -> bool {
        let forward = self
            .head()
            .is_none_or(|held| held.position <= snapshot.position());
        if forward {
            self.halted = None;
            self.publish(snapshot);
            if let (Some(disk), Some(snapshot)) = (&mut self.disk, &self.snapshot) {
                disk.replace(snapshot);
            }
        }
        forward
    }

    fn publish(&mut self, snapshot: Snapshot) {
        self.position.record(snapshot.position().get(), &[]);
        self.current.store(Arc::new(snapshot.clone()));
        self.snapshot = Some(snapshot);
    }

    /// Everything committed by this moment is in force; not where the state stands still before what is.
    pub(super) fn confirm(&self, moment: Moment) {
        if self.halted.is_none() {
            self.current.freshness().confirm(moment);
        }
    }
}

/// From a time in microseconds since 1970 until now; 0 where two clocks disagree on which came first.
fn seconds(micros: i64, now: Timestamp) -> f64 {
    let passed = now.as_micros().saturating_sub(micros);
    passed.max(0) as f64 / 1e6
}

#[cfg(test)]
mod tests;
