//! The provider's answer on its way to the client: metered, timed, and recorded before its last byte leaves.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use turnpike_access::audit::Ending;

use super::{
    meter::{self, Reported, SseMeter},
    reject::Refusal,
    route::Endpoint,
    sentinel::Watch,
    state::{RequestId, State},
    ticket::Ticket,
};

mod drain;

/// The largest answer that is kept in order to read its usage at the end; a larger one passes unmetered.
const JSON_LIMIT: usize = 8 << 20;

/// The response could not be finished, and the connection must show it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The provider broke off.
    #[error("the provider broke off: {0}")]
    Upstream(#[from] hyper::Error),
    /// The provider went silent.
    #[error("the provider went silent")]
    Silent,
    /// The audit could not be written.
    #[error("the request could not be recorded")]
    Unrecorded,
    /// What opened it opens nothing any more.
    #[error("the credential was revoked: {0}")]
    Revoked(&'static str),
}

/// The body of a response to a client.
pub enum AnswerBody {
    /// Made by the edge, recorded already.
    Ready(Option<Bytes>),
    /// Passed on from a provider.
    Relayed(Box<Relay>),
}

/// How usage is read off an answer.
pub(super) enum Meter {
    Json(Endpoint, Held),
    Sse(Box<SseMeter>),
    /// Sound, pictures, encoded or overlong bodies.
    Blind,
}

/// What has come of an answer that is not a stream. Most come in one piece, which is not copied.
#[derive(Default)]
pub(super) struct Held {
    first: Bytes,
    all: BytesMut,
}

impl Held {
    fn push(&mut self, data: &Bytes) {
        if self.bytes().is_empty() {
            self.first = data.clone();
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(data);
    }

    fn bytes(&self) -> &[u8] {
        if self.all.is_empty() {
            &self.first
        } else {
            &self.all
        }
    }
}

/// A provider's answer under way.
pub struct Relay {
    /// `None` once it has ended, or was handed over for draining.
    upstream: Option<Incoming>,
    meter: Meter,
    endpoint: Endpoint,
    out: VecDeque<Bytes>,
    pieces: Vec<Bytes>,
    ticket: Ticket,
    begun: bool,
    id: RequestId,
    idle_timeout: Duration,
    /// When something last came, or was first waited for.
    heard: Option<Instant>,
    /// Set when the provider is first waited for, and set anew only when it fires: a timer costs more than a clock.
    idle: Option<Pin<Box<Sleep>>>,
    /// Where the answer ends with its credential.
    watch: Option<Watch>,
    state: Arc<State>,
}

impl Relay {
    pub(super) fn new(
        state: &Arc<State>,
        upstream: Incoming,
        endpoint: Endpoint,
        meter: Meter,
        ticket: Ticket,
        id: RequestId,
        watch: Option<Watch>,
    ) -> Self {
        let idle_timeout = state.limits.idle_timeout;
        Self {
            upstream: Some(upstream),
            meter,
            endpoint,
            out: VecDeque::new(),
            pieces: Vec::new(),
            ticket,
            begun: false,
            id,
            idle_timeout,
            heard: None,
            idle: None,
            watch,
            state: state.clone(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(piece) = self.out.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready(None);
            };
            if let Some(Poll::Ready(reason)) = self.watch.as_mut().map(|watch| watch.poll_revoked(cx)) {
                return Poll::Ready(self.revoke(reason));
            }
            let Poll::Ready(frame) = Pin::new(upstream).poll_frame(cx) else {
                ready!(self.poll_idle(cx));
                return Poll::Ready(self.fail(&Refusal::UpstreamTimeout, Broken::Silent));
            };
            match frame {
                Some(Ok(frame)) => {
                    // Trailers are dropped: they are hop-by-hop here.
                    if let Ok(data) = frame.into_data()
                        && let Err(broken) = self.take(data)
                    {
                        return Poll::Ready(Some(Err(broken)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(self.fail(&Refusal::UpstreamInvalid, error.into())),
                None => {
                    if let Err(broken) = self.end(Instant::now()) {
                        return Poll::Ready(Some(Err(broken)));
                    }
                }
            }
        }
    }

    /// Ready when nothing has come for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.heard.get_or_insert_with(Instant::now) + self.idle_timeout;
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(idle.as_mut().poll(cx));
            if idle.deadline() >= deadline {
                return Poll::Ready(());
            }
            idle.as_mut().reset(deadline);
        }
    }

    /// Meters a piece and queues what may be passed on. The record is written before the last of it.
    fn take(&mut self, data: Bytes) -> Result<(), Broken> {
        let now = Instant::now();
        self.heard = Some(now);
        if !self.begun {
            self.begun = true;
            self.ticket.first_byte(now.into_std());
        }
        match &mut self.meter {
            Meter::Sse(meter) => {
                meter.push(data, &mut self.pieces);
                self.out.extend(self.pieces.drain(..));
                if meter.terminal() {
                    return self.record(now, Ending::Complete);
                }
            }
            Meter::Json(_, held) => {
                if held.bytes().len() + data.len() > JSON_LIMIT {
                    self.meter = Meter::Blind;
                } else {
                    held.push(&data);
                }
                self.out.push_back(data);
            }
            Meter::Blind => self.out.push_back(data),
        }
        // A body of announced length is over with its last byte, not after it.
        if self.upstream.as_ref().is_some_and(Body::is_end_stream) {
            self.end(now)
        } else {
            Ok(())
        }
    }

    fn end(&mut self, now: Instant) -> Result<(), Broken> {
        self.upstream = None;
        if let Meter::Sse(meter) = &mut self.meter {
            meter.finish(&mut self.pieces);
            self.out.extend(self.pieces.drain(..));
        }
        self.record(now, Ending::Complete)
    }

    fn fail(&mut self, refusal: &Refusal, broken: Broken) -> Option<Result<Frame<Bytes>, Broken>> {
        tracing::warn!(request = %self.id.request(), error = %broken, "a provider's answer broke off");
        self.break_off(Ending::UpstreamBroke, refusal, broken)
    }

    fn revoke(&mut self, reason: &'static str) -> Option<Result<Frame<Bytes>, Broken>> {
        tracing::info!(request = %self.id.request(), reason, "ended an answer whose credential was revoked");
        self.break_off(Ending::Revoked, &Refusal::Revoked, Broken::Revoked(reason))
    }

    /// The answer can't be finished. A stream says so in its own way; anything else is cut.
    fn break_off(
        &mut self,
        ending: Ending,
        refusal: &Refusal,
        broken: Broken,
    ) -> Option<Result<Frame<Bytes>, Broken>> {
        self.upstream = None;
        self.watch = None;
        if let Err(broken) = self.record(Instant::now(), ending) {
            return Some(Err(broken));
        }
        match &mut self.meter {
            Meter::Sse(meter) if !meter.terminal() => {
                let event = refusal.sse_event(self.endpoint, self.id.request());
                Some(Ok(Frame::data(event)))
            }
            Meter::Sse(_) => None,
            _ => Some(Err(broken)),
        }
    }

    /// Whether fewer bytes may leave than came.
    pub(super) fn may_withhold(&self) -> bool {
        matches!(self.meter, Meter::Sse(_))
    }

    fn reported(&self) -> Reported {
        match &self.meter {
            Meter::Sse(meter) => meter.reported().clone(),
            Meter::Json(endpoint, held) => meter::read_json(*endpoint, held.bytes()),
            Meter::Blind => Reported::default(),
        }
    }

    /// Writes the record, once.
    fn record(&mut self, now: Instant, ending: Ending) -> Result<(), Broken> {
        if self.ticket.finished() {
            return Ok(());
        }
        let reported = self.reported();
        self.ticket.note(|record| record.usage = reported.usage);
        self.ticket
            .finish_at(now.into_std(), ending)
            .map_err(|_| Broken::Unrecorded)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Ready(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relayed(relay) => relay.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ready(bytes) => bytes.is_none(),
            Self::Relayed(relay) => relay.upstream.is_none() && relay.out.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ready(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            // Events may be withheld from a stream; everything else is passed on as long as it is.
            Self::Relayed(relay) => match (&relay.meter, &relay.upstream) {
                (Meter::Json(..) | Meter::Blind, Some(upstream)) if !relay.begun => upstream.size_hint(),
                _ => SizeHint::default(),
            },
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Ready((!bytes.is_empty()).then_some(bytes))
    }
}
