//! Wrong routes, methods, types and sizes: 404, 405, 413 and 415 in both dialects, each with its audit event.

use reqwest::Method;
use serde_json::json;
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    dev::Dev,
    production::Production,
};

use super::refusals::{assert_body, forged};

const OPENAI: &str = "/v1/chat/completions";
const ANTHROPIC: &str = "/v1/messages";
const INVALID: &str = "invalid_request_error";

#[tokio::test]
async fn wrong_routes_methods_and_types_are_refused_as_http_says() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("clumsy").await);
    let (get, post, json, text) = (Method::GET, Method::POST, "application/json", "text/plain");
    for (method, path, sent, status, code, kind) in [
        (&post, "/v1/nothing", json, 404, "not_found", "not_found_error"),
        (&post, "/v1/messages/x", json, 404, "not_found", "not_found_error"),
        (&get, OPENAI, json, 405, "method_not_allowed", INVALID),
        (&get, ANTHROPIC, json, 405, "method_not_allowed", INVALID),
        (&post, OPENAI, text, 415, "unsupported_media_type", INVALID),
        (&post, ANTHROPIC, text, 415, "unsupported_media_type", INVALID),
    ] {
        let request = caller.request(method.clone(), path).header("content-type", sent);
        let answer = Answer::of(request.body(chat("fake-openai/gpt-4o").to_string())).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_body(&answer, path, code, kind);
        assert_eq!(answer.header("allow"), if status == 405 { "POST" } else { "" });
        let rows = dev.audited_all([answer.request_id()]).await;
        let reason = if status == 404 { "route_not_found" } else { code };
        assert_eq!(rows[answer.request_id()]["reason"], reason);
    }
}

#[tokio::test]
async fn a_body_too_large_is_refused_and_a_stranger_learns_nothing_of_the_limit() {
    let production = Production::with_one_edge(&["--body-limit", "128KiB"]).await;
    let key = production.granted("verbose").await;
    let mut body = chat("fake-openai/gpt-4o");
    body["padding"] = json!("x".repeat(200 * 1024));
    for (path, caller, status, code, kind) in [
        (
            OPENAI,
            production.caller(&key),
            413,
            "payload_too_large",
            "request_too_large",
        ),
        (
            ANTHROPIC,
            production.caller(&key),
            413,
            "payload_too_large",
            "request_too_large",
        ),
        (
            OPENAI,
            Caller::new(&production.edges[0].url(), Some(&forged(&key))),
            401,
            "invalid_api_key",
            "authentication_error",
        ),
    ] {
        let answer = Answer::of(caller.post(path, &body)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_body(&answer, path, code, kind);
        let rows = production.audited_all([answer.request_id()]).await;
        assert_eq!(rows[answer.request_id()]["status"], status);
    }
}
