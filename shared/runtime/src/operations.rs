//! The listener for those who operate the process: does it run, can it serve and if not why, what it has measured.
//!
//! It tells nothing of tenants but what metrics carry as labels, and asks nobody who they are: it belongs on an
//! address that only operators reach.

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus::{Registry, TextEncoder};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{readiness::Readiness, shutdown::Shutdown, telemetry};

/// The paths that are answered here.
pub const PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Serves until the shutdown, with the metrics of the process.
pub async fn serve(listener: TcpListener, readiness: Readiness, shutdown: Shutdown) {
    serve_with(listener, readiness, shutdown, Router::new()).await;
}

/// The same, with further routes; none of them may be one of [`PATHS`].
pub async fn serve_with(listener: TcpListener, readiness: Readiness, shutdown: Shutdown, more: Router) {
    let routes = routes(readiness, telemetry::registry()).merge(more);
    let served = axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.token().cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the operations listener broke off");
    }
}

/// `/healthz` is 200 while the process runs; `/readyz` is 200 or 503, and says which conditions hold; `/metrics` is
/// what Prometheus scrapes.
fn routes(readiness: Readiness, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(metrics).with_state(registry))
        .fallback(unknown)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report)).into_response()
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics cannot be written; see the log",
            )
        }
    }
}

async fn unknown() -> Response {
    refused(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics")
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": {"message": message}}))).into_response()
}

#[cfg(test)]
mod tests;
