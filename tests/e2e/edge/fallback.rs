//! Another model is served to those who are not allowed what they asked for, and they are told.

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, chat},
    dev::Dev,
    ground::Key,
};

const ASKED: &str = "fake-openai/gpt-4o";
const SUBSTITUTE: &str = "fake-openai/gpt-4o-mini";

#[tokio::test]
async fn a_substitute_is_served_named_and_recorded_unless_the_client_would_rather_be_refused() {
    let dev = Dev::start().await;
    let key = dev.application("saver").await;
    dev.allow(&key.owner, SUBSTITUTE).await;
    let caller = dev.caller(&key);
    assert_eq!(caller.chat(ASKED).await.status, 403, "no rule yet");
    dev.admin
        .json(&[
            "fallback",
            "create",
            "--from",
            "fake-openai/gpt-*",
            "--to",
            SUBSTITUTE,
            "--wait",
        ])
        .await;

    let answer = caller.chat(ASKED).await;
    assert_eq!(
        (answer.status, answer.header("x-turnpike-model")),
        (200, SUBSTITUTE),
        "{answer:?}"
    );
    assert_eq!(answer.header("x-turnpike-fallback"), ASKED);
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "gpt-4o-mini heard: good morning"
    );
    let row = dev.audited(answer.request_id()).await;
    assert_eq!(
        (
            &row["model_requested"],
            &row["model_served"],
            &row["fallback_from"]
        ),
        (&json!(ASKED), &json!(SUBSTITUTE), &json!(ASKED))
    );

    let rather_not = caller
        .post("/v1/chat/completions", &chat(ASKED))
        .header("x-turnpike-fallback", "none");
    let refused = Answer::of(rather_not).await;
    assert_eq!(
        (refused.status, refused.header("x-turnpike-fallback")),
        (403, ""),
        "{refused:?}"
    );
    let plain = caller.chat(SUBSTITUTE).await;
    assert_eq!((plain.status, plain.header("x-turnpike-fallback")), (200, ""));
}

#[tokio::test]
async fn a_substitute_is_judged_itself_and_never_substituted_again() {
    let dev = Dev::start().await;
    let key = dev.application("chained").await;
    dev.allow(&key.owner, "fake-openai/llama-3").await;
    for (from, to) in [(ASKED, SUBSTITUTE), (SUBSTITUTE, "fake-openai/llama-3")] {
        dev.admin
            .json(&["fallback", "create", "--from", from, "--to", to, "--wait"])
            .await;
    }
    let caller = dev.caller(&key);
    assert_eq!(
        caller.chat(ASKED).await.status,
        403,
        "one hop does not reach what is allowed"
    );
    assert_eq!(
        caller.chat(SUBSTITUTE).await.header("x-turnpike-model"),
        "fake-openai/llama-3"
    );
    let row = dev.audited(caller.chat(ASKED).await.request_id()).await;
    assert_eq!(
        (&row["model_served"], &row["reason"]),
        (&Value::Null, &json!("no_grant")),
        "{row}"
    );
}

#[tokio::test]
async fn a_narrowed_key_may_less_than_its_owner_and_never_more() {
    let dev = Dev::start().await;
    let wide = dev.granted("owner").await;
    for (flags, model, status, reason) in [
        (&["--model", SUBSTITUTE][..], SUBSTITUTE, 200, "granted"),
        (&["--model", SUBSTITUTE], ASKED, 403, "scope_model"),
        (&["--action", "models.*"], ASKED, 403, "scope_action"),
        (&["--environment", "staging"], ASKED, 403, "scope_environment"),
        (
            &["--environment", "staging"],
            "fake-openai/llama-3",
            200,
            "granted",
        ),
        (&["--network", "10.0.0.0/8"], ASKED, 403, "scope_network"),
        (&["--network", "127.0.0.0/8"], ASKED, 200, "granted"),
    ] {
        let narrow = dev.key(&wide.owner, flags).await;
        let answer = dev.caller(&narrow).chat(model).await;
        assert_eq!(answer.status, status, "{flags:?}: {answer:?}");
        assert_eq!(
            dev.audited(answer.request_id()).await["reason"],
            reason,
            "{flags:?}"
        );
    }
    let lone = dev.application("lone").await;
    let scoped = dev.key(&lone.owner, &["--model", "fake-openai/*"]).await;
    assert_eq!(
        dev.caller(&scoped).chat(ASKED).await.status,
        403,
        "a scope never adds"
    );
}

/// Somebody for whom three models may stand in: one that is spoken to in another dialect, one that can do little, and one
/// that can do much.
async fn picky(dev: &Dev) -> Key {
    let key = dev.application("picky").await;
    let substitutes = [
        "fake-anthropic/claude-sonnet-5",
        "fake-openai/llama-3",
        SUBSTITUTE,
    ];
    let llama = "model update fake-openai/llama-3 --capability streaming --context-tokens 2000";
    let mini =
        "model update fake-openai/gpt-4o-mini --capability tools --capability vision --capability json";
    for command in [llama, mini] {
        dev.admin.words(command).await;
    }
    for to in substitutes {
        dev.allow(&key.owner, to).await;
        dev.admin
            .json(&["fallback", "create", "--from", ASKED, "--to", to, "--wait"])
            .await;
    }
    key
}

#[tokio::test]
async fn a_substitute_must_be_able_to_do_what_the_request_needs() {
    let dev = Dev::start().await;
    let key = picky(&dev).await;
    let caller = dev.caller(&key);
    let long = "word ".repeat(4_000);
    for (more, served) in [
        (json!({}), "fake-openai/llama-3"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f"}}]}),
            SUBSTITUTE,
        ),
        (json!({"response_format": {"type": "json_object"}}), SUBSTITUTE),
        (json!({"max_tokens": 5_000}), SUBSTITUTE),
        (
            json!({"messages": [{"role": "user", "content": long}]}),
            SUBSTITUTE,
        ),
        (
            json!({"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}),
            SUBSTITUTE,
        ),
    ] {
        let mut body = chat(ASKED);
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = Answer::of(caller.post("/v1/chat/completions", &body)).await;
        assert_eq!(
            (answer.status, answer.header("x-turnpike-model")),
            (200, served),
            "{more}"
        );
    }
}

#[tokio::test]
async fn explain_says_of_each_rule_why_it_was_passed_over() {
    let dev = Dev::start().await;
    let key = picky(&dev).await;
    let explain = [
        "explain",
        "--as",
        &key.owner,
        "--action",
        "inference.chat",
        "--model",
        ASKED,
        "--accept-fallback",
        "--needs",
        "tools",
    ];
    let explained = dev.admin.json(&explain).await;
    assert_eq!(explained["model"], SUBSTITUTE);
    let passed_over = explained["passed_over"].as_array().unwrap();
    let sentences: Vec<_> = passed_over.iter().map(|one| one.as_str().unwrap()).collect();
    assert!(
        sentences[0].contains("dialect") && sentences[1].contains("tools"),
        "{sentences:?}"
    );
}
