//! Every refusal, in both dialects, against its literal body.

use super::*;

const ID: &str = "req-1";

/// Refusal, status, reason, message, OpenAI's type and code, Anthropic's type.
type Row = (Refusal, u16, &'static str, &'static str, [&'static str; 3]);

fn requests() -> Vec<Row> {
    let invalid = [
        "invalid_request_error",
        "invalid_request",
        "invalid_request_error",
    ];
    let forbidden = |model: Option<&str>| Refusal::Forbidden {
        action: "inference.chat".into(),
        model: model.map(Box::from),
        decision: "d-1".into(),
        reason: "no_grant",
    };
    let permission = ["permission_error", "permission_denied", "permission_error"];
    vec![
        (Refusal::Malformed("No.".into()), 400, "malformed", "No.", invalid),
        (
            Refusal::Ambiguous("Two.".into()),
            400,
            "ambiguous",
            "Two.",
            invalid,
        ),
        (
            Refusal::ConflictingCredentials,
            400,
            "conflicting_credentials",
            "The request carries more than one credential. Send one, in one header.",
            invalid,
        ),
        (
            Refusal::Unauthenticated {
                reason: "credential_revoked",
            },
            401,
            "credential_revoked",
            "The API key is missing or not valid.",
            ["invalid_request_error", "invalid_api_key", "authentication_error"],
        ),
        (
            Refusal::Revoked,
            401,
            "revoked",
            "The credential that opened this stream was revoked.",
            ["invalid_request_error", "invalid_api_key", "authentication_error"],
        ),
        (
            forbidden(Some("p/m")),
            403,
            "no_grant",
            "You are not allowed to use inference.chat on model p/m. Decision d-1 says why.",
            permission,
        ),
        (
            forbidden(None),
            403,
            "no_grant",
            "You are not allowed to use inference.chat. Decision d-1 says why.",
            permission,
        ),
    ]
}

fn absent() -> Vec<Row> {
    vec![
        (
            Refusal::ModelNotFound {
                reason: "model_unknown",
            },
            404,
            "model_unknown",
            "The model does not exist, or you have no access to it.",
            ["invalid_request_error", "model_not_found", "not_found_error"],
        ),
        (
            Refusal::RouteNotFound,
            404,
            "route_not_found",
            "There is no such route.",
            ["invalid_request_error", "not_found", "not_found_error"],
        ),
    ]
}

fn protocol() -> Vec<Row> {
    let invalid = "invalid_request_error";
    vec![
        (
            Refusal::MethodNotAllowed { allow: "POST" },
            405,
            "method_not_allowed",
            "This route takes POST only.",
            [invalid, "method_not_allowed", invalid],
        ),
        (
            Refusal::RequestTimeout,
            408,
            "request_timeout",
            "The request did not arrive in time.",
            [invalid, "request_timeout", "timeout_error"],
        ),
        (
            Refusal::PayloadTooLarge { limit: 9 },
            413,
            "payload_too_large",
            "The request body is larger than 9 bytes.",
            [invalid, "payload_too_large", "request_too_large"],
        ),
        (
            Refusal::UnsupportedMediaType {
                expected: "application/json",
            },
            415,
            "unsupported_media_type",
            "This route takes a body of type application/json.",
            [invalid, "unsupported_media_type", invalid],
        ),
        (
            Refusal::HeadersTooLarge,
            431,
            "headers_too_large",
            "The request's headers are too large.",
            [invalid, "headers_too_large", invalid],
        ),
    ]
}

fn limits_and_servers() -> Vec<Row> {
    let retry_after = Duration::from_millis(1500);
    vec![
        (
            Refusal::RateLimited { retry_after },
            429,
            "rate_limited",
            "Too many requests or tokens in too short a time. Try again later.",
            ["rate_limit_error", "rate_limit_exceeded", "rate_limit_error"],
        ),
        (
            Refusal::BudgetExhausted,
            429,
            "over_budget",
            "The budget for this use is spent.",
            ["insufficient_quota", "insufficient_quota", "rate_limit_error"],
        ),
        (
            Refusal::UpstreamUnreachable,
            502,
            "upstream_unreachable",
            "The model's provider could not be reached.",
            ["server_error", "upstream_error", "api_error"],
        ),
        (
            Refusal::UpstreamInvalid,
            502,
            "upstream_invalid",
            "The model's provider did not answer properly.",
            ["server_error", "upstream_error", "api_error"],
        ),
        (
            Refusal::UpstreamTimeout,
            504,
            "upstream_timeout",
            "The model's provider did not answer in time.",
            ["server_error", "upstream_timeout", "timeout_error"],
        ),
        (
            Refusal::Unavailable {
                reason: "fenced",
                retry_after,
            },
            503,
            "fenced",
            "Access can't be decided at the moment. Try again shortly.",
            ["server_error", "authz_unavailable", "overloaded_error"],
        ),
    ]
}

#[test]
fn every_refusal_has_its_status_and_its_exact_body_in_both_dialects() {
    for (refusal, status, reason, message, [r#type, code, anthropic]) in requests()
        .into_iter()
        .chain(absent())
        .chain(protocol())
        .chain(limits_and_servers())
    {
        let openai =
            format!(r#"{{"error":{{"message":"{message}","type":"{type}","param":null,"code":"{code}"}}}}"#);
        let anthropic = format!(
            r#"{{"type":"error","error":{{"type":"{anthropic}","message":"{message}"}},"request_id":"req-1"}}"#
        );
        assert_eq!(refusal.reason(), reason);
        for (dialect, body) in [(Dialect::OpenAi, &openai), (Dialect::Anthropic, &anthropic)] {
            let response = refusal.response(dialect, ID);
            assert_eq!(response.status().as_u16(), status, "{refusal:?}");
            assert_eq!(response.body(), body.as_bytes(), "{refusal:?}");
            assert_eq!(response.headers()["x-request-id"], ID);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(
                response.headers().contains_key("request-id"),
                dialect == Dialect::Anthropic
            );
        }
        let chat = refusal.sse_event(Endpoint::ChatCompletions, ID);
        assert_eq!(chat, format!("data: {openai}\n\n"));
        assert_eq!(
            refusal.sse_event(Endpoint::Messages, ID),
            format!("event: error\ndata: {anthropic}\n\n")
        );
    }
}

#[test]
fn the_responses_api_has_a_named_error_event() {
    let event = Refusal::UpstreamInvalid.sse_event(Endpoint::Responses, ID);
    let expected = concat!(
        "event: error\ndata: {\"type\":\"error\",\"code\":\"upstream_error\",",
        "\"message\":\"The model's provider did not answer properly.\",\"param\":null,",
        "\"error\":{\"message\":\"The model's provider did not answer properly.\",\"type\":\"server_error\",",
        "\"param\":null,\"code\":\"upstream_error\"}}\n\n"
    );
    assert_eq!(event, expected);
}

#[test]
fn each_refusal_carries_the_headers_that_clients_act_on_and_no_others() {
    let retry_after = Duration::from_millis(1500);
    let acted_on = [
        "www-authenticate",
        "allow",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
    ];
    for (refusal, expected) in [
        (
            Refusal::Unauthenticated {
                reason: "credential_unknown",
            },
            vec![("www-authenticate", "Bearer")],
        ),
        (Refusal::MethodNotAllowed { allow: "GET" }, vec![("allow", "GET")]),
        (
            Refusal::RateLimited { retry_after },
            vec![("retry-after", "2"), ("retry-after-ms", "1500")],
        ),
        (Refusal::BudgetExhausted, vec![("x-should-retry", "false")]),
        (
            Refusal::Unavailable {
                reason: "fenced",
                retry_after,
            },
            vec![("retry-after", "2"), ("retry-after-ms", "1500")],
        ),
        (Refusal::RouteNotFound, vec![]),
    ] {
        let response = refusal.response(Dialect::OpenAi, ID);
        let sent: Vec<_> = acted_on
            .into_iter()
            .filter_map(|name| Some((name, response.headers().get(name)?.to_str().ok()?)))
            .collect();
        assert_eq!(sent, expected, "{refusal:?}");
    }
}

#[test]
fn a_model_that_is_not_found_looks_the_same_whatever_the_cause() {
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        let [one, other] = ["model_unknown", "model_hidden"]
            .map(|reason| Refusal::ModelNotFound { reason }.response(dialect, ID));
        assert_eq!(
            (one.status(), one.headers(), one.body()),
            (other.status(), other.headers(), other.body())
        );
    }
}
