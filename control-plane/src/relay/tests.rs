//! What is committed, as it is heard on a bus within the process.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use prost::Message as _;
use tempfile::tempdir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use turnpike_access::log::{Position, Recorded};
use turnpike_proto::sync::{
    read_batch, read_head,
    v1::{Batch, Head, Signed, signed::Kind},
};
use turnpike_runtime::{
    bus::{Bus as _, Messages, local::LocalBus, whole},
    keyring::Keyring,
    signing::VerifyingKeys,
};

use super::{BATCH_BYTES, OVERHEAD, Relay, fitting};
use crate::{
    fixture::{Core, create_team},
    signing::Signing,
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one listener hears; the relay's task ends with the test.
struct Heard {
    messages: Messages,
    keys: VerifyingKeys,
    stop: CancellationToken,
}

impl Heard {
    #[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
    async fn of(core: &Core) -> Self {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let signing = Signing::load(&*core.store, &keyring).await.unwrap();
        let keys = VerifyingKeys::new(signing.verifying_keys());
        let bus = LocalBus::new();
        let messages = bus.subscribe().await.unwrap();
        let stop = CancellationToken::new();
        let relay = Relay {
            store: core.store.clone(),
            bus: Arc::new(bus),
            projection: core.projection.clone(),
            signing,
            marks: whole::authenticator(&keyring),
        };
        tokio::spawn(relay.run_in_turn(stop.clone()));
        Self { messages, keys, stop }
    }

    /// The next message, its signature verified.
    async fn next(&mut self) -> (Kind, Signed) {
        let message = timeout(PATIENCE, self.messages.next()).await.unwrap().unwrap();
        let signed = Signed::decode(message).unwrap();
        (self.keys.verify(&signed).unwrap(), signed)
    }

    /// The events of the next batch.
    async fn next_events(&mut self) -> Vec<Recorded> {
        loop {
            let (kind, signed) = self.next().await;
            if kind == Kind::Batch {
                let batch = Batch::decode(signed.body.as_slice()).unwrap();
                return read_batch(batch).unwrap();
            }
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn what_is_committed_is_published_in_order_and_signed() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let mut head = core.bootstrap().await.snapshot.head();
    let mut heard = Heard::of(&core).await;
    // The heartbeat says that the relay has begun.
    let (kind, signed) = heard.next().await;
    assert_eq!(kind, Kind::Head);
    let said = Head::decode(signed.body.as_slice()).unwrap();
    assert_eq!(read_head(&said).unwrap().0, head);

    let teams = (0..600)
        .map(|number| create_team(&format!("team-{number}")))
        .collect();
    let done = core.ask_as_root("platform", teams).await.unwrap();
    while head != done.snapshot.head() {
        for event in heard.next_events().await {
            event.follows(head).unwrap();
            head = event.head();
        }
    }
}

#[tokio::test]
async fn the_head_is_told_again_though_nothing_changes() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let mut heard = Heard::of(&core).await;
    for _ in 0..2 {
        let (kind, _) = heard.next().await;
        assert_eq!(kind, Kind::Head);
    }
}

#[tokio::test]
async fn a_message_has_a_limit_and_yet_at_least_one_event() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    let mut events = core.store.read(Position::ZERO, 3).await.unwrap();
    assert_eq!(fitting(&events).len(), 3);
    events[1].payload = "x".repeat(BATCH_BYTES - OVERHEAD).into();
    assert_eq!(fitting(&events).len(), 1);
    assert_eq!(fitting(&events[1..]).len(), 1);
    events[1].payload = "x".repeat(BATCH_BYTES * 2).into();
    assert_eq!(fitting(&events[1..]).len(), 1);
    assert!(fitting(&[]).is_empty());
}
