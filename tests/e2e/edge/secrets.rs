//! The client's key stays at the edge, the provider's secret between edge and provider.

use serde_json::json;
use turnpike_tests::{
    caller::Answer,
    production::{PROVIDER_SECRET, Production},
};

const PATH: &str = "/v1/chat/completions";

#[tokio::test]
async fn the_provider_sees_its_own_secret_and_nothing_of_the_clients_identity() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("discreet").await;
    let caller = production.caller(&key);
    let body =
        json!({"model": "fake-faults/echo-request", "messages": [], "unknown_field": {"kept": [1, 2.50]}});
    let request = caller.post(&format!("{PATH}?kept=1"), &body);
    let request = request
        .header("x-api-key", &key.text)
        .header("api-key", &key.text)
        .header("cookie", "session=1");
    let request = request
        .header("x-turnpike-metadata", r#"{"a": "b"}"#)
        .header("x-turnpike-made-up", "1");
    let request = request.header("openai-beta", "kept").header("x-custom", "kept");
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.echo();
    assert_eq!(
        seen["headers"]["authorization"],
        json!([format!("Bearer {PROVIDER_SECRET}")])
    );
    let headers = seen["headers"].as_object().unwrap();
    let ours = |name: &&String| {
        name.starts_with("x-turnpike-") || ["x-api-key", "api-key", "cookie"].contains(&name.as_str())
    };
    assert_eq!(headers.keys().find(ours), None, "{headers:?}");
    assert!(
        !seen.to_string().contains(&key.text),
        "the client's key went to the provider"
    );
    assert_eq!(
        (&headers["openai-beta"], &headers["x-custom"]),
        (&json!(["kept"]), &json!(["kept"]))
    );
    assert_eq!(seen["query"], "kept=1", "query strings pass");
    let sent = body
        .to_string()
        .replace("fake-faults/echo-request", "echo-request");
    assert_eq!(seen["raw_body"], sent, "the client's bytes, but for the model");
}
