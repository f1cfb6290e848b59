//! A connection whose bytes are watched: for heads that are ambiguous, and for the empty answers with which the HTTP
//! implementation refuses by itself, in whose place the edge's own go out.

use std::{
    io::{self, IoSlice},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{exchange::Exchange, framing::Framing, unread};
use crate::proxy::{route, state::State};

/// Wraps a connection, plain or TLS.
pub(super) struct Watched<I> {
    io: I,
    framing: Framing,
    exchange: Arc<Exchange>,
    /// The number of requests when everything owed to the client had been written. Whatever is written while there
    /// is no further request was not asked for by any: it is the implementation's own refusal of a head. What
    /// it writes is not looked at to find that out, since an answer may have any text in it.
    settled: Option<u32>,
    /// What is still to be written instead of that refusal.
    instead: Option<Bytes>,
    state: Arc<State>,
    client: IpAddr,
}

impl<I> Watched<I> {
    pub(super) fn new(io: I, exchange: Arc<Exchange>, state: Arc<State>, client: IpAddr) -> Self {
        let framing = Framing::default();
        Self {
            io,
            framing,
            exchange,
            settled: Some(0),
            instead: None,
            state,
            client,
        }
    }

    /// Whether these bytes are not to go out, because something else does in their place.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.instead.is_some() {
            return true;
        }
        if self.framing.is_http2() || self.settled != Some(self.exchange.requests()) {
            return false;
        }
        let dialect = route::dialect_of(self.framing.path());
        self.instead = unread::refuse(&self.state, self.client, bytes, dialect);
        self.instead.is_some()
    }
}

impl<I: AsyncWrite + Unpin> Watched<I> {
    fn write_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(bytes) = self.instead.as_mut().filter(|bytes| !bytes.is_empty()) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, bytes))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => bytes.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if let Some(number) = this.framing.read(read) {
            this.exchange.mark_ambiguous(number);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.replaces(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = pieces.iter().find(|piece| !piece.is_empty());
        if this.replaces(first.map(|piece| &**piece).unwrap_or_default()) {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        Pin::new(&mut this.io).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.write_instead(cx))?;
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        // The implementation flushes when it has handed over all that it had.
        this.settled = this.exchange.settled();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.write_instead(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
