//! Anthropic's Messages: whole, as its named events, and the counting of tokens.

use std::sync::Arc;

use axum::Extension;
use axum::response::Response;
use serde_json::{Value, json};

use super::asked::Asked;
use super::fault::Fault;
use super::reply::{named_events, output_tokens, whole, words};

pub(super) async fn messages(Extension(asked): Extension<Arc<Asked>>) -> Response {
    let words = words(&asked);
    let tool = asked.tool_to_call();
    if asked.wants_stream() {
        return stream_message(&asked, &words, tool.as_deref());
    }
    let (block, stop) = match tool {
        Some(name) => {
            let input = json!({"query": asked.last_user_text()});
            (
                json!({"type": "tool_use", "id": "toolu_fake", "name": name, "input": input}),
                "tool_use",
            )
        }
        None => (json!({"type": "text", "text": words.concat()}), "end_turn"),
    };
    let usage = json!({
        "input_tokens": asked.input_tokens(), "output_tokens": output_tokens(&words),
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
    });
    whole(&asked, message(&asked, json!([block]), json!(stop), usage))
}

pub(super) async fn count_tokens(Extension(asked): Extension<Arc<Asked>>) -> Response {
    whole(&asked, json!({"input_tokens": asked.input_tokens()}))
}

/// The order of Anthropic's streaming documentation. Input usage comes first, output usage, cumulative, last.
fn stream_message(asked: &Asked, words: &[String], tool: Option<&str>) -> Response {
    let counted = Fault::of(&asked.model) != Fault::NoUsage;
    let input = if counted {
        json!({"input_tokens": asked.input_tokens(), "output_tokens": 1})
    } else {
        json!({})
    };
    let output = if counted {
        json!({"output_tokens": output_tokens(words)})
    } else {
        json!({})
    };
    let (block, deltas, stop) = match tool {
        Some(name) => {
            let input = json!({"query": asked.last_user_text()}).to_string();
            let block = json!({"type": "tool_use", "id": "toolu_fake", "name": name, "input": {}});
            (
                block,
                vec![json!({"type": "input_json_delta", "partial_json": input})],
                "tool_use",
            )
        }
        None => {
            let deltas = words
                .iter()
                .map(|word| json!({"type": "text_delta", "text": word}))
                .collect();
            (json!({"type": "text", "text": ""}), deltas, "end_turn")
        }
    };
    let mut events = vec![
        json!({"type": "message_start", "message": message(asked, json!([]), Value::Null, input)}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "ping"}),
    ];
    events.extend(
        deltas
            .into_iter()
            .map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})),
    );
    events.push(json!({"type": "content_block_stop", "index": 0}));
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": output}));
    events.push(json!({"type": "message_stop"}));
    named_events(asked, &events)
}

fn message(asked: &Asked, content: Value, stop: Value, usage: Value) -> Value {
    json!({
        "id": "msg_fake", "type": "message", "role": "assistant", "model": asked.model, "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage,
    })
}
