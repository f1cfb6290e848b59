//! Whole states on NATS, for edges that begin while no control plane answers: one object in a bucket of its own, in the format
//! of NATS' object store (ADR-20), so that its tools show it.
//!
//! The bytes mean nothing here; [`crate::bus::whole`] makes them and knows them again. Edges read by direct gets alone, which
//! leave nothing on the server: with a consumer, an edge could have the server send to subjects where it may not publish itself.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        stream::{DirectGetErrorKind, Stream},
    },
};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, prelude::BASE64_URL_SAFE};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};

use super::{
    NatsBus,
    names::{MOST_STATES, Names},
};
use crate::{bus::BusError, random};

/// What the object is called.
const OBJECT: &str = "state";
/// No state is larger: the one before it stays until it is there.
const LARGEST: u64 = MOST_STATES / 2;
/// The server's time to take one piece.
const TAKEN: Duration = Duration::from_secs(10);

/// The place for whole states. Clones share it.
#[derive(Debug, Clone)]
pub struct Shelf {
    jetstream: jetstream::Context,
    names: Names,
    replicas: u8,
}

/// An object as the format describes it, as far as we look.
#[derive(Debug, Serialize, Deserialize)]
struct Described {
    name: String,
    bucket: String,
    nuid: String,
    size: u64,
    chunks: u64,
    digest: String,
    #[serde(default)]
    deleted: bool,
}

/// The pieces of a state, one after the other.
#[derive(Debug)]
pub struct Pieces {
    stream: Stream<()>,
    subject: String,
    left: u64,
    /// The number of the next message to look at.
    at: u64,
}

/// Events that the bus has kept, in the order in which they were published.
#[derive(Debug)]
pub struct KeptEvents {
    stream: Stream<()>,
    subject: String,
    at: u64,
}

impl Shelf {
    /// For so long the bus keeps events. A state that is older may lack what was committed right after it.
    pub const KEEPS_EVENTS: Duration = super::names::MAX_AGE;

    pub(super) fn of(bus: &NatsBus) -> Self {
        Self {
            jetstream: bus.jetstream.clone(),
            names: bus.names.clone(),
            replicas: bus.replicas,
        }
    }

    /// The number of the last message of events that the bus keeps; 0 where it keeps none.
    ///
    /// # Errors
    /// The bus does not say.
    pub async fn last_event(&self) -> Result<u64, BusError> {
        let config = self.names.stream_config(self.replicas);
        let stream = self.jetstream.create_or_update_stream(config).await;
        let stream = stream.map_err(|error| refused("the stream of events", &error))?;
        Ok(stream.state.last_sequence)
    }

    /// Puts a state in the place of the one before, once `None` has come after its pieces. Whoever reads finds the one before
    /// until all of this one is there.
    ///
    /// # Errors
    /// It is not there, the one before still is, and it is right to try again later.
    pub async fn put(&self, mut pieces: mpsc::Receiver<Option<Bytes>>) -> Result<(), BusError> {
        let config = self.names.states_config(self.replicas);
        let made = self.jetstream.create_or_update_stream(config).await;
        made.map_err(|error| refused("the bucket", &error))?;
        let stream = self.jetstream.get_stream(self.names.states_stream()).await;
        let stream = stream.map_err(|error| refused("the bucket", &error))?;
        let state = &stream.cached_info().state;
        if state.bytes > LARGEST + LARGEST / 8 {
            // What attempts left that were broken off is in the way of the next.
            let all = stream.purge().sequence(state.last_sequence + 1).await;
            all.map_err(|error| refused("the bucket", &error))?;
        }
        let nuid = random::id().to_string();
        let chunks = self.names.chunks(&nuid);
        let put = self.put_as(&nuid, &mut pieces).await;
        let swept = match &put {
            // Everything before it.
            Ok(first) => stream.purge().sequence(*first).await,
            Err(_) => stream.purge().filter(chunks).await,
        };
        if let Err(error) = swept {
            tracing::debug!(%error, "could not sweep the bucket of states");
        }
        put.map(drop)
    }

