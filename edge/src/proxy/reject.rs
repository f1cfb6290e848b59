//! How a request is refused: the one place that knows status codes and error bodies.
//!
//! Shapes are those that the official OpenAI and Anthropic SDKs read. A public message never tells which of several
//! hidden causes it was; that is the audit's, as [`Refusal::reason`].

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::route::{Dialect, Endpoint};

mod body;
mod kind;
#[cfg(test)]
mod tests;

use kind::Kind;

/// On every response of the edge.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// On every response to an Anthropic client beside [`REQUEST_ID`].
pub const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Why a request is not served. `reason` is one word for machines, for the audit only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request makes no sense; the sentence says why.
    Malformed(Cow<'static, str>),
    /// 400: the request makes more than one sense.
    Ambiguous(Cow<'static, str>),
    /// 400: two credentials that differ, or the same header twice.
    ConflictingCredentials,
    /// 401, the same for every cause.
    Unauthenticated {
        /// `credential_unknown` …
        reason: &'static str,
    },
    /// What opened a stream was revoked while it was under way: its last event.
    Revoked,
    /// 403: a known caller, a model that it may know of, and a no.
    Forbidden {
        /// The action judged.
        action: Cow<'static, str>,
        /// The model as its tenant knows it, `None` where the action concerns none.
        model: Option<Box<str>>,
        /// Names the decision to whoever can look it up.
        decision: Box<str>,
        /// `no_grant` …
        reason: &'static str,
    },
    /// 404, the same whether the model does not exist, is another tenant's, or is hidden.
    ModelNotFound {
        /// `model_unknown` …
        reason: &'static str,
    },
    /// 404: no such route.
    RouteNotFound,
    /// 405.
    MethodNotAllowed {
        /// The methods that are.
        allow: &'static str,
    },
    /// 408: the request did not arrive in time.
    RequestTimeout,
    /// 413.
    PayloadTooLarge {
        /// The most that is taken, in bytes.
        limit: u64,
    },
    /// 415.
    UnsupportedMediaType {
        /// What the route takes.
        expected: &'static str,
    },
    /// 431.
    HeadersTooLarge,
    /// 429: too many at once; later it will do.
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// 429: the budget is spent; trying again is no use.
    BudgetExhausted,
    /// 502: the provider can't be reached.
    UpstreamUnreachable,
    /// 502: the provider broke off, or answered what can't be passed on.
    UpstreamInvalid,
    /// 504: the provider was too slow.
    UpstreamTimeout,
    /// 503: the edge can't decide, or can't take the request now. Never a statement about the caller.
    Unavailable {
        /// `no_snapshot`, `revoked`, `drained`, `fenced`, `position_not_reached`, `draining` …
        reason: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The response's status.
    pub fn status(&self) -> http::StatusCode {
        self.kind().status
    }

    /// One word for machines, for audit records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unauthenticated { reason }
            | Self::Forbidden { reason, .. }
            | Self::ModelNotFound { reason }
            | Self::Unavailable { reason, .. } => reason,
            other => other.kind().reason,
        }
    }

    /// The whole response.
    pub fn response(&self, dialect: Dialect, request_id: &str) -> Response<Bytes> {
        let kind = self.kind();
        let mut response = Response::new(body::json(&kind, &self.message(), dialect, request_id));
        *response.status_mut() = kind.status;
        let headers = response.headers_mut();
        let content_type = match dialect {
            Dialect::AuthZen => "text/plain; charset=utf-8",
            Dialect::OpenAi | Dialect::Anthropic => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            if dialect == Dialect::Anthropic {
                headers.insert(ANTHROPIC_REQUEST_ID, id.clone());
            }
            headers.insert(REQUEST_ID, id);
        }
        match self {
            Self::Unauthenticated { .. } | Self::Revoked => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::MethodNotAllowed { allow } => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::BudgetExhausted => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                let milliseconds = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                headers.insert(RETRY_AFTER, milliseconds.div_ceil(1000).into());
                headers.insert(RETRY_AFTER_MS, milliseconds.into());
            }
            _ => {}
        }
        response
    }

    /// The last event of a stream that failed after its first byte.
    pub fn sse_event(&self, endpoint: Endpoint, request_id: &str) -> Bytes {
        body::event(&self.kind(), &self.message(), endpoint, request_id)
    }

    /// For the client. Says nothing that it may not know.
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Malformed(sentence) | Self::Ambiguous(sentence) => Cow::Borrowed(sentence),
            Self::Forbidden {
                action,
                model: Some(model),
                decision,
                ..
            } => Cow::Owned(format!(
                "You are not allowed to use {action} on model {model}. Decision {decision} says why."
            )),
            Self::Forbidden {
                action,
                model: None,
                decision,
                ..
            } => Cow::Owned(format!(
                "You are not allowed to use {action}. Decision {decision} says why."
            )),
            Self::MethodNotAllowed { allow } => Cow::Owned(format!("This route takes {allow} only.")),
            Self::PayloadTooLarge { limit } => {
                Cow::Owned(format!("The request body is larger than {limit} bytes."))
            }
            Self::UnsupportedMediaType { expected } => {
                Cow::Owned(format!("This route takes a body of type {expected}."))
            }
            other => Cow::Borrowed(other.kind().message),
        }
    }

    fn kind(&self) -> Kind {
        kind::of(self)
    }
}
