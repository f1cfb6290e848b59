//! A revocation ends the streams that are under way, where the tenant chose so, and tells their clients why.

use reqwest::Response;
use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Caller, streamed},
    dev::Dev,
    ground::Key,
};

/// Two chunks, and then nothing any more, for ever.
const STALLS: &str = "fake-faults/fault-stall-stream";

async fn begun(caller: &Caller, path: &str, body: &Value) -> (Response, String) {
    let mut stream = caller.post(path, body).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let first = stream.chunk().await.unwrap().unwrap();
    (stream, String::from_utf8(first.to_vec()).unwrap())
}

async fn rest(mut stream: Response) -> String {
    let mut text = String::new();
    while let Ok(Some(piece)) = stream.chunk().await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text
}

fn id(stream: &Response) -> String {
    stream.headers()["x-request-id"].to_str().unwrap().to_owned()
}

/// A provider of the other dialect that stalls.
async fn stalling_claude(dev: &Dev) {
    let url = dev.admin.words("provider get fake-anthropic").await["base_url"].clone();
    let create = [
        "provider",
        "create",
        "stalling",
        "--kind",
        "anthropic",
        "--base-url",
        url.as_str().unwrap(),
    ];
    let create = [
        &create[..],
        &["--catalogue", "open", "--secret-from-env", "SECRET", "--wait"],
    ]
    .concat();
    let secret = dev.secret("fake-provider");
    dev.admin.json_with(&create, &[("SECRET", &secret)]).await;
}

#[tokio::test]
async fn a_revocation_ends_the_streams_of_its_key_with_a_last_event_and_nobody_elses() {
    let dev = Dev::start().await;
    dev.admin
        .words("tenant update dev --end-streams true --wait")
        .await;
    stalling_claude(&dev).await;
    let (key, other) = (dev.granted("leaked").await, dev.granted("bystander").await);
    dev.allow(&key.owner, "stalling/*").await;
    let chat = "/v1/chat/completions";
    let (openai, _) = begun(&dev.caller(&key), chat, &streamed(STALLS)).await;
    let mut body = streamed("stalling/fault-stall-stream");
    body["max_tokens"] = json!(64);
    let (anthropic, _) = begun(&dev.caller(&key), "/v1/messages", &body).await;
    let (spared, _) = begun(&dev.caller(&other), chat, &streamed("fake-faults/slow-stream")).await;
    let ids = [id(&openai), id(&anthropic)];

    dev.admin.json(&["credential", "revoke", &key.id, "--wait"]).await;
    let last = rest(openai).await;
    let last = last.trim_end().rsplit("\n\n").next().unwrap();
    let event: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event["error"]["code"], "invalid_api_key", "{event}");
    assert!(
        event["error"]["message"].as_str().unwrap().contains("revoked"),
        "{event}"
    );
    let last = rest(anthropic).await;
    let last = last.trim_end().rsplit("\n\n").next().unwrap();
    let data = last
        .strip_prefix("event: error\ndata: ")
        .unwrap_or_else(|| panic!("{last}"));
    let event: Value = serde_json::from_str(data).unwrap();
    assert_eq!(event["error"]["type"], "authentication_error", "{event}");
    for id in &ids {
        let row = dev.audited(id).await;
        assert_eq!(
            (&row["ending"], &row["status"]),
            (&json!("revoked"), &json!(200)),
            "{row}"
        );
    }
    assert!(
        rest(spared).await.ends_with("data: [DONE]\n\n"),
        "somebody else's stream"
    );
}

async fn ends_with(dev: &Dev, key: &Key, change: &[&str]) {
    let (stream, _) = begun(&dev.caller(key), "/v1/chat/completions", &streamed(STALLS)).await;
    dev.admin.json(change).await;
    let last = rest(stream).await;
    assert!(last.contains("was revoked"), "after {change:?}: {last}");
}

#[tokio::test]
async fn whatever_takes_a_key_away_ends_its_streams() {
    let dev = Dev::start().await;
    dev.admin
        .words("tenant update dev --end-streams true --wait")
        .await;
    let [suspended, deactivated] = [dev.granted("suspended").await, dev.granted("deactivated").await];
    ends_with(
        &dev,
        &suspended,
        &["credential", "suspend", &suspended.id, "--wait"],
    )
    .await;
    let deactivate = [
        "virtual-account",
        "update",
        "deactivated",
        "--deactivated",
        "true",
        "--wait",
    ];
    ends_with(&dev, &deactivated, &deactivate).await;
}

#[tokio::test]
async fn a_tenant_that_did_not_choose_so_keeps_its_streams_to_their_end() {
    let dev = Dev::start().await;
    let key = dev.granted("unhurried").await;
    let body = streamed("fake-faults/slow-stream");
    let (stream, _) = begun(&dev.caller(&key), "/v1/chat/completions", &body).await;
    dev.admin.json(&["credential", "revoke", &key.id, "--wait"]).await;
    assert!(rest(stream).await.ends_with("data: [DONE]\n\n"));
}
