//! One request as the provider understands it: who asks, which model, and what the user said last.
//!
//! It is lenient: whatever is missing is empty. That the request was right is the clients' and the edge's affair.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

/// What one request asks for.
pub(super) struct Asked {
    /// The path without the query.
    pub(super) path: String,
    /// The body as JSON; null when it is none.
    pub(super) body: Value,
    /// The model by the body, a multipart field, or Azure's path, in this order.
    pub(super) model: String,
    method: String,
    query: String,
    headers: HeaderMap,
    text: String,
}

impl Asked {
    pub(super) fn read(parts: &Parts, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = String::from_utf8_lossy(body).into_owned();
        let path = parts.uri.path().to_owned();
        let model = json
            .get("model")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| multipart_field(&text, "model"))
            .or_else(|| deployment(&path))
            .unwrap_or_default();
        Self {
            path,
            body: json,
            model,
            method: parts.method.to_string(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            text,
        }
    }

    /// Whether this request speaks Anthropic's dialect.
    pub(super) fn is_anthropic(&self) -> bool {
        self.path.starts_with("/v1/messages") || self.headers.contains_key("anthropic-version")
    }

    pub(super) fn wants_stream(&self) -> bool {
        self.body.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether a last chunk with usage was asked for by `stream_options.include_usage`.
    pub(super) fn wants_usage(&self) -> bool {
        self.body
            .pointer("/stream_options/include_usage")
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// The text of the last user message, the prompt, or the input.
    pub(super) fn last_user_text(&self) -> String {
        let turns = self.body.get("messages").or_else(|| self.body.get("input"));
        let last = turns.and_then(Value::as_array).and_then(|turns| {
            turns
                .iter()
                .rev()
                .find(|turn| turn.get("role").and_then(Value::as_str) == Some("user"))
        });
        match last {
            Some(turn) => plain_text(turn.get("content").unwrap_or(&Value::Null)),
            None => plain_text(self.body.get("prompt").or(turns).unwrap_or(&Value::Null)),
        }
    }

    /// Tokens of everything that was said, at one a word.
    pub(super) fn input_tokens(&self) -> usize {
        let said = ["system", "instructions", "messages", "prompt", "input"];
        said.iter()
            .filter_map(|key| self.body.get(key))
            .map(|value| count(&plain_text(value)))
            .sum::<usize>()
            .max(1)
    }

    /// The name of the first tool, when tools are given, the user speaks of a tool, and none has answered yet.
    pub(super) fn tool_to_call(&self) -> Option<String> {
        let tool = self.body.get("tools")?.as_array()?.first()?;
        let name = tool
            .pointer("/function/name")
            .or_else(|| tool.get("name"))?
            .as_str()?;
        let answered = self.text.contains("\"tool_result\"")
            || self.text.contains("\"tool_call_id\"")
            || self.text.contains("\"function_call_output\"");
        (!answered && self.last_user_text().contains("tool")).then(|| name.to_owned())
    }

    /// Everything the provider saw, for tests that assert on it.
    pub(super) fn as_seen(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let values = headers.entry(name.as_str()).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(value.into());
            }
        }
        json!({
            "method": self.method, "path": self.path, "query": self.query,
            "headers": headers, "body": self.body, "raw_body": self.text,
        })
    }

    /// Azure takes its key in `api-key`, Anthropic in `x-api-key`, everybody else as a bearer token.
    pub(super) fn check_credential(&self, required: Option<&str>) -> Result<(), String> {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let given = if deployment(&self.path).is_some() {
            header("api-key").ok_or("Azure wants its key in the header api-key.")?
        } else {
            bearer
                .or(header("x-api-key"))
                .or(header("api-key"))
                .ok_or("You didn't provide an API key.")?
        };
        if given.is_empty() || required.is_some_and(|required| required != given) {
            return Err("Incorrect API key provided.".to_owned());
        }
        Ok(())
    }
}

/// Words are this provider's tokens.
pub(super) fn count(text: &str) -> usize {
    text.split_whitespace().count()
}

/// All text inside a message's content, whatever its shape: a string, typed parts, or an array of either.
fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain_text).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => fields
            .get("text")
            .or_else(|| fields.get("content"))
            .map(plain_text)
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn deployment(path: &str) -> Option<String> {
    path.strip_prefix("/openai/deployments/")?
        .split('/')
        .next()
        .map(str::to_owned)
}

/// The value of a short text field of a multipart body.
fn multipart_field(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(&format!("name=\"{name}\""))?;
    let (_, value) = after.split_once("\r\n\r\n")?;
    value.split("\r\n").next().map(str::to_owned)
}
