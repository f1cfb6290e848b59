//! The bus over NATS: events through a JetStream stream, heads over core NATS.
//!
//! The stream gives the publisher an acknowledgement; subscribers do not read it. They hold a plain subscription,
//! which is the quickest and leaves nothing on the server that could be wrong or lost. The stream is made when it is
//! missing, at any time.
//!
//! Beside it whole states are kept, see [`shelf`].
//!
//! Rights that a NATS user needs are in `deploy/nats/accounts.conf`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, Event,
    client::PublishErrorKind as HeadErrorKind,
    connection::State,
    jetstream::{
        self,
        context::{PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{sync::watch, time::timeout};
use turnpike_access::log::Position;

use super::{Bus, BusError, Messages};
use crate::retry::Backoff;

mod names;
mod servers;
mod settings;
pub mod shelf;

pub use settings::{InvalidNatsSettings, NatsSettings};

use self::{names::Names, servers::Servers, shelf::Shelf};

/// The stream's time to acknowledge. Short, since a stream that is gone while there are subscribers shows only in that
/// nothing answers.
const ACKNOWLEDGEMENT: Duration = Duration::from_millis(800);
/// The server's time for any other answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How many messages wait for a slow subscriber; beyond it new ones are dropped, and healed. At half a mebibyte for
/// the largest, 128 MiB.
const WAITING: usize = 256;
/// How many commands wait for a connection that is not there. Publishing is refused then, so they are few.
const COMMANDS: usize = 256;

/// A client of NATS that connects, and connects again, by itself for as long as it or a subscription lives.
#[derive(Debug)]
pub struct NatsBus {
    client: Client,
    jetstream: jetstream::Context,
    names: Names,
    replicas: u8,
    place: Arc<str>,
    connected: watch::Receiver<bool>,
    /// Whether the stream was seen on this connection. What is behind the next one may be another server.
    stream_seen: Arc<AtomicBool>,
}

impl NatsBus {
    /// Begins to connect, and does not wait for it; nothing where no URL is set. `name` is what the server shows for
    /// this client.
    ///
    /// # Errors
    /// Names the setting to change.
    pub async fn connect(settings: &NatsSettings, name: &str) -> Result<Option<Self>, InvalidNatsSettings> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        let names = Names::new(&settings.prefix)?;
        let servers = Servers::parse(url)?;
        let place: Arc<str> = servers.places().into();
        let (connects, connected) = watch::channel(false);
        let connects = Arc::new(connects);
        let stream_seen = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stream_seen);
        let told = Arc::clone(&place);
        let options = settings
            .connect_options(&servers)?
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_delay)
            .request_timeout(Some(ANSWER))
            .subscription_capacity(WAITING)
            .client_capacity(COMMANDS)
            .event_callback(move |event| {
                heed(&event, &told, &connects, &seen);
                std::future::ready(())
            });
        let connecting = options.connect(servers.addresses).await;
        let client = connecting.map_err(|error| InvalidNatsSettings::Url(error.to_string()))?;
        Ok(Some(Self {
            jetstream: jetstream::new(client.clone()),
            client,
            names,
            replicas: settings.replicas,
            place,
            connected,
            stream_seen,
        }))
    }

    /// Whether there is a connection, now and from now on.
    pub fn state(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Rather than let messages pile up that are old when they are sent.
    fn must_be_connected(&self) -> Result<(), BusError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(BusError::Disconnected(Arc::clone(&self.place))),
        }
    }

    /// Makes the stream, or makes it what it should be.
    async fn ensure_stream(&self) -> Result<(), BusError> {
        let config = self.names.stream_config(self.replicas);
        let made = self.jetstream.create_or_update_stream(config).await;
        made.map_err(|error| BusError::Refused(format!("the stream {}: {error}", self.names.stream)))?;
        self.stream_seen.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn publish_once(&self, last: Position, message: Bytes) -> Result<(), PublishError> {
        let message = PublishMessage::build()
            .payload(message)
            .message_id(last.get().to_string());
        let taken = self
            .jetstream
            .send_publish(self.names.events.clone(), message)
            .await?;
        let acknowledged = timeout(ACKNOWLEDGEMENT, taken.into_future()).await;
        acknowledged
            .unwrap_or_else(|_| Err(PublishError::new(PublishErrorKind::TimedOut)))
            .map(drop)
    }
}

