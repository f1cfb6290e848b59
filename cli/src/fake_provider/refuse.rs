//! Refusals in the shape of whoever is being imitated.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::asked::Asked;

/// A refusal with this status, in the dialect of the path.
pub(super) fn refuse(path: &str, status: u16, message: &str) -> Response {
    let kind = match status {
        401 => "authentication_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    let body = if path.starts_with("/v1/messages") {
        json!({"type": "error", "error": {"type": kind, "message": message}})
    } else {
        json!({"error": {"message": message, "type": kind, "param": null, "code": kind}})
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

pub(super) async fn unknown_route(Extension(asked): Extension<Arc<Asked>>) -> Response {
    refuse(&asked.path, 404, &format!("Unknown request URL: {}.", asked.path))
}