    /// The number of its first message.
    async fn put_as(&self, nuid: &str, pieces: &mut mpsc::Receiver<Option<Bytes>>) -> Result<u64, BusError> {
        let (mut first, mut size, mut count) = (None, 0, 0);
        let mut digest = Context::new(&SHA256);
        loop {
            let piece = match pieces.recv().await {
                Some(Some(piece)) => piece,
                Some(None) => break,
                None => {
                    return Err(BusError::Refused(
                        "the state was not written to its end".to_owned(),
                    ));
                }
            };
            size += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if size > LARGEST {
                return Err(BusError::Refused(format!(
                    "the state has more than the {LARGEST} bytes that are put aside for edges that begin"
                )));
            }
            count += 1;
            digest.update(&piece);
            let sequence = self
                .publish(self.names.chunks(nuid), HeaderMap::new(), piece)
                .await?;
            first.get_or_insert(sequence);
        }
        let described = Described {
            name: OBJECT.to_owned(),
            bucket: self.names.states.clone(),
            nuid: nuid.to_owned(),
            size,
            chunks: count,
            digest: format!("SHA-256={}", BASE64_URL_SAFE.encode(digest.finish())),
            deleted: false,
        };
        let described = serde_json::to_vec(&described).map_err(|error| refused("the object", &error))?;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Rollup", "sub");
        let sequence = self
            .publish(self.names.described(OBJECT), headers, described.into())
            .await?;
        Ok(first.unwrap_or(sequence))
    }

    async fn publish(&self, subject: String, headers: HeaderMap, payload: Bytes) -> Result<u64, BusError> {
        let bytes = payload.len();
        let publishing = async {
            let sent = self
                .jetstream
                .publish_with_headers(subject, headers, payload)
                .await;
            Ok::<_, jetstream::context::PublishError>(sent?.await?.sequence)
        };
        let Ok(taken) = timeout(TAKEN, publishing).await else {
            return Err(BusError::TimedOut("the bucket's acknowledgement"));
        };
        taken.map_err(|error| match error.kind() {
            jetstream::context::PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge { bytes },
            _ => refused("the bucket", &error),
        })
    }

    /// The state that is there, to be read piece by piece; `None`: there is none.
    ///
    /// # Errors
    /// The bus does not answer.
    pub async fn get(&self) -> Result<Option<Pieces>, BusError> {
        let stream = self.stream(self.names.states_stream()).await?;
        let found = stream
            .direct_get_last_for_subject(self.names.described(OBJECT))
            .await;
        let found = match found {
            Ok(found) => found,
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused("the bucket", &error)),
        };
        let described: Described =
            serde_json::from_slice(&found.payload).map_err(|error| refused("the object", &error))?;
        // It becomes part of a subject.
        let plain = described.nuid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_there = !described.deleted && plain && !described.nuid.is_empty();
        Ok(is_there.then(|| Pieces {
            stream,
            subject: self.names.chunks(&described.nuid),
            left: described.chunks,
            at: 1,
        }))
    }

    /// The events that the bus keeps after the message of this number.
    ///
    /// # Errors
    /// There is no such stream.
    pub async fn events_after(&self, number: u64) -> Result<KeptEvents, BusError> {
        Ok(KeptEvents {
            stream: self.stream(self.names.stream.clone()).await?,
            subject: self.names.events.clone(),
            at: number.saturating_add(1),
        })
    }

    async fn stream(&self, name: String) -> Result<Stream<()>, BusError> {
        let stream = self.jetstream.get_stream_no_info(name).await;
        stream.map_err(|error| refused("the bucket", &error))
    }
}

impl Pieces {
    /// The next piece; `None` after as many as were announced.
    ///
    /// # Errors
    /// It is not there, as when another state has just taken the place of this one; or the bus does not answer.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BusError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (at, piece) = next(&self.stream, &self.subject, self.at)
            .await?
            .ok_or_else(|| BusError::Refused("a piece of the state is missing".to_owned()))?;
        self.at = at.saturating_add(1);
        Ok(Some(piece))
    }
}

impl KeptEvents {
    /// The next message; `None`: the bus has no more.
    ///
    /// # Errors
    /// The bus does not answer.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BusError> {
        let found = next(&self.stream, &self.subject, self.at).await?;
        Ok(found.map(|(at, message)| {
            self.at = at.saturating_add(1);
            message
        }))
    }
}

/// The first message of a subject with this number or a later one.
async fn next(stream: &Stream<()>, subject: &str, at: u64) -> Result<Option<(u64, Bytes)>, BusError> {
    match stream.direct_get_next_for_subject(subject, Some(at)).await {
        Ok(message) => Ok(Some((message.sequence, message.payload))),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused("what is kept", &error)),
    }
}

fn refused(what: &str, error: &dyn std::error::Error) -> BusError {
    BusError::Refused(format!("{what}: {error}"))
}
