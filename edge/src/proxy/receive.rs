//! Takes in a request's body, within its bounds of size and time.

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::reject::Refusal;
use crate::settings::limits::Limits;

/// Reads the whole body. One that came in one piece is not copied.
pub(super) async fn receive(body: Incoming, limits: &Limits) -> Result<Bytes, Refusal> {
    let limit = limits.body_limit.get();
    if body.size_hint().lower() > limit {
        return Err(Refusal::PayloadTooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut body = body;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    // A small body has mostly come with the head, and needs neither clock nor timer.
    let first = match body.frame().now_or_never() {
        Some(Some(frame)) => data(frame)?,
        Some(None) => return Ok(Bytes::new()),
        None => Bytes::new(),
    };
    if first.len() as u64 <= limit && body.is_end_stream() {
        return Ok(first);
    }
    // Boxed, so that no other request carries the room that it takes.
    let rest = Box::pin(gather(body, first, announced, limit));
    timeout(limits.body_timeout, rest)
        .await
        .map_err(|_| Refusal::RequestTimeout)?
}

/// Trailers are nothing.
fn data(frame: hyper::Result<Frame<Bytes>>) -> Result<Bytes, Refusal> {
    let frame = frame.map_err(|_| Refusal::Malformed("The body broke off before its end.".into()))?;
    Ok(frame.into_data().unwrap_or_default())
}

async fn gather(
    mut body: Incoming,
    mut first: Bytes,
    announced: usize,
    limit: u64,
) -> Result<Bytes, Refusal> {
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = data(frame)?;
        if (first.len() + rest.len() + data.len()) as u64 > limit {
            return Err(Refusal::PayloadTooLarge { limit });
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve(announced.max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}
