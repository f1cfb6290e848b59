//! Publishes what is committed on the bus, in order, signed; and every second, where the log ends.
//!
//! This is latency, not truth: an edge that misses something heals from the control plane over gRPC. Hence the relay
//! starts at the head it finds, and gives a backlog up when the bus was away for long. Of several control planes one
//! publishes, see [`crate::turn`]; what the others commit it hears of from the database. Whoever takes over begins where the one
//! before is known to have come, so that no position is left out; what it says again, the bus drops by the message's id, which
//! is its position, and edges drop what they have.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message as _;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use turnpike_access::log::{Position, Recorded};
use turnpike_proto::sync::v1::{Signed, signed::Kind};
use turnpike_runtime::{
    bus::{BusError, SharedBus},
    clock,
    keyring::authenticator::Authenticator,
    telemetry::metrics,
};

use crate::{
    projection::Projection,
    signing::Signing,
    store::{EventStore, StoreError},
    turn::{Duty, Turn},
};

mod shelve;
#[cfg(test)]
mod tests;

use shelve::Shelving;

/// The most events in one message.
const BATCH_EVENTS: usize = 256;
/// The same, as the store is asked.
const STORE_EVENTS: u32 = BATCH_EVENTS as u32;
/// The most bytes in one message, unless a single event is larger: NATS takes a mebibyte.
const BATCH_BYTES: usize = 512 * 1024;
/// Bytes of an event beside its payload, at most: names, hashes, framing.
const OVERHEAD: usize = 512;
/// The most events that are published late. Beyond it edges are quicker to heal.
const BACKLOG: u64 = 10_000;
/// How often the head is told.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The bus may take so long for one message.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one control plane does for all.
const DUTY: Duty = Duty {
    lease: "relay",
    what: "publishes on the bus",
};

/// Moves events from the store to the bus.
pub(crate) struct Relay {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) bus: SharedBus,
    pub(crate) projection: Arc<Projection>,
    pub(crate) signing: Signing,
    /// Marks the whole states that are put aside on the bus.
    pub(crate) marks: Authenticator,
}

impl Relay {
    /// Publishes until `stop`: always where the bus ends in this process, and else when it is this control plane's turn.
    pub(crate) async fn run_in_turn(self, stop: CancellationToken) {
        let turn = match self.bus.is_shared() {
            true => Turn::shared(DUTY, metrics::relay_active(), self.store.clone()),
            false => Turn::always(DUTY, metrics::relay_active()),
        };
        self.run(turn, stop).await;
    }

    /// Publishes until `stop`, and then what was committed by then, whenever it is this control plane's turn.
    async fn run(self, mut turn: Turn, stop: CancellationToken) {
        let mut heads = self.projection.heads();
        let mut published = heads.borrow_and_update().position;
        let mut shelving = Shelving::on(self.bus.shelf());
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = heads.changed() => if changed.is_err() { break },
                _ = heartbeat.tick() => {
                    turn.ask(published);
                    if turn.is_ours() {
                        let told = self.tell_head().await;
                        turn.went(told, published).await;
                        shelving.consider(&self);
                    }
                }
                () = shelving.goes_on() => {}
                begun = turn.answered() => published = begun.unwrap_or(published),
                () = stop.cancelled() => break,
            }
            published = self.publish_after(published, turn.ours_until()).await;
        }
        published = self.publish_after(published, turn.ours_until()).await;
        turn.give_back(published).await;
    }

    /// Publishes what is committed after a position while it is our turn, and says how far it came.
    async fn publish_after(&self, mut published: Position, until: Option<Instant>) -> Position {
        while until.is_some_and(|until| Instant::now() < until) {
            let head = self.projection.position();
            if head.get().saturating_sub(published.get()) > BACKLOG {
                tracing::warn!(
                    from = published.get(),
                    to = head.get(),
                    "the bus is far behind; leaving the gap to the edges"
                );
                published = head;
            }
            if published >= head {
                return published;
            }
            match self.publish_batch(published).await {
                Ok(last) => published = last,
                Err(error) => {
                    // The next commit or heartbeat tries again.
                    tracing::warn!(%error, "could not publish on the bus");
                    return published;
                }
            }
        }
        published
    }

    /// Publishes the events right after a position, as many as fit, and says which was the last.
    async fn publish_batch(&self, after: Position) -> Result<Position, RelayError> {
        let events = match self.projection.recent(after, BATCH_EVENTS) {
            Some(events) => events,
            None => self.store.read(after, STORE_EVENTS).await?,
        };
        let fitting = fitting(&events);
        let Some(last) = fitting.last().map(|event| event.position) else {
            return Ok(self.projection.position().max(after));
        };
        let body = turnpike_proto::sync::batch(fitting).encode_to_vec();
        let signed = self.signing.sign(Kind::Batch, body);
        match within_patience(self.bus.publish_events(last, message(&signed))).await {
            // It never passes, and those behind it must not wait for it.
            Err(RelayError::Bus(BusError::TooLarge { bytes })) => {
                let position = last.get();
                tracing::warn!(
                    position,
                    bytes,
                    "too large for the bus; leaving it to the edges to fetch"
                );
                Ok(last)
            }
            published => published.map(|()| last),
        }
    }

    /// Whether the bus took it.
    async fn tell_head(&self) -> bool {
        let head = turnpike_proto::sync::head(self.projection.snapshot().head(), clock::now());
        let signed = self.signing.sign(Kind::Head, head.encode_to_vec());
        let told = within_patience(self.bus.publish_head(message(&signed))).await;
        if let Err(error) = &told {
            tracing::debug!(%error, "could not tell the head on the bus");
        }
        told.is_ok()
    }
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the bus: {0}")]
    Bus(#[from] BusError),
    #[error("the bus did not take a message within {} s", PATIENCE.as_secs())]
    TooSlow,
}

fn message(signed: &Signed) -> Bytes {
    signed.encode_to_vec().into()
}

async fn within_patience(publishing: impl Future<Output = Result<(), BusError>>) -> Result<(), RelayError> {
    match timeout(PATIENCE, publishing).await {
        Ok(published) => Ok(published?),
        Err(_) => Err(RelayError::TooSlow),
    }
}

/// The first events that fit into one message; at least one, since it must go somehow.
fn fitting(events: &[Recorded]) -> &[Recorded] {
    let mut bytes = 0;
    let count = events
        .iter()
        .take_while(|event| {
            bytes += event.payload.len() + OVERHEAD;
            bytes <= BATCH_BYTES
        })
        .count();
    events.get(..count.max(1)).unwrap_or(events)
}
