//! Providers that fail: each failure has its status and body, its record, and no effect on anybody else.

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, streamed},
    ground::Key,
    production::Production,
};

use super::refusals::assert_body;

const OPENAI: &str = "/v1/chat/completions";

struct Faulty {
    production: Production,
    key: Key,
}

impl Faulty {
    async fn start() -> Self {
        let flags = [
            "--first-byte-timeout",
            "1",
            "--idle-timeout",
            "1",
            "--connect-timeout",
            "1",
        ];
        let production = Production::with_one_edge(&flags).await;
        let url = format!("http://{}", production.provider);
        production.provider("broken-anthropic", "anthropic", &url).await;
        // Port 9 discards, and nobody listens there.
        production
            .provider("nowhere", "openai", "http://127.0.0.1:9/v1")
            .await;
        let key = production.granted("victim").await;
        for models in ["broken-anthropic/*", "nowhere/*"] {
            production.allow(&key.owner, models).await;
        }
        Self { production, key }
    }

    async fn chat(&self, model: &str) -> Answer {
        self.production.caller(&self.key).chat(model).await
    }

    async fn stream(&self, model: &str) -> Answer {
        self.production.caller(&self.key).stream(model).await
    }

    async fn row(&self, answer: &Answer) -> Value {
        self.production.audited(answer.request_id()).await
    }
}

#[tokio::test]
async fn an_error_of_the_provider_is_passed_on_with_its_status_and_retry_after() {
    let faulty = Faulty::start().await;
    for status in [400, 404, 429, 500, 503] {
        let answer = faulty.chat(&format!("fake-faults/fault-status-{status}")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("The fake provider was asked"), "{message}");
        let expected = if matches!(status, 429 | 503) { "1" } else { "" };
        assert_eq!(answer.header("retry-after"), expected);
        assert!(
            answer.header("x-upstream-request-id").starts_with("req_fake_"),
            "{answer:?}"
        );
        assert!(
            !answer.headers.contains_key("x-ratelimit-limit-requests"),
            "a provider's limits are renamed"
        );
        let row = faulty.row(&answer).await;
        assert_eq!(
            (&row["status"], &row["upstream_status"]),
            (&json!(status), &json!(status))
        );
        assert_eq!(row["outcome"], "allowed");
    }
}

#[tokio::test]
async fn a_provider_that_stalls_closes_or_is_not_there_is_a_502_or_504_in_both_dialects() {
    let faulty = Faulty::start().await;
    for (model, status, code, kind, reason) in [
        (
            "fake-faults/fault-stall",
            504,
            "upstream_timeout",
            "timeout_error",
            "upstream_timeout",
        ),
        (
            "fake-faults/fault-close",
            502,
            "upstream_error",
            "api_error",
            "upstream_invalid",
        ),
        (
            "nowhere/gpt-4o",
            502,
            "upstream_error",
            "api_error",
            "upstream_unreachable",
        ),
    ] {
        for answer in [faulty.chat(model).await, faulty.stream(model).await] {
            assert_eq!(answer.status, status, "{model}: {answer:?}");
            assert_body(&answer, OPENAI, code, kind);
            assert!(
                !answer.text().contains("127.0.0.1"),
                "where providers are is nobody's business"
            );
            let row = faulty.row(&answer).await;
            assert_eq!(
                (&row["status"], &row["reason"]),
                (&json!(status), &json!(reason)),
                "{row}"
            );
        }
        let Some(fault) = model.strip_prefix("fake-faults/") else {
            continue;
        };
        let answer = faulty
            .production
            .caller(&faulty.key)
            .messages(&format!("broken-anthropic/{fault}"), false)
            .await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_body(&answer, "/v1/messages", code, kind);
    }
    assert_eq!(
        faulty.chat("fake-openai/gpt-4o").await.status,
        200,
        "everybody else is served"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_or_stalls_ends_with_an_error_event() {
    let faulty = Faulty::start().await;
    for (fault, code) in [
        ("fault-close-stream", "upstream_error"),
        ("fault-stall-stream", "upstream_timeout"),
    ] {
        let answer = faulty.stream(&format!("fake-faults/{fault}")).await;
        assert_eq!(answer.status, 200, "the 200 was out already");
        let events = answer.events();
        assert!(events[0]["choices"].is_array(), "{events:?}");
        assert_eq!(events.last().unwrap()["error"]["code"], code, "{events:?}");
        assert!(!answer.text().contains("[DONE]"), "it is not done");
        let row = faulty.row(&answer).await;
        assert_eq!(
            (&row["ending"], &row["streamed"]),
            (&json!("upstream_broke"), &json!(true)),
            "{row}"
        );

        let caller = faulty.production.caller(&faulty.key);
        let answer = caller.messages(&format!("broken-anthropic/{fault}"), true).await;
        assert!(answer.text().contains("event: error\n"), "{answer:?}");
        assert_eq!(answer.events().last().unwrap()["type"], "error");
    }
}

#[tokio::test]
async fn usage_that_is_missing_is_not_zero_and_providers_that_refuse_to_be_asked_are_not_asked() {
    let faulty = Faulty::start().await;
    for answer in [
        faulty.chat("fake-faults/fault-no-usage").await,
        faulty.stream("fake-faults/fault-no-usage").await,
    ] {
        assert_eq!(answer.status, 200);
        let row = faulty.row(&answer).await;
        assert_eq!(
            (&row["input_tokens"], &row["output_tokens"]),
            (&Value::Null, &Value::Null),
            "{row}"
        );
    }
    // The first finds out, the second knows.
    for _ in 0..2 {
        let answer = faulty.stream("fake-faults/fault-rejects-stream-options").await;
        assert_eq!(
            (answer.status, answer.text().contains("[DONE]")),
            (200, true),
            "{answer:?}"
        );
    }
    let mut asking = streamed("fake-faults/fault-rejects-stream-options");
    asking["stream_options"] = json!({"include_usage": true});
    let answer = Answer::of(faulty.production.caller(&faulty.key).post(OPENAI, &asking)).await;
    assert_eq!(
        answer.status, 400,
        "a client that asks itself is told what the provider says"
    );
}

#[tokio::test]
async fn garbage_and_endless_bodies_pass_without_harm() {
    let faulty = Faulty::start().await;
    let garbage = faulty.chat("fake-faults/fault-garbage").await;
    assert_eq!(garbage.status, 200, "{garbage:?}");
    let row = faulty.row(&garbage).await;
    assert_eq!(row["input_tokens"], Value::Null, "{row}");

    let caller = faulty.production.caller(&faulty.key);
    let mut endless = caller
        .post(OPENAI, &streamed("fake-faults/fault-huge"))
        .send()
        .await
        .unwrap();
    let id = endless.headers()["x-request-id"].to_str().unwrap().to_owned();
    let mut read = 0;
    while read < 2 << 20 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
    drop(endless);
    let row = faulty.production.audited(&id).await;
    assert_eq!(row["ending"], "client_gone", "{row}");
    assert_eq!(faulty.chat("fake-openai/gpt-4o").await.status, 200);
}
