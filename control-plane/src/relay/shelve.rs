//! Puts the whole state aside on the bus now and then, for edges that begin while no control plane answers.
//!
//! What was committed since is not missing for them: the bus keeps the events of the last day, and the state says from which of
//! them on they are new. So a state need not be put there often, and costs a small part of the time at most.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, timeout},
};
use turnpike_access::{log::Position, snapshot::Snapshot};
use turnpike_runtime::{
    bus::{
        BusError,
        nats::shelf::Shelf,
        whole::{self, Title, Unwritten},
    },
    clock,
    keyring::authenticator::Authenticator,
};

use super::Relay;
use crate::{projection::Projection, signing::Signing};

/// After so many changes there is to be a new one.
const CHANGES: u64 = 1000;
/// And after so long, where anything changed.
const PERIOD: Duration = Duration::from_secs(60);
/// And after so long in any case, so that its age tells whether a control plane is alive.
const RENEWED: Duration = Duration::from_mins(15);
/// There is never one sooner than so long after the one before.
const SPACING: Duration = Duration::from_secs(10);
/// Nor sooner than so many times as long as that took.
const SHARE: u32 = 20;
/// It is given up after so long.
const PATIENCE: Duration = Duration::from_mins(5);
/// Pieces on their way to the bus. When it is slow, writing waits.
const AHEAD: usize = 2;

/// What is put aside, and when.
pub(super) struct Shelving {
    /// `None`: the bus keeps nothing.
    shelf: Option<Shelf>,
    putting: Option<(Instant, BoxFuture<'static, Result<Position, BusError>>)>,
    /// Where the last one of ours stands, and since when it is there.
    last: Option<(Position, Instant)>,
    not_before: Option<Instant>,
}

impl Shelving {
    pub(super) fn on(shelf: Option<Shelf>) -> Self {
        Self {
            shelf,
            putting: None,
            last: None,
            not_before: None,
        }
    }

    /// Begins with a new one where one is due.
    pub(super) fn consider(&mut self, relay: &Relay) {
        let now = Instant::now();
        let position = relay.projection.position();
        let (Some(shelf), true) = (&self.shelf, self.is_due(position, now)) else {
            return;
        };
        let putting = put(
            shelf.clone(),
            relay.projection.clone(),
            relay.signing.clone(),
            relay.marks.clone(),
        );
        let putting = async {
            timeout(PATIENCE, putting)
                .await
                .unwrap_or(Err(BusError::TimedOut("the bucket")))
        };
        self.putting = Some((now, Box::pin(putting)));
    }

    fn is_due(&self, position: Position, now: Instant) -> bool {
        if self.putting.is_some() || self.not_before.is_some_and(|moment| now < moment) {
            return false;
        }
        let Some((last, since)) = self.last else {
            return true;
        };
        let changes = position.get().saturating_sub(last.get());
        let age = now.duration_since(since);
        changes >= CHANGES || (changes > 0 && age >= PERIOD) || age >= RENEWED
    }

    /// Ends when one is there, or has failed; never where none is on its way. May be dropped and called again.
    pub(super) async fn goes_on(&mut self) {
        let Some((begun, putting)) = &mut self.putting else {
            return std::future::pending().await;
        };
        let (begun, put) = (*begun, putting.await);
        let now = Instant::now();
        self.putting = None;
        // An attempt that has failed has waited, as a rule, and cost little.
        let cost = put
            .as_ref()
            .map_or(Duration::ZERO, |_| now.duration_since(begun) * SHARE);
        self.not_before = Some(now + SPACING.max(cost));
        match put {
            Ok(position) => {
                tracing::debug!(position = position.get(), "put the state aside on the bus");
                self.last = Some((position, now));
            }
            Err(error) => tracing::warn!(
                %error,
                "could not put the state aside on the bus; edges that begin need a control plane"
            ),
        }
    }
}

/// Puts the present state on the shelf. Where that stands.
async fn put(
    shelf: Shelf,
    projection: Arc<Projection>,
    signing: Signing,
    marks: Authenticator,
) -> Result<Position, BusError> {
    // In this order: what is kept up to here was published, and so is in the state.
    let heard = shelf.last_event().await?;
    let snapshot = projection.snapshot();
    let position = snapshot.position();
    let keys = signing.verifying_keys().into_iter().map(|key| key.key).collect();
    let title = Title::new(snapshot.head(), clock::now(), heard, keys);
    let (pieces, taken) = mpsc::channel(AHEAD);
    let writing = spawn_blocking(move || write(&snapshot, &title, &marks, &pieces));
    let put = shelf.put(taken).await;
    match writing.await {
        Ok(Ok(()) | Err(Unwritten::Gone)) => put.map(|()| position),
        Ok(Err(error)) => Err(BusError::Refused(error.to_string())),
        Err(error) => Err(BusError::Refused(error.to_string())),
    }
}

fn write(
    snapshot: &Snapshot,
    title: &Title,
    marks: &Authenticator,
    pieces: &mpsc::Sender<Option<Bytes>>,
) -> Result<(), Unwritten> {
    let send = |piece| pieces.blocking_send(piece).map_err(|_| Unwritten::Gone);
    whole::write(snapshot, title, marks, |piece| send(Some(piece)))?;
    send(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_is_put_aside_after_changes_or_in_time_and_never_too_often() {
        let begun = Instant::now();
        let (at, later) = (Position::new, |seconds| begun + Duration::from_secs(seconds));
        let mut shelving = Shelving::on(None);
        assert!(shelving.is_due(at(0), begun), "the first one at once");
        shelving.last = Some((at(10), begun));
        shelving.not_before = Some(begun + SPACING);
        assert!(!shelving.is_due(at(10 + CHANGES), later(9)), "too soon");
        assert!(shelving.is_due(at(10 + CHANGES), later(10)));
        assert!(!shelving.is_due(at(11), later(59)));
        assert!(shelving.is_due(at(11), later(60)));
        assert!(!shelving.is_due(at(10), later(899)), "nothing is new");
        assert!(shelving.is_due(at(10), later(900)));
    }
}
