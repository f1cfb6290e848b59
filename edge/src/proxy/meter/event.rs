//! One complete event of a stream: whether it tells usage, whether it ends the stream, whether it is withheld.

use std::borrow::Cow;

use memchr::memmem;

use super::{Reported, usage::Answer};
use crate::proxy::route::Endpoint;

/// What an event means for the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Meaning {
    /// Nothing follows it.
    pub(super) terminal: bool,
    /// It only tells usage.
    pub(super) usage_only: bool,
}

/// Reads an event. JSON is parsed only where the event has a key `usage` that is not `null`.
pub(super) fn read(endpoint: Endpoint, event: &[u8], reported: &mut Reported) -> Meaning {
    let mut meaning = Meaning {
        terminal: ends(endpoint, event),
        usage_only: false,
    };
    if !tells_usage(event) {
        return meaning;
    }
    let data = data(event);
    let Ok(mut answer) = serde_json::from_slice::<Answer<'_>>(&data) else {
        return meaning;
    };
    if let Some(inner) = answer.message.take().or(answer.response.take()) {
        answer.usage = inner.usage.or(answer.usage);
        answer.model = inner.model.or(answer.model);
    }
    meaning.usage_only = answer.usage.is_some() && answer.choices.as_ref().is_some_and(Vec::is_empty);
    reported.take(endpoint, answer);
    meaning
}

/// Whether an event is the last of its stream. Looks at its first kilobyte at most, so that the beginning of an
/// event that is too long to be held will do.
pub(super) fn ends(endpoint: Endpoint, event: &[u8]) -> bool {
    let head = event.get(..1024).unwrap_or(event);
    let named = |names: &[&[u8]]| field(head, b"event").any(|name| names.contains(&name));
    match endpoint {
        Endpoint::Messages => named(&[b"message_stop", b"error"]),
        Endpoint::Responses => named(&[
            b"response.completed",
            b"response.incomplete",
            b"response.failed",
            b"error",
        ]),
        _ => event.len() <= 64 && field(event, b"data").any(|data| data == b"[DONE]"),
    }
}

/// Whether a key `usage` is followed by something else than `null`. A chunk of a stream that will tell usage at
/// its end says `"usage":null` every time.
fn tells_usage(event: &[u8]) -> bool {
    const KEY: &[u8] = b"\"usage\"";
    memmem::find_iter(event, KEY).any(|at| {
        let after = event.get(at + KEY.len()..).unwrap_or_default().trim_ascii_start();
        after
            .strip_prefix(b":")
            .is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
    })
}

/// The values of a field, line by line (the HTML standard, section 9.2.6).
fn field<'e>(event: &'e [u8], name: &'static [u8]) -> impl Iterator<Item = &'e [u8]> {
    event
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(move |line| {
            let value = line.strip_prefix(name)?.strip_prefix(b":")?;
            Some(value.strip_prefix(b" ").unwrap_or(value))
        })
}

/// The event's data; borrowed where it is one line, as it practically always is.
fn data(event: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = field(event, b"data");
    let first = lines.next().unwrap_or_default();
    let Some(second) = lines.next() else {
        return Cow::Borrowed(first);
    };
    let mut joined = first.to_vec();
    for line in std::iter::once(second).chain(lines) {
        joined.push(b'\n');
        joined.extend_from_slice(line);
    }
    Cow::Owned(joined)
}
