//! The state that a control plane has put aside on the bus, for an edge that has none and that no control plane answers.
//!
//! It is believed for its marks, which only who has the keyring can make, and not for where it lies. What the bus has kept of
//! events since then, signed by the keys that the state names, is folded in before anybody is served: otherwise a revocation of
//! the last minute would be undone. Of how fresh it is nothing is certain, since only a control plane's answer says so; tenants
//! that accept no state of unknown age are not served until there is one.

use std::time::Duration;

use prost::Message as _;
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};
use turnpike_access::{
    codec::{Decoder, Unreadable},
    fold::FoldError,
    id::Timestamp,
    log::{Position, Recorded},
    snapshot::Snapshot,
};
use turnpike_proto::sync::{
    self,
    v1::{Batch, Signed, VerifyingKey, signed::Kind},
};
use turnpike_runtime::{
    bus::{
        BusError,
        nats::shelf::{Pieces, Shelf},
        whole::{Reading, Title, Untrusted},
    },
    clock,
    keyring::authenticator::Authenticator,
    signing::VerifyingKeys,
};

use super::follow::{Incoming, Step, judge};

/// It may take so long; then control planes are asked again.
const PATIENCE: Duration = Duration::from_mins(1);
/// Pieces that wait for the decoder.
const AHEAD: usize = 4;

/// Where there may be such a state, and what is asked of it.
#[derive(Clone)]
pub struct OnBus {
    shelf: Shelf,
    authenticator: Authenticator,
    max_age: Duration,
}

/// A state that may be served by, and whose word counts on the bus from then on.
pub(super) struct Shelved {
    pub(super) snapshot: Snapshot,
    pub(super) keys: VerifyingKeys,
    /// When it was put there, by a control plane's clock.
    pub(super) made: Timestamp,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoState {
    #[error("there is none")]
    Nothing,
    #[error("the bus: {0}")]
    Bus(#[from] BusError),
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("it could not be decoded: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    #[error("it was not there within {} s", PATIENCE.as_secs())]
    TooSlow,
    #[error("it was put there {0} s ago, which is longer than may be")]
    TooOld(u64),
    #[error("events after position {0} are missing on the bus")]
    Gap(Position),
    #[error("the events on the bus do not belong to it")]
    Diverged,
    #[error("its events cannot be folded: {0}")]
    Unfoldable(#[from] FoldError),
    #[error("it stands at position {found}, and this edge has said that it was at {said}")]
    RolledBack { found: Position, said: Position },
}

impl OnBus {
    /// On this shelf, under these marks, and put there at most so long ago.
    pub(crate) fn new(shelf: Shelf, authenticator: Authenticator, max_age: Duration) -> Self {
        Self {
            shelf,
            authenticator,
            max_age: max_age.min(Shelf::KEEPS_EVENTS),
        }
    }

    /// The state with all that the bus knows since, no older than what this edge has said that it was at.
    pub(super) async fn fetch(&self, said: Position) -> Result<Shelved, NoState> {
        timeout(PATIENCE, self.look(said))
            .await
            .unwrap_or(Err(NoState::TooSlow))
    }

    async fn look(&self, said: Position) -> Result<Shelved, NoState> {
        let mut pieces = self.shelf.get().await?.ok_or(NoState::Nothing)?;
        let first = pieces.next().await?.ok_or(Untrusted::CutShort)?;
        let (reading, title) = Reading::begin(self.authenticator.clone(), &first)?;
        let age = clock::now().as_micros().abs_diff(title.made.as_micros());
        // One from the future is as little of a known age as one that is old.
        if u128::from(age) > self.max_age.as_micros() {
            return Err(NoState::TooOld(age / 1_000_000));
        }
        let mut snapshot = read(reading, pieces).await?;
        let keys = keys(&title);
        let mut events = self.shelf.events_after(title.heard).await?;
        while let Some(message) = events.next().await? {
            go_on(&mut snapshot, &keys, &message)?;
        }
        match snapshot.position() {
            found if found < said => Err(NoState::RolledBack { found, said }),
            _ => Ok(Shelved {
                snapshot,
                keys,
                made: title.made,
            }),
        }
    }
}

fn keys(title: &Title) -> VerifyingKeys {
    let key = |key: &Vec<u8>| VerifyingKey {
        id: String::new(),
        key: key.clone(),
    };
    VerifyingKeys::new(title.keys.iter().map(key))
}

/// Reads the lines, each piece once it is known to be authentic. Half a state is never returned.
async fn read(mut reading: Reading, mut pieces: Pieces) -> Result<Snapshot, NoState> {
    let (sender, mut receiver) = mpsc::channel::<bytes::Bytes>(AHEAD);
    // Seconds of work for a large state: not on a thread that answers requests.
    let decoding = spawn_blocking(move || {
        let mut decoder = Decoder::default();
        while let Some(piece) = receiver.blocking_recv() {
            decoder.feed(reading.next(&piece)?)?;
        }
        match reading.is_whole() {
            true => Ok(decoder.finish()?),
            false => Err(NoState::from(Untrusted::CutShort)),
        }
    });
    while let Some(piece) = pieces.next().await? {
        if sender.send(piece).await.is_err() {
            // The decoder gave up; it says why.
            break;
        }
    }
    drop(sender);
    decoding.await?
}

/// Folds what follows in. What is not signed is passed over, as it is when it is heard.
fn go_on(snapshot: &mut Snapshot, keys: &VerifyingKeys, message: &[u8]) -> Result<(), NoState> {
    let Some(events) = signed_events(keys, message) else {
        tracing::warn!("a message that the bus has kept is not believed");
        return Ok(());
    };
    match judge(snapshot.head(), Incoming::Batch(&events)) {
        Step::Ignore => Ok(()),
        Step::Heal => Err(NoState::Gap(snapshot.position())),
        Step::Diverged => Err(NoState::Diverged),
        Step::Apply { skip } => {
            for event in events.get(skip..).unwrap_or_default() {
                snapshot.fold(event)?;
            }
            Ok(())
        }
    }
}

fn signed_events(keys: &VerifyingKeys, message: &[u8]) -> Option<Vec<Recorded>> {
    let signed = Signed::decode(message).ok()?;
    let kind = keys.verify(&signed).ok()?;
    let batch = Batch::decode(signed.body.as_slice())
        .ok()
        .filter(|_| kind == Kind::Batch)?;
    sync::read_batch(batch).ok()
}
