//! Takes in a request's body, within its bounds of size and time.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
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
    timeout(limits.body_timeout, gather(body, limit))
        .await
        .map_err(|_| Refusal::RequestTimeout)?
}

async fn gather(mut body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or_default();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Malformed("The body broke off before its end.".into()))?;
        let Ok(data) = frame.into_data() else { continue };
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
