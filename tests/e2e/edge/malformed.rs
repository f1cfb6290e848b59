//! Bodies and headers that make no sense, or more than one: 400 in both dialects, each with its audit event.

use reqwest::Method;
use serde_json::json;
use turnpike_tests::{
    caller::{Answer, Caller},
    dev::Dev,
};

use super::refusals::assert_body;

const GOOD: &str = r#"{"model": "fake-openai/gpt-4o", "messages": [{"role": "user", "content": "hello"}]}"#;

const MALFORMED: &[(&str, &str)] = &[
    ("not JSON", "model=fake-openai/gpt-4o"),
    ("an array", "[]"),
    ("empty", ""),
    ("cut off", r#"{"model": "fake-openai/gpt-4o", "messages": []"#),
    (
        "something after the end",
        r#"{"model": "fake-openai/gpt-4o", "messages": []}{}"#,
    ),
    ("no model", r#"{"messages": []}"#),
    ("an empty model", r#"{"model": "", "messages": []}"#),
    ("a model that is no text", r#"{"model": 4, "messages": []}"#),
    (
        "a stream that is no flag",
        r#"{"model": "fake-openai/gpt-4o", "stream": "yes"}"#,
    ),
];

const AMBIGUOUS: &[(&str, &str)] = &[
    (
        "two models",
        r#"{"model": "fake-openai/gpt-4o", "model": "fake-openai/gpt-4o-mini"}"#,
    ),
    (
        "twice the same model",
        r#"{"model": "fake-openai/gpt-4o", "model": "fake-openai/gpt-4o"}"#,
    ),
    (
        "two cases",
        r#"{"model": "fake-openai/gpt-4o", "Model": "fake-openai/gpt-4o-mini"}"#,
    ),
    ("capitals alone", r#"{"MODEL": "fake-openai/gpt-4o"}"#),
    (
        "an escaped key",
        r#"{"model": "fake-openai/gpt-4o", "\u006dodel": "fake-openai/gpt-4o-mini"}"#,
    ),
    ("an escaped key alone", r#"{"mode\u006c": "fake-openai/gpt-4o"}"#),
    (
        "two streams",
        r#"{"model": "fake-openai/gpt-4o", "stream": false, "stream": true}"#,
    ),
];

fn bodies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let (open, close) = ("[".repeat(129), "]".repeat(129));
    let deep = format!(r#"{{"model": "fake-openai/gpt-4o", "messages": {open}{close}}}"#);
    let mut not_utf8 = GOOD.as_bytes().to_vec();
    not_utf8[70] = 0xff;
    let malformed = MALFORMED
        .iter()
        .map(|(name, text)| (*name, text.as_bytes().to_vec(), "malformed"));
    let ambiguous = AMBIGUOUS
        .iter()
        .map(|(name, text)| (*name, text.as_bytes().to_vec(), "ambiguous"));
    let more = [
        ("too deep", deep.into_bytes(), "malformed"),
        ("not UTF-8", not_utf8, "malformed"),
    ];
    malformed.chain(ambiguous).chain(more).collect()
}

#[tokio::test]
async fn a_body_that_two_readers_might_read_differently_is_refused_in_both_dialects_and_recorded() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("sloppy").await);
    let mut sent = Vec::new();
    for path in [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/embeddings",
        "/v1/responses",
    ] {
        for (name, body, reason) in bodies() {
            let request = caller
                .request(Method::POST, path)
                .header("content-type", "application/json")
                .body(body);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 400, "{name} on {path}: {answer:?}");
            assert_body(&answer, path, "invalid_request", "invalid_request_error");
            sent.push((name, reason, answer));
        }
    }
    let rows = dev
        .audited_all(sent.iter().map(|(.., answer)| answer.request_id()))
        .await;
    for (name, reason, answer) in &sent {
        let row = &rows[answer.request_id()];
        assert_eq!(
            (&row["reason"], &row["status"]),
            (&json!(reason), &json!(400)),
            "{name}: {row}"
        );
    }
    assert_eq!(
        caller.chat("fake-openai/gpt-4o").await.status,
        200,
        "and nobody is any the worse for it"
    );
}

#[tokio::test]
async fn two_credentials_that_differ_are_refused_and_the_same_one_twice_is_not() {
    let dev = Dev::start().await;
    let (key, other) = (dev.granted("one").await, dev.granted("other").await);
    let caller = Caller::new(&dev.edges[0].url(), None);
    let post = |path: &str| {
        caller
            .request(Method::POST, path)
            .header("content-type", "application/json")
            .body(GOOD)
    };
    for path in ["/v1/chat/completions", "/v1/messages"] {
        for header in ["x-api-key", "api-key", "x-goog-api-key"] {
            let conflicting = Answer::of(post(path).bearer_auth(&key.text).header(header, &other.text)).await;
            assert_eq!(conflicting.status, 400, "{conflicting:?}");
            assert_body(&conflicting, path, "invalid_request", "invalid_request_error");
            let rows = dev.audited_all([conflicting.request_id()]).await;
            assert_eq!(
                rows[conflicting.request_id()]["reason"],
                "conflicting_credentials"
            );
        }
    }
    for header in ["x-api-key", "api-key", "x-goog-api-key"] {
        let twice = post("/v1/chat/completions")
            .bearer_auth(&key.text)
            .header(header, &key.text);
        assert_eq!(Answer::of(twice).await.status, 200, "{header}");
        let alone = post("/v1/chat/completions").header(header, &key.text);
        assert_eq!(Answer::of(alone).await.status, 200, "{header}");
    }
}

#[tokio::test]
async fn metadata_that_is_none_is_refused_and_good_metadata_is_recorded() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("tagger").await);
    let with = |metadata: &str| {
        caller
            .post("/v1/chat/completions", &serde_json::from_str(GOOD).unwrap())
            .header("x-turnpike-metadata", metadata)
    };
    for bad in ["not json", "[1]", r#"{"a": {"b": 1}}"#] {
        assert_eq!(Answer::of(with(bad)).await.status, 400, "{bad}");
    }
    let good = Answer::of(with(r#"{"feature": "checkout"}"#)).await;
    assert_eq!(good.status, 200, "{good:?}");
    assert_eq!(
        dev.audited(good.request_id()).await["metadata"],
        json!({"feature": "checkout"})
    );
}
