//! What control planes have put aside on a bus for edges that begin, as a test looks at it and puts something else there.

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{sync::mpsc, time::timeout};
use turnpike_runtime::{
    bus::{
        Bus as _,
        nats::{NatsBus, NatsSettings, shelf::Shelf},
    },
    secret::Secret,
};

use crate::{
    eventually::{PATIENCE, eventually},
    nats::Nats,
};

/// The shelf of a bus; the connection lives as long as this.
#[derive(Debug)]
pub struct Looking {
    shelf: Shelf,
    bus: NatsBus,
}

impl Looking {
    /// At a test's own NATS.
    pub async fn at(nats: &Nats) -> Self {
        Self::by(nats.url_by_way_of(nats.address)).await
    }

    /// At this URL, as whoever it says.
    pub async fn by(url: String) -> Self {
        let settings = NatsSettings {
            url: Some(Secret::new(url)),
            ..NatsSettings::default()
        };
        let bus = NatsBus::connect(&settings, "looking").await.expect("settings");
        let bus = bus.expect("a URL");
        let mut state = bus.state();
        state
            .wait_for(|connected| *connected)
            .await
            .expect("a connection");
        Self {
            shelf: bus.shelf().expect("NATS has one"),
            bus,
        }
    }

    /// The pieces of the state that is there, once there is one.
    pub async fn pieces(&self) -> Vec<Bytes> {
        eventually("a state on the bus", async || {
            let found = self.shelf.get().await.map_err(|error| error.to_string())?;
            let mut found = found.ok_or("there is none")?;
            let mut pieces = Vec::new();
            while let Some(piece) = found.next().await.map_err(|error| error.to_string())? {
                pieces.push(piece);
            }
            Ok::<_, String>(pieces)
        })
        .await
    }

    /// Waits until a message of a control plane is heard that was published from now on.
    pub async fn hears(&self) {
        let mut messages = self.bus.subscribe().await.expect("a subscription");
        timeout(PATIENCE, messages.next())
            .await
            .expect("a message in time")
            .expect("a message");
    }

    /// From now on the bus keeps events, if it has not before.
    pub async fn keep_events(&self) {
        self.shelf.last_event().await.expect("a stream of events");
    }

    /// Puts these pieces there.
    pub async fn put(&self, pieces: &[Bytes]) {
        eventually("something else on the bus", async || {
            let (sender, pieces_sent) = mpsc::channel(pieces.len() + 1);
            let all = pieces.iter().cloned().map(Some).chain([None]);
            all.for_each(|piece| sender.try_send(piece).expect("room"));
            self.shelf
                .put(pieces_sent)
                .await
                .map_err(|error| error.to_string())
        })
        .await;
    }
}
