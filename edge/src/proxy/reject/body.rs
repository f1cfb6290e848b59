//! Error bodies, and the events that tell of an error within a stream.

use bytes::Bytes;
use serde::Serialize;

use super::kind::Kind;
use crate::proxy::route::{Dialect, Endpoint};

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: &'a str,
}

#[derive(Serialize)]
struct OpenAiBody<'a> {
    error: OpenAiError<'a>,
}

/// The Responses API repeats code and message beside `error`: its schema has them at the top, its SDK reads `error`.
#[derive(Serialize)]
struct ResponsesEvent<'a> {
    r#type: &'a str,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    r#type: &'a str,
    error: AnthropicError<'a>,
    request_id: &'a str,
}

/// The body of a refusal.
pub(super) fn json(kind: &Kind, message: &str, dialect: Dialect, request_id: &str) -> Bytes {
    let mut out = Vec::with_capacity(256);
    write(&mut out, kind, message, dialect, request_id);
    out.into()
}

/// The event that ends a stream.
pub(super) fn event(kind: &Kind, message: &str, endpoint: Endpoint, request_id: &str) -> Bytes {
    let mut out = Vec::with_capacity(320);
    match endpoint {
        Endpoint::Messages => {
            out.extend_from_slice(b"event: error\ndata: ");
            write(&mut out, kind, message, Dialect::Anthropic, request_id);
        }
        Endpoint::Responses => {
            out.extend_from_slice(b"event: error\ndata: ");
            let error = openai(kind, message);
            append(
                &mut out,
                &ResponsesEvent {
                    r#type: "error",
                    code: kind.code,
                    message,
                    param: None,
                    error,
                },
            );
        }
        _ => {
            out.extend_from_slice(b"data: ");
            write(&mut out, kind, message, Dialect::OpenAi, request_id);
        }
    }
    out.extend_from_slice(b"\n\n");
    out.into()
}

fn write(out: &mut Vec<u8>, kind: &Kind, message: &str, dialect: Dialect, request_id: &str) {
    match dialect {
        // Authorization API 1.0, section 10.1.2: "an error message string".
        Dialect::AuthZen => out.extend_from_slice(message.as_bytes()),
        Dialect::OpenAi => append(
            out,
            &OpenAiBody {
                error: openai(kind, message),
            },
        ),
        Dialect::Anthropic => {
            let error = AnthropicError {
                r#type: kind.anthropic_type,
                message,
            };
            append(
                out,
                &AnthropicBody {
                    r#type: "error",
                    error,
                    request_id,
                },
            );
        }
    }
}

fn openai<'a>(kind: &Kind, message: &'a str) -> OpenAiError<'a> {
    OpenAiError {
        message,
        r#type: kind.openai_type,
        param: None,
        code: kind.code,
    }
}

fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    let written = serde_json::to_writer(out, value);
    // A Vec takes every byte and these structs hold only strings, so that neither half of it can fail.
    debug_assert!(written.is_ok(), "an error body serialises");
}
