//! Refuses what never became a request, because its head can't be read: with a body as every refusal has one, and
//! with a record.

use std::{io::Write as _, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::Response;
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

use crate::proxy::{handle, reject::Refusal, route::Dialect, state::State, ticket::Ticket};

/// The whole answer, recorded, in place of the empty one that the HTTP implementation was about to send. `None`:
/// that is not an empty refusal.
pub(super) fn refuse(state: &Arc<State>, client: IpAddr, bare: &[u8], dialect: Dialect) -> Option<Bytes> {
    let refusal = match bare.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        b"431" | b"414" => Refusal::HeadersTooLarge,
        b"400" => Refusal::Malformed("The request is not valid HTTP.".into()),
        _ => return None,
    };
    let id = state.next_id();
    let mut ticket = Ticket::begin(state, &id, Some(client));
    Some(written(&handle::refuse(&refusal, dialect, &id, &mut ticket)))
}

/// The response in the form of HTTP/1.1, after which the connection ends.
fn written(response: &Response<Bytes>) -> Bytes {
    let (status, body) = (response.status(), response.body());
    let mut out = Vec::with_capacity(512 + body.len());
    let date = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&Timestamp::now())
        .unwrap_or_default();
    // Nothing fails to be written into memory.
    drop(write!(
        out,
        "HTTP/1.1 {status}\r\ndate: {date}\r\nconnection: close\r\n"
    ));
    for (name, value) in response.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    drop(write!(out, "content-length: {}\r\n\r\n", body.len()));
    out.extend_from_slice(body);
    out.into()
}
