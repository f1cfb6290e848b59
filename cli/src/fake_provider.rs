//! A model provider that is not one: it answers like OpenAI, Azure OpenAI and Anthropic, closely enough that
//! their official clients accept everything, and it is deterministic: an answer repeats the last user
//! message and names the model it was asked for.
//!
//! `turnpike dev` serves it so that nothing needs an account, and the end-to-end tests put it behind an edge.
//! Faults are chosen by the model's name ([`fault`]), so that a test reaches them through the edge. It counts
//! a word as a token and knows nothing of Turnpike.

use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use self::asked::Asked;

mod anthropic;
mod asked;
mod chat;
mod embed;
pub mod fault;
mod list;
mod refuse;
mod reply;
mod respond;
#[cfg(test)]
mod tests;

/// The longest body it reads, in bytes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// How long a stopping provider waits for answers under way: a stalled one never ends by itself.
const DRAIN: Duration = Duration::from_secs(2);

/// What the provider is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The only credential it takes. Absent: any credential will do, but there must be one.
    pub required_key: Option<String>,
    /// What `GET /v1/models` lists; any other model is served just as well.
    pub models: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let models = [
            "gpt-4o",
            "gpt-4o-mini",
            "text-embedding-3-small",
            "claude-sonnet-5",
        ];
        Self {
            required_key: None,
            models: models.map(String::from).to_vec(),
        }
    }
}

struct Provider {
    settings: Settings,
    answered: AtomicU64,
}

/// The whole provider as a router, to be served or called in place.
pub fn router(settings: Settings) -> Router {
    let provider = Arc::new(Provider {
        settings,
        answered: AtomicU64::new(0),
    });
    Router::new()
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(chat::complete))
        .route("/v1/embeddings", post(embed::embed))
        .route("/v1/responses", post(respond::respond))
        .route("/v1/audio/transcriptions", post(embed::transcribe))
        .route("/v1/models", get(list::models))
        .route("/v1/models/{*id}", get(list::model))
        .route(
            "/openai/deployments/{deployment}/chat/completions",
            post(chat::chat),
        )
        .route(
            "/openai/deployments/{deployment}/completions",
            post(chat::complete),
        )
        .route("/openai/deployments/{deployment}/embeddings", post(embed::embed))
        .route("/v1/messages", post(anthropic::messages))
        .route("/v1/messages/count_tokens", post(anthropic::count_tokens))
        .fallback(refuse::unknown_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&provider), admit))
        .with_state(provider)
}

/// Serves the provider until `shutdown` resolves, and then for at most [`DRAIN`].
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    // The small pieces of a stream must not wait for one another.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let served = axum::serve(listener, router(settings)).with_graceful_shutdown(async move {
        shutdown.await;
        drop(stopping);
    });
    tokio::select! {
        ended = served.into_future() => ended,
        () = async { let _ = stopped.await; tokio::time::sleep(DRAIN).await; } => Ok(()),
    }
}

/// What happens to every request before and after its own handler: it is read, its credential is checked, a
/// fault that comes before any answer is played, and the answer gets the headers that providers send.
async fn admit(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return refuse::refuse(parts.uri.path(), 413, "The body is too large or was cut off.");
    };
    let asked = Arc::new(Asked::read(&parts, &body));
    let mut response = match asked.check_credential(provider.settings.required_key.as_deref()) {
        Err(message) => refuse::refuse(&asked.path, 401, &message),
        Ok(()) => match fault::before_answer(&asked).await {
            Some(response) => response,
            None => {
                let mut request = Request::from_parts(parts, body.into());
                request.extensions_mut().insert(Arc::clone(&asked));
                next.run(request).await
            }
        },
    };
    let number = provider.answered.fetch_add(1, Ordering::Relaxed);
    add_headers(&mut response, &asked, number);
    response
}

fn add_headers(response: &mut Response, asked: &Asked, number: u64) {
    let headers = response.headers_mut();
    let name = if asked.is_anthropic() {
        "request-id"
    } else {
        "x-request-id"
    };
    if let Ok(id) = HeaderValue::try_from(format!("req_fake_{number:08}")) {
        headers.insert(name, id);
    }
    let limits: &[(&'static str, &'static str)] = if asked.is_anthropic() {
        &[
            ("anthropic-ratelimit-requests-limit", "5000"),
            ("anthropic-ratelimit-requests-remaining", "4999"),
        ]
    } else {
        &[
            ("openai-organization", "fake-organization"),
            ("openai-processing-ms", "1"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-limit-tokens", "800000"),
            ("x-ratelimit-remaining-tokens", "799990"),
            ("x-ratelimit-reset-tokens", "1ms"),
        ]
    };
    for (name, value) in limits {
        headers.insert(*name, HeaderValue::from_static(value));
    }
}
