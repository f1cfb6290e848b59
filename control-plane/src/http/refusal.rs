//! What the token endpoint answers where it gives no token (RFC 6749, section 5.2; RFC 8693, section 2.2.2).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A refusal. Neither text repeats anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    error: &'static str,
    description: String,
    status: StatusCode,
}

impl Refusal {
    fn new(error: &'static str, status: StatusCode, description: impl Into<String>) -> Self {
        Self {
            error,
            description: description.into(),
            status,
        }
    }

    /// A parameter is missing, doubled, or means nothing here.
    pub(super) fn request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", StatusCode::BAD_REQUEST, description)
    }

    /// Who asks did not prove who it is, for whatever reason: which one is nobody's business.
    pub(super) fn client() -> Self {
        Self::new(
            "invalid_client",
            StatusCode::UNAUTHORIZED,
            "the client's credentials are not accepted",
        )
    }

    /// Who asks may not ask in this way.
    pub(super) fn unauthorized(description: impl Into<String>) -> Self {
        Self::new("unauthorized_client", StatusCode::BAD_REQUEST, description)
    }

    /// What was presented in exchange is not accepted, for whatever reason.
    pub(super) fn subject() -> Self {
        Self::request("the subject token is not accepted")
    }

    /// The scope means nothing, or reaches too far.
    pub(super) fn scope(description: impl Into<String>) -> Self {
        Self::new("invalid_scope", StatusCode::BAD_REQUEST, description)
    }

    /// The audience cannot be had.
    pub(super) fn target(description: impl Into<String>) -> Self {
        Self::new("invalid_target", StatusCode::BAD_REQUEST, description)
    }

    /// There is no such grant type.
    pub(super) fn grant_type() -> Self {
        Self::new(
            "unsupported_grant_type",
            StatusCode::BAD_REQUEST,
            "use client_credentials or urn:ietf:params:oauth:grant-type:token-exchange",
        )
    }

    /// Not now.
    pub(super) fn later(description: impl Into<String>) -> Self {
        Self::new(
            "temporarily_unavailable",
            StatusCode::SERVICE_UNAVAILABLE,
            description,
        )
    }

    /// The state is not loaded yet.
    pub(super) fn starting() -> Self {
        Self::later("the control plane is starting; try again in a moment")
    }

    /// The body is longer than anything that could be meant.
    pub(super) fn too_large() -> Self {
        Self::new(
            "invalid_request",
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large",
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self {
            error,
            description,
            status,
        } = self;
        let body = Json(json!({"error": error, "error_description": description}));
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"turnpike\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
