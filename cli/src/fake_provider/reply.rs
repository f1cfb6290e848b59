//! How an answer leaves: what it says, whole or event by event, and at the pace or with the break that the fault demands.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;

use super::asked::{Asked, count};
use super::fault::{Fault, closed};

/// Chunks that a broken stream still delivers.
const BEFORE_THE_BREAK: usize = 2;
/// The pause between two chunks of `slow-stream`.
const SLOW: Duration = Duration::from_millis(50);
/// Long enough for what was written to be flushed before a connection is closed on it.
const FLUSHED: Duration = Duration::from_millis(20);

/// The words of the answer, each with the space that follows it.
pub(super) fn words(asked: &Asked) -> Vec<String> {
    let text = match Fault::of(&asked.model) {
        Fault::Long(chunks) => return (0..chunks).map(|number| format!("word{number} ")).collect(),
        Fault::Echo => asked.as_seen().to_string(),
        _ => format!("{} heard: {}", asked.model, asked.last_user_text()),
    };
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// Tokens of an answer, at one a word.
pub(super) fn output_tokens(words: &[String]) -> usize {
    words.iter().map(|word| count(word)).sum::<usize>().max(1)
}

/// A whole JSON answer.
pub(super) fn whole(asked: &Asked, mut body: Value) -> Response {
    if Fault::of(&asked.model) == Fault::NoUsage
        && let Some(fields) = body.as_object_mut()
    {
        fields.remove("usage");
    }
    let text = body.to_string().into_bytes();
    if matches!(Fault::of(&asked.model), Fault::StallStream | Fault::CloseStream) {
        let half = text.get(..text.len() / 2).unwrap_or_default().to_vec();
        return deliver(asked, "application/json", vec![half.into()]);
    }
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// Unnamed events in OpenAI's older style, ended by `[DONE]`.
pub(super) fn unnamed_events(asked: &Asked, events: Vec<Value>) -> Response {
    let mut frames: Vec<Bytes> = events
        .iter()
        .map(|event| format!("data: {event}\n\n").into())
        .collect();
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    deliver(asked, "text/event-stream; charset=utf-8", frames)
}

/// Events named by their `type`, as Anthropic and OpenAI's Responses send them.
pub(super) fn named_events(asked: &Asked, events: &[Value]) -> Response {
    let frame = |event: &Value| {
        let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
        format!("event: {name}\ndata: {event}\n\n").into()
    };
    deliver(
        asked,
        "text/event-stream; charset=utf-8",
        events.iter().map(frame).collect(),
    )
}

fn deliver(asked: &Asked, kind: &'static str, frames: Vec<Bytes>) -> Response {
    let fault = Fault::of(&asked.model);
    let pause = if fault == Fault::Slow {
        SLOW
    } else {
        Duration::ZERO
    };
    let kept = match fault {
        Fault::StallStream | Fault::CloseStream => BEFORE_THE_BREAK,
        _ => usize::MAX,
    };
    // Each chunk is handed over by itself, so that hyper flushes it by itself.
    let chunks = stream::iter(frames.into_iter().take(kept)).then(move |frame| async move {
        if pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(pause).await;
        }
        Ok(frame)
    });
    let end = stream::once(async move {
        match fault {
            Fault::StallStream => std::future::pending().await,
            Fault::CloseStream => {
                tokio::time::sleep(FLUSHED).await;
                closed()
            }
            _ => Ok(Bytes::new()),
        }
    });
    ([(CONTENT_TYPE, kind)], Body::from_stream(chunks.chain(end))).into_response()
}
