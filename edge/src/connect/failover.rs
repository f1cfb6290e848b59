//! One of several control planes at a time: the one that answered last, until it does not.
//!
//! They all say the same, so that any will do. Edges begin with one at random, so that they are spread out; whoever is left
//! by a call is left by all of this edge's later ones.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::{
    Code, Status,
    body::Body,
    codegen::Service,
    transport::{Channel, Error},
};

/// The channels. Clones share which of them is used.
#[derive(Debug, Clone)]
pub struct Failover(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// None before this edge has a certificate, where it needs one.
    channels: ArcSwap<Vec<Channel>>,
    current: AtomicUsize,
}

impl Failover {
    /// Over these, beginning with one of them.
    pub(crate) fn new(channels: Vec<Channel>, begin: usize) -> Self {
        Self(Arc::new(Shared {
            channels: ArcSwap::from_pointee(channels),
            current: AtomicUsize::new(begin),
        }))
    }

    /// From now on over these. Answers that are still coming keep those that they come by.
    pub(crate) fn replace(&self, channels: Vec<Channel>) {
        self.0.channels.store(Arc::new(channels));
    }
}

impl Shared {
    fn channel(&self, at: usize) -> Option<Channel> {
        let channels = self.channels.load();
        let index = at.checked_rem(channels.len())?;
        channels.get(index).cloned()
    }

    /// Goes on to the next, unless somebody has already.
    fn leave(&self, at: usize) {
        let next = at.wrapping_add(1);
        let left = self
            .current
            .compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        if left.is_ok() && self.channels.load().len() > 1 {
            tracing::info!("a control plane does not answer; asking another one");
        }
    }
}

impl Service<Request<Body>> for Failover {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Which channel has to be ready is known when it is called.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = self.0.clone();
        let at = shared.current.load(Ordering::Relaxed);
        let channel = shared.channel(at);
        Box::pin(async move {
            let Some(mut channel) = channel else {
                return Ok(Status::unavailable("this edge has no certificate yet").into_http());
            };
            let answered = match poll_fn(|cx| channel.poll_ready(cx)).await {
                Ok(()) => channel.call(request).await,
                Err(error) => Err(error),
            };
            if is_gone(&answered) {
                shared.leave(at);
            }
            answered
        })
    }
}

/// Whether there was no answer, or one that it cannot answer now.
fn is_gone(answered: &Result<Response<Body>, Error>) -> bool {
    let status = |response: &Response<Body>| Status::from_header_map(response.headers());
    match answered {
        Ok(response) => status(response).is_some_and(|status| status.code() == Code::Unavailable),
        Err(_) => true,
    }
}
