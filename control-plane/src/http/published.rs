//! What anybody may know of Turnpike's own tokens: the keys (RFC 7517, RFC 8037) and the endpoints (RFC 8414).

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;
use turnpike_runtime::token::own;

use super::{Late, refusal::Refusal, token};

/// Every key whose signatures are believed.
pub(super) async fn keys(State(late): State<Late>) -> Response {
    match late.get() {
        Some(web) => Json(own::jwks(web.executor.snapshot().token_keys())).into_response(),
        None => Refusal::starting().into_response(),
    }
}

/// Where tokens are to be had, and how.
pub(super) async fn metadata(State(late): State<Late>) -> Response {
    let Some(web) = late.get() else {
        return Refusal::starting().into_response();
    };
    let issuer = web.keys.issuer();
    let document = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "grant_types_supported": [token::CLIENT_CREDENTIALS, token::TOKEN_EXCHANGE],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        // There is no authorization endpoint, and the member is required.
        "response_types_supported": [],
    });
    Json(document).into_response()
}
