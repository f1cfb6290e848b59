//! OpenAI's embeddings, as numbers or base64, and transcriptions.

use std::sync::Arc;

use axum::Extension;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::asked::Asked;
use super::reply::whole;

/// Numbers in a vector when the request does not say.
const DIMENSIONS: usize = 8;

pub(super) async fn embed(Extension(asked): Extension<Arc<Asked>>) -> Response {
    let base64 = asked.body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let dimensions = asked
        .body
        .get("dimensions")
        .and_then(Value::as_u64)
        .and_then(|n| usize::try_from(n).ok());
    let dimensions = dimensions.unwrap_or(DIMENSIONS).min(4096);
    let inputs = match asked.body.get("input") {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let rows = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(&input.to_string(), dimensions);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let tokens = asked.input_tokens();
    let body = json!({
        "object": "list", "model": asked.model, "data": rows.collect::<Vec<_>>(),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    whole(&asked, body)
}

pub(super) async fn transcribe(Extension(asked): Extension<Arc<Asked>>) -> Response {
    let text = format!("{} heard a recording", asked.model);
    let usage = json!({
        "type": "tokens", "input_tokens": 10, "output_tokens": 4, "total_tokens": 14,
        "input_token_details": {"audio_tokens": 10, "text_tokens": 0},
    });
    whole(&asked, json!({"text": text, "usage": usage}))
}

/// Multiples of 1/256 between 0 and 1, from the text alone: they look the same as numbers and as base64.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut state: u32 = 2_166_136_261;
    let mut mix = |byte: u8| {
        state = (state ^ u32::from(byte)).wrapping_mul(16_777_619);
        state.to_be_bytes()[0]
    };
    for byte in text.bytes() {
        mix(byte);
    }
    (0..dimensions).map(|_| f32::from(mix(1)) / 256.0).collect()
}
