//! The spans of a request, under the names of the OpenTelemetry conventions. Where traces are not exported each is
//! [`Span::none`], which costs nothing to make, enter or record to.
//!
//! What passes in bodies is in none of them.

use http::HeaderMap;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::propagation;

/// The spans that are exported.
pub(super) const TARGET: &str = "turnpike::span";

/// What is known of a call to a model when it starts. The names are those of `gen_ai.*` and `server.*`.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Such as `chat`.
    pub operation: &'a str,
    /// The provider's kind, such as `openai`.
    pub provider: &'a str,
    /// The model as it was asked for.
    pub model: &'a str,
    /// The provider's host.
    pub address: &'a str,
    /// The provider's port.
    pub port: u16,
}

/// A request that came in, a part of the trace that its headers name. `route` is the pattern, not the path.
pub fn server(method: &str, route: &str, headers: &HeaderMap) -> Span {
    if !super::tracing() {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET, parent: None, "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        "error.type" = Empty,
    );
    // Fails where the span is not ours to export, and then there is nothing to continue.
    let _ = span.set_parent(propagation::extract(headers));
    span
}

/// A call to a model, within the span of the request that it is made for.
pub fn client(within: &Span, call: Call<'_>) -> Span {
    if !super::tracing() {
        return Span::none();
    }
    tracing::info_span!(
        target: TARGET, parent: within, "call",
        otel.name = format!("{} {}", call.operation, call.model),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = call.operation,
        gen_ai.provider.name = call.provider,
        gen_ai.request.model = call.model,
        gen_ai.response.model = Empty,
        server.address = call.address,
        server.port = call.port,
        http.response.status_code = Empty,
        "error.type" = Empty,
    )
}

/// Records the status that `span` ended with. As the conventions have it, an answer of 4xx is an error of a call
/// that was made, but not of a request that was answered.
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    let is_client = span.has_field("gen_ai.operation.name");
    if status >= 500 || (status >= 400 && is_client) {
        failed(span, &status.to_string());
    }
}

/// Records that `span` ended without an answer, and why: one of few words, such as `timeout`.
pub fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}
