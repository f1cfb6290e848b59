//! Faults, chosen by the model's name, so that a test can reach them through any number of proxies:
//!
//! | model | what happens |
//! |---|---|
//! | `fault-status-N` | status N with an error body; 429 and 503 with `retry-after: 1` |
//! | `fault-stall` | never answers |
//! | `fault-stall-stream` | stops for ever after two chunks (half the body where nothing streams) |
//! | `fault-close` | closes the connection before it answers |
//! | `fault-close-stream` | closes it after two chunks (half the body) |
//! | `fault-garbage` | 200 with what is neither JSON nor events |
//! | `fault-huge` | a body, or one event, that never ends |
//! | `fault-no-usage` | a good answer without usage |
//! | `fault-rejects-stream-options` | 400 if there are `stream_options`, else a good answer |
//! | `slow-stream` | a chunk every 50 ms |
//! | `long-stream-N` | an answer of N chunks |
//! | `echo-request` | the answer's text is a JSON of the request as the provider saw it |

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::stream;

use super::asked::Asked;
use super::refuse::refuse;

/// The most chunks that `long-stream-N` yields.
const LONGEST: usize = 1_000_000;

/// What goes wrong, or is out of the ordinary, by the model's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None: an ordinary answer.
    None,
    /// An error status.
    Status(u16),
    /// No answer, ever.
    Stall,
    /// A stop after two chunks.
    StallStream,
    /// The connection closes before the answer.
    Close,
    /// The connection closes after two chunks.
    CloseStream,
    /// A body that is not what it says.
    Garbage,
    /// A body without end.
    Huge,
    /// An answer without usage.
    NoUsage,
    /// `stream_options` are not understood.
    RejectsStreamOptions,
    /// 50 ms between chunks.
    Slow,
    /// An answer of so many chunks.
    Long(usize),
    /// The request comes back as text.
    Echo,
}

impl Fault {
    /// Reads the fault off a model's name; what stands before the last slash does not matter.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        if let Some(status) = name.strip_prefix("fault-status-") {
            return status.parse().map_or(Self::None, Self::Status);
        }
        if let Some(chunks) = name.strip_prefix("long-stream-") {
            return chunks
                .parse()
                .map_or(Self::None, |chunks: usize| Self::Long(chunks.min(LONGEST)));
        }
        match name {
            "fault-stall" => Self::Stall,
            "fault-stall-stream" => Self::StallStream,
            "fault-close" => Self::Close,
            "fault-close-stream" => Self::CloseStream,
            "fault-garbage" => Self::Garbage,
            "fault-huge" => Self::Huge,
            "fault-no-usage" => Self::NoUsage,
            "fault-rejects-stream-options" => Self::RejectsStreamOptions,
            "slow-stream" => Self::Slow,
            "echo-request" => Self::Echo,
            _ => Self::None,
        }
    }
}

/// The response of a fault that leaves no room for an answer.
pub(super) async fn before_answer(asked: &Asked) -> Option<Response> {
    match Fault::of(&asked.model) {
        Fault::Status(status) => {
            let mut response = refuse(
                &asked.path,
                status,
                &format!("The fake provider was asked to answer {status}."),
            );
            if matches!(status, 429 | 503) {
                response
                    .headers_mut()
                    .insert("retry-after", HeaderValue::from_static("1"));
            }
            Some(response)
        }
        Fault::Stall => std::future::pending().await,
        // A body that fails at once keeps hyper from sending even the head that it has written down.
        Fault::Close => Some(Body::from_stream(stream::iter([closed()])).into_response()),
        Fault::Garbage => Some(typed(
            asked,
            Body::from("data: {\"choices\": [\n\n\u{0}<html>not what you think</html>\n\n"),
        )),
        Fault::Huge => Some(typed(asked, endless(asked))),
        Fault::RejectsStreamOptions if asked.body.get("stream_options").is_some() => Some(refuse(
            &asked.path,
            400,
            "Unrecognized request argument supplied: stream_options",
        )),
        _ => None,
    }
}

/// The item that makes a body fail, and hyper close its connection.
pub(super) fn closed() -> Result<Bytes, std::io::Error> {
    Err(std::io::Error::new(
        std::io::ErrorKind::ConnectionReset,
        "the fake provider closes here",
    ))
}

fn endless(asked: &Asked) -> Body {
    let start: &'static [u8] = if asked.wants_stream() {
        b"data: {\"padding\":\""
    } else {
        b"{\"padding\":\""
    };
    let block = Bytes::from(vec![b'a'; 64 * 1024]);
    let frames = stream::unfold(Some(Bytes::from_static(start)), move |first| {
        let block = block.clone();
        async move { Some((Ok::<_, std::io::Error>(first.unwrap_or(block)), None)) }
    });
    Body::from_stream(frames)
}

fn typed(asked: &Asked, body: Body) -> Response {
    let kind = if asked.wants_stream() {
        "text/event-stream"
    } else {
        "application/json"
    };
    ([(CONTENT_TYPE, kind)], body).into_response()
}
