//! What a connection's bytes, its requests and its answers let one another know: three counters, no lock.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::proxy::answer::{AnswerBody, Broken};

/// One connection. Its parts run in one task, which orders what they do, but for HTTP/2, which needs nothing of it.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    requests: AtomicU32,
    answers: AtomicU32,
    /// The number of the request whose head is ambiguous, 0 where none is.
    ambiguous: AtomicU32,
}

impl Exchange {
    /// Counts a request. Whether its head said in two ways where its body ends.
    pub(super) fn begin(&self) -> bool {
        let number = self.requests.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.ambiguous.load(Ordering::Relaxed) == number
    }

    /// Notes which request's head is ambiguous. No request is read after it.
    pub(super) fn mark_ambiguous(&self, number: u32) {
        self.ambiguous.store(number, Ordering::Relaxed);
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many requests have come, if each has been answered to the end.
    pub(super) fn settled(&self) -> Option<u32> {
        let requests = self.requests();
        (self.answers.load(Ordering::Relaxed) == requests).then_some(requests)
    }
}

/// The body of an answer, counted when the HTTP implementation has taken all of it.
pub(super) struct Counted {
    body: AnswerBody,
    exchange: Arc<Exchange>,
}

impl Counted {
    pub(super) fn new(body: AnswerBody, exchange: Arc<Exchange>) -> Self {
        Self { body, exchange }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.exchange.answers.fetch_add(1, Ordering::Relaxed);
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
