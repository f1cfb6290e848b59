//! The provider called in place. That the official clients accept it is tried by tests/clients.

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Settings, router};

async fn post(path: &str, body: Value) -> Response<Body> {
    let request = Request::post(path)
        .header("authorization", "Bearer any")
        .body(Body::from(body.to_string()))
        .unwrap();
    router(Settings::default()).oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 24).await.unwrap().to_vec()).unwrap()
}

fn chat(model: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "good morning"}]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn an_answer_repeats_the_user_and_names_the_model() {
    let answer: Value =
        serde_json::from_str(&text(post("/v1/chat/completions", chat("m1", json!({}))).await).await).unwrap();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "m1 heard: good morning"
    );
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn usage_is_streamed_only_when_asked_for() {
    let without = text(post("/v1/chat/completions", chat("m1", json!({"stream": true}))).await).await;
    assert!(!without.contains("usage"), "{without}");
    assert!(without.ends_with("data: [DONE]\n\n"), "{without}");
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let with = text(post("/v1/chat/completions", chat("m1", asked)).await).await;
    let last = with.trim_end().rsplit("\n\n").nth(1).unwrap();
    let last: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 6);
}

#[tokio::test]
async fn a_request_without_the_required_key_is_refused() {
    let settings = Settings {
        required_key: Some("right".to_owned()),
        ..Settings::default()
    };
    let request = |key: &str| {
        Request::get("/v1/models")
            .header("api-key", key)
            .body(Body::empty())
            .unwrap()
    };
    let router = router(settings);
    assert_eq!(
        router.clone().oneshot(request("wrong")).await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        router.oneshot(request("right")).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_long_stream_has_as_many_chunks_as_its_name_says() {
    let body = text(
        post(
            "/v1/chat/completions",
            chat("long-stream-100", json!({"stream": true})),
        )
        .await,
    )
    .await;
    assert_eq!(body.matches("\"content\":\"word").count(), 100);
}

#[tokio::test]
async fn a_rejected_option_and_a_demanded_status_are_answered_as_such() {
    let options = json!({"stream": true, "stream_options": {}});
    let rejected = post(
        "/v1/chat/completions",
        chat("fault-rejects-stream-options", options),
    )
    .await;
    assert_eq!(rejected.status(), StatusCode::BAD_REQUEST);
    let limited = post("/v1/messages", chat("fault-status-429", json!({}))).await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(limited.headers()["retry-after"], "1");
}

#[tokio::test]
async fn a_broken_stream_ends_in_an_error_after_two_chunks() {
    let response = post(
        "/v1/chat/completions",
        chat("fault-close-stream", json!({"stream": true})),
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(to_bytes(response.into_body(), 1 << 20).await.is_err());
}

#[tokio::test]
async fn an_echo_tells_what_the_provider_saw() {
    let body = post(
        "/v1/chat/completions?a=b",
        chat("echo-request", json!({"odd": 1})),
    )
    .await;
    let answer: Value = serde_json::from_str(&text(body).await).unwrap();
    let seen: Value =
        serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(seen["query"], "a=b");
    assert_eq!(seen["headers"]["authorization"], json!(["Bearer any"]));
    assert_eq!(seen["body"]["odd"], 1);
}
