//! OpenAI's chat completions and the older completions, whole and streamed.

use std::sync::Arc;

use axum::Extension;
use axum::response::Response;
use serde_json::{Value, json};

use super::asked::Asked;
use super::fault::Fault;
use super::reply::{output_tokens, unnamed_events, whole, words};

/// Everything is answered at the same moment, in seconds since 1970, so that answers are deterministic.
pub(super) const CREATED: u64 = 1_700_000_000;

pub(super) async fn chat(Extension(asked): Extension<Arc<Asked>>) -> Response {
    let words = words(&asked);
    if asked.wants_stream() {
        return stream_chat(&asked, &words);
    }
    let (message, finish) = match asked.tool_to_call() {
        Some(name) => (
            json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [tool_call(&asked, &name)]}),
            "tool_calls",
        ),
        None => (
            json!({"role": "assistant", "content": words.concat(), "refusal": null}),
            "stop",
        ),
    };
    let n = asked
        .body
        .get("n")
        .and_then(Value::as_u64)
        .unwrap_or(1)
        .clamp(1, 16);
    let choices: Vec<Value> = (0..n)
        .map(|index| json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish}))
        .collect();
    whole(
        &asked,
        json!({
            "id": "chatcmpl-fake", "object": "chat.completion", "created": CREATED, "model": asked.model,
            "choices": choices, "usage": usage(&asked, &words), "system_fingerprint": "fp_fake",
        }),
    )
}

pub(super) async fn complete(Extension(asked): Extension<Arc<Asked>>) -> Response {
    let words = words(&asked);
    let part = |text: &str, finish: Value| {
        json!({
            "id": "cmpl-fake", "object": "text_completion", "created": CREATED, "model": asked.model,
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}],
        })
    };
    if asked.wants_stream() {
        let mut events: Vec<Value> = words.iter().map(|word| part(word, Value::Null)).collect();
        events.push(part("", json!("stop")));
        return finish_stream(&asked, events, &words);
    }
    let mut body = part(&words.concat(), json!("stop"));
    if let Some(fields) = body.as_object_mut() {
        fields.insert("usage".to_owned(), usage(&asked, &words));
    }
    whole(&asked, body)
}

fn stream_chat(asked: &Asked, words: &[String]) -> Response {
    let part = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": CREATED, "model": asked.model,
            "system_fingerprint": "fp_fake",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        })
    };
    let mut events = vec![part(json!({"role": "assistant", "content": ""}), Value::Null)];
    match asked.tool_to_call() {
        Some(name) => {
            let mut call = tool_call(asked, &name);
            if let Some(fields) = call.as_object_mut() {
                fields.insert("index".to_owned(), json!(0));
            }
            events.push(part(json!({"tool_calls": [call]}), Value::Null));
            events.push(part(json!({}), json!("tool_calls")));
        }
        None => {
            events.extend(
                words
                    .iter()
                    .map(|word| part(json!({"content": word}), Value::Null)),
            );
            events.push(part(json!({}), json!("stop")));
        }
    }
    finish_stream(asked, events, words)
}

/// With usage asked for, every chunk has `usage: null` and one more has no choices but the numbers.
fn finish_stream(asked: &Asked, mut events: Vec<Value>, words: &[String]) -> Response {
    if asked.wants_usage() && Fault::of(&asked.model) != Fault::NoUsage {
        let mut last = events.last().cloned().unwrap_or_default();
        for fields in events.iter_mut().filter_map(Value::as_object_mut) {
            fields.insert("usage".to_owned(), Value::Null);
        }
        if let Some(fields) = last.as_object_mut() {
            fields.insert("choices".to_owned(), json!([]));
            fields.insert("usage".to_owned(), usage(asked, words));
        }
        events.push(last);
    }
    unnamed_events(asked, events)
}

fn tool_call(asked: &Asked, name: &str) -> Value {
    let arguments = json!({"query": asked.last_user_text()}).to_string();
    json!({"id": "call_fake", "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn usage(asked: &Asked, words: &[String]) -> Value {
    let (input, output) = (asked.input_tokens(), output_tokens(words));
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}