#[async_trait]
impl Bus for NatsBus {
    fn is_shared(&self) -> bool {
        true
    }

    fn shelf(&self) -> Option<Shelf> {
        Some(Shelf::of(self))
    }

    async fn publish_events(&self, last: Position, message: Bytes) -> Result<(), BusError> {
        self.must_be_connected()?;
        let bytes = message.len();
        if !self.stream_seen.load(Ordering::Relaxed) {
            self.ensure_stream().await?;
        }
        let published = match self.publish_once(last, message.clone()).await {
            Err(error) if is_gone(error.kind()) => {
                // Also for the next call, should the caller lose patience with this one.
                self.stream_seen.store(false, Ordering::Relaxed);
                self.ensure_stream().await?;
                self.publish_once(last, message).await
            }
            published => published,
        };
        published.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge { bytes },
            PublishErrorKind::TimedOut => BusError::TimedOut("the stream's acknowledgement"),
            _ => BusError::Refused(error.to_string()),
        })
    }

    async fn publish_head(&self, message: Bytes) -> Result<(), BusError> {
        self.must_be_connected()?;
        let bytes = message.len();
        let sent = self.client.publish(self.names.head.clone(), message).await;
        sent.map_err(|error| match error.kind() {
            HeadErrorKind::MaxPayloadExceeded => BusError::TooLarge { bytes },
            _ => BusError::Refused(error.to_string()),
        })
    }

    async fn subscribe(&self) -> Result<Messages, BusError> {
        let refused = |error: &dyn std::error::Error| BusError::Refused(error.to_string());
        let mut connected = self.connected.clone();
        if connected.wait_for(|connected| *connected).await.is_err() {
            return Err(BusError::Disconnected(Arc::clone(&self.place)));
        }
        let subscribed = self.client.subscribe(self.names.both.clone()).await;
        let heard = subscribed.map_err(|error| refused(&error))?;
        // A question that nobody answers: the server says so after it has taken the subscription. Where it may not be
        // asked, the subscription is merely a moment later than we say.
        drop(self.client.request(self.client.new_inbox(), Bytes::new()).await);
        let ours = [self.names.events.clone(), self.names.head.clone()];
        let heard = heard.filter_map(move |message| {
            let is_ours = ours.iter().any(|subject| *subject == *message.subject);
            std::future::ready(is_ours.then_some(message.payload))
        });
        Ok(heard.boxed())
    }
}

/// Keeps what the client tells about its connection, and tells people what follows from it.
fn heed(event: &Event, place: &str, connected: &watch::Sender<bool>, stream_seen: &AtomicBool) {
    match event {
        Event::Connected => {
            stream_seen.store(false, Ordering::Relaxed);
            tracing::info!(nats = place, "connected to the bus");
            connected.send_replace(true);
        }
        Event::Disconnected | Event::Closed => {
            tracing::warn!(
                nats = place,
                "the bus is away; edges follow the control plane alone"
            );
            connected.send_replace(false);
        }
        Event::SlowConsumer(_) => tracing::debug!("a subscriber is too slow for the bus"),
        Event::ServerError(error) => tracing::warn!(nats = place, %error, "the bus refuses"),
        Event::ClientError(error) => tracing::debug!(nats = place, %error, "no connection to the bus yet"),
        Event::LameDuckMode | Event::Draining => {}
    }
}

/// What a publisher sees of a stream that is not there: the server says so where nobody subscribes, and where somebody
/// does, nothing answers.
fn is_gone(error: PublishErrorKind) -> bool {
    matches!(
        error,
        PublishErrorKind::StreamNotFound | PublishErrorKind::TimedOut
    )
}

/// Longer with every attempt, up to some seconds, and drawn at random, so that the edges of a restarted server do not
/// come back in step.
fn reconnect_delay(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts.clamp(1, 12)).unwrap_or(12);
    let base = Duration::from_millis(20) * attempts * attempts;
    Backoff::new(base, base * 3).next_delay()
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
