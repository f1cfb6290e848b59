//! The table of refusals: what each is called in HTTP, by OpenAI and by Anthropic.

use http::StatusCode;

use super::Refusal;

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) status: StatusCode,
    /// OpenAI's `type`.
    pub(super) openai_type: &'static str,
    /// OpenAI's `code`.
    pub(super) code: &'static str,
    /// Anthropic's `type`.
    pub(super) anthropic_type: &'static str,
    /// The audit's word, unless the refusal brings its own.
    pub(super) reason: &'static str,
    /// The public sentence, unless the refusal makes its own.
    pub(super) message: &'static str,
}

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

pub(super) fn of(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::Malformed(_) => invalid("malformed"),
        Refusal::Ambiguous(_) => invalid("ambiguous"),
        Refusal::ConflictingCredentials => Kind {
            message: "The request carries more than one credential. Send one, in one header.",
            ..invalid("conflicting_credentials")
        },
        Refusal::Unauthenticated { .. } | Refusal::Revoked | Refusal::Forbidden { .. } => identity(refusal),
        Refusal::ModelNotFound { .. } | Refusal::RouteNotFound => absent(refusal),
        Refusal::MethodNotAllowed { .. }
        | Refusal::RequestTimeout
        | Refusal::PayloadTooLarge { .. }
        | Refusal::UnsupportedMediaType { .. }
        | Refusal::HeadersTooLarge => protocol(refusal),
        Refusal::RateLimited { .. } => Kind {
            status: StatusCode::TOO_MANY_REQUESTS,
            openai_type: "rate_limit_error",
            code: "rate_limit_exceeded",
            anthropic_type: "rate_limit_error",
            reason: "rate_limited",
            message: "Too many requests or tokens in too short a time. Try again later.",
        },
        Refusal::BudgetExhausted => Kind {
            status: StatusCode::TOO_MANY_REQUESTS,
            openai_type: "insufficient_quota",
            code: "insufficient_quota",
            anthropic_type: "rate_limit_error",
            reason: "over_budget",
            message: "The budget for this use is spent.",
        },
        Refusal::UpstreamUnreachable
        | Refusal::UpstreamInvalid
        | Refusal::UpstreamTimeout
        | Refusal::Unavailable { .. } => server(refusal),
    }
}

fn invalid(reason: &'static str) -> Kind {
    Kind {
        status: StatusCode::BAD_REQUEST,
        openai_type: INVALID,
        code: "invalid_request",
        anthropic_type: INVALID,
        reason,
        message: "The request is not valid.",
    }
}

fn identity(refusal: &Refusal) -> Kind {
    if matches!(refusal, Refusal::Unauthenticated { .. } | Refusal::Revoked) {
        let (reason, message) = match refusal {
            Refusal::Revoked => ("revoked", "The credential that opened this stream was revoked."),
            _ => ("unauthenticated", "The API key is missing or not valid."),
        };
        return Kind {
            status: StatusCode::UNAUTHORIZED,
            openai_type: INVALID,
            code: "invalid_api_key",
            anthropic_type: "authentication_error",
            reason,
            message,
        };
    }
    Kind {
        status: StatusCode::FORBIDDEN,
        openai_type: "permission_error",
        code: "permission_denied",
        anthropic_type: "permission_error",
        reason: "forbidden",
        message: "You are not allowed to do this.",
    }
}

fn absent(refusal: &Refusal) -> Kind {
    let (code, reason, message) = match refusal {
        Refusal::ModelNotFound { .. } => (
            "model_not_found",
            "model_not_found",
            "The model does not exist, or you have no access to it.",
        ),
        _ => ("not_found", "route_not_found", "There is no such route."),
    };
    let status = StatusCode::NOT_FOUND;
    Kind {
        status,
        openai_type: INVALID,
        code,
        anthropic_type: "not_found_error",
        reason,
        message,
    }
}

fn protocol(refusal: &Refusal) -> Kind {
    let (status, code, anthropic_type, message) = match refusal {
        Refusal::MethodNotAllowed { .. } => (
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            INVALID,
            "The method is not allowed.",
        ),
        Refusal::RequestTimeout => (
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "timeout_error",
            "The request did not arrive in time.",
        ),
        Refusal::PayloadTooLarge { .. } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "request_too_large",
            "The request body is too large.",
        ),
        Refusal::HeadersTooLarge => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            INVALID,
            "The request's headers are too large.",
        ),
        _ => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            INVALID,
            "The type of the body is not supported.",
        ),
    };
    Kind {
        status,
        openai_type: INVALID,
        code,
        anthropic_type,
        reason: code,
        message,
    }
}

fn server(refusal: &Refusal) -> Kind {
    let (status, code, anthropic_type, reason, message) = match refusal {
        Refusal::UpstreamUnreachable => (
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "api_error",
            "upstream_unreachable",
            "The model's provider could not be reached.",
        ),
        Refusal::UpstreamInvalid => (
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "api_error",
            "upstream_invalid",
            "The model's provider did not answer properly.",
        ),
        Refusal::UpstreamTimeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            "timeout_error",
            "upstream_timeout",
            "The model's provider did not answer in time.",
        ),
        Refusal::Unavailable {
            reason: "audit_full" | "audit_unavailable" | "audit_unsynced",
            ..
        } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "authz_unavailable",
            "overloaded_error",
            "unavailable",
            "The request can't be recorded at the moment, and what can't be recorded is not served. Try again shortly.",
        ),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "authz_unavailable",
            "overloaded_error",
            "unavailable",
            "Access can't be decided at the moment. Try again shortly.",
        ),
    };
    Kind {
        status,
        openai_type: SERVER,
        code,
        anthropic_type,
        reason,
        message,
    }
}
