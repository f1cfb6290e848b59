//! OpenAI's Responses: whole, and as the named events of its streaming documentation.

use std::sync::Arc;

use axum::Extension;
use axum::response::Response;
use serde_json::{Value, json};

use super::asked::Asked;
use super::chat::CREATED;
use super::fault::Fault;
use super::reply::{named_events, output_tokens, whole, words};

pub(super) async fn respond(Extension(asked): Extension<Arc<Asked>>) -> Response {
    let words = words(&asked);
    let item = match asked.tool_to_call() {
        Some(name) => json!({
            "type": "function_call", "id": "fc_fake", "call_id": "call_fake", "name": name, "status": "completed",
            "arguments": json!({"query": asked.last_user_text()}).to_string(),
        }),
        None => message(vec![text_part(&words.concat())], "completed"),
    };
    let done = response(&asked, "completed", json!([item]), usage(&asked, &words));
    if !asked.wants_stream() {
        return whole(&asked, done);
    }
    let started = response(&asked, "in_progress", json!([]), Value::Null);
    let mut events = vec![
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.in_progress", "response": started}),
    ];
    if asked.tool_to_call().is_some() {
        events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
    } else {
        events.extend(text_events(&words));
    }
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
    events.push(json!({"type": "response.completed", "response": done}));
    for (number, event) in events.iter_mut().enumerate() {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("sequence_number".to_owned(), json!(number));
        }
    }
    named_events(&asked, &events)
}

fn text_events(words: &[String]) -> Vec<Value> {
    let at = |mut event: Value| {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("item_id".to_owned(), json!("msg_fake"));
            fields.insert("output_index".to_owned(), json!(0));
            fields.insert("content_index".to_owned(), json!(0));
        }
        event
    };
    let mut events = vec![
        json!({"type": "response.output_item.added", "output_index": 0, "item": message(Vec::new(), "in_progress")}),
        at(json!({"type": "response.content_part.added", "part": text_part("")})),
    ];
    events.extend(
        words
            .iter()
            .map(|word| at(json!({"type": "response.output_text.delta", "delta": word, "logprobs": []}))),
    );
    let text = words.concat();
    events.push(at(
        json!({"type": "response.output_text.done", "text": text, "logprobs": []}),
    ));
    events.push(at(
        json!({"type": "response.content_part.done", "part": text_part(&text)}),
    ));
    events
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message(content: Vec<Value>, status: &str) -> Value {
    json!({"type": "message", "id": "msg_fake", "role": "assistant", "status": status, "content": content})
}

fn response(asked: &Asked, status: &str, output: Value, usage: Value) -> Value {
    json!({
        "id": "resp_fake", "object": "response", "created_at": CREATED, "status": status, "model": asked.model,
        "output": output, "usage": usage, "error": null, "incomplete_details": null, "instructions": null,
        "metadata": {}, "parallel_tool_calls": true, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto",
        "tools": [], "previous_response_id": null, "truncation": "disabled",
    })
}

fn usage(asked: &Asked, words: &[String]) -> Value {
    if Fault::of(&asked.model) == Fault::NoUsage {
        return Value::Null;
    }
    let (input, output) = (asked.input_tokens(), output_tokens(words));
    json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output,
    })
}
