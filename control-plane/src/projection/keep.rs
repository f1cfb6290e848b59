//! Saving the fold now and then, so that the next start is quick. It never holds up a change.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{codec, log::Position, snapshot::Snapshot};

use super::Projection;
use crate::store::EventStore;

/// Saved after so many events …
const EVENTS: u64 = 10_000;
/// … or after so long, if anything changed.
const AFTER: Duration = Duration::from_secs(600);
/// How often the number of events is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Saves until `stop`, and then once more.
pub(crate) async fn keep(store: Arc<dyn EventStore>, projection: Arc<Projection>, stop: CancellationToken) {
    let mut saved = projection.position();
    let mut since = tokio::time::Instant::now();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = stop.cancelled() => break,
        }
        let behind = projection.position().get().saturating_sub(saved.get());
        if behind >= EVENTS || (behind > 0 && since.elapsed() >= AFTER) {
            saved = save(&*store, projection.snapshot()).await.unwrap_or(saved);
            since = tokio::time::Instant::now();
        }
    }
    if projection.position() > saved {
        save(&*store, projection.snapshot()).await;
    }
}

/// Saves a fold and says at which position; a failure costs the next start some time and nothing else.
async fn save(store: &dyn EventStore, snapshot: Arc<Snapshot>) -> Option<Position> {
    let head = snapshot.head();
    let encode = move || {
        let mut text = Vec::new();
        codec::encode(&snapshot, |line| {
            text.extend_from_slice(line);
            Ok::<_, serde_json::Error>(())
        })?;
        Ok::<_, serde_json::Error>(text)
    };
    let text = match tokio::task::spawn_blocking(encode).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the fold could not be written down");
            return None;
        }
        Err(error) => {
            tracing::warn!(%error, "writing the fold down broke off");
            return None;
        }
    };
    match store.save_snapshot(head, text.into()).await {
        Ok(()) => {
            tracing::info!(position = head.position.get(), "saved the fold");
            Some(head.position)
        }
        Err(error) => {
            tracing::warn!(%error, "the fold could not be saved");
            None
        }
    }
}
