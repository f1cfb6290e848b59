//! The story that the README tells: an application is set up, let in, explained, and shut out again.

use serde_json::json;
use turnpike_tests::{
    caller::Caller,
    dev::Dev,
    eventually::eventually,
    ground::Ground,
    production::{PROVIDER_SECRET, Production},
};

const MODEL: &str = "openai-main/gpt-4o";

type Call = (String, &'static str, &'static str, u64);

async fn the_story(ground: &Ground, base_url: &str, secret: &str) {
    let admin = &ground.admin;
    let create = [
        "provider",
        "create",
        "openai-main",
        "--kind",
        "openai",
        "--base-url",
        base_url,
    ];
    let create = [&create[..], &["--secret-from-env", "OPENAI_API_KEY"]].concat();
    admin.json_with(&create, &[("OPENAI_API_KEY", secret)]).await;
    admin
        .words("virtual-account create checkout-bot --team payments")
        .await;
    let made = admin
        .words("credential create --owner virtual-account:checkout-bot --wait")
        .await;
    let (key, id) = (
        made["key"].as_str().unwrap(),
        made["credential"]["id"].as_str().unwrap(),
    );
    assert!(
        key.starts_with(&format!("tp_va_{id}_")),
        "the id is the key's public part"
    );

    let mut calls = everywhere(ground, key, "refused", "no_grant", 403).await;
    let bot = "virtual-account:checkout-bot";
    let grant = format!("grant create --to {bot} --role developer --model openai-main/gpt-4o* --wait");
    admin.words(&grant).await;
    let explain = format!("explain --as {bot} --action inference.chat --model openai-main/gpt-4o");
    let explained = admin.words(&explain).await;
    assert_eq!(
        (&explained["allowed"], &explained["reason"]),
        (&json!(true), &json!("granted"))
    );
    assert_eq!(
        explained["considered"].as_array().unwrap().len(),
        1,
        "{explained}"
    );
    calls.extend(everywhere(ground, key, "allowed", "granted", 200).await);

    let revoked = admin.words(&format!("credential revoke {id} --wait")).await;
    let told = (&revoked["receipt"]["applied"], &revoked["credential"]["status"]);
    assert_eq!(told, (&json!(true), &json!("revoked")));
    calls.extend(everywhere(ground, key, "refused", "credential_revoked", 401).await);
    every_call_is_listed(ground, &calls).await;
}

/// Calls every edge, and says how the audit should tell of it.
async fn everywhere(
    ground: &Ground,
    key: &str,
    outcome: &'static str,
    reason: &'static str,
    status: u16,
) -> Vec<Call> {
    let mut calls = Vec::new();
    for edge in &ground.edges {
        let answer = Caller::new(&edge.url(), Some(key)).chat(MODEL).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let served = if status == 200 { MODEL } else { "" };
        assert_eq!(answer.header("x-turnpike-model"), served, "{answer:?}");
        calls.push((answer.request_id().to_owned(), outcome, reason, u64::from(status)));
    }
    calls
}

/// None missing, none twice.
async fn every_call_is_listed(ground: &Ground, requests: &[Call]) {
    let rows = eventually("the audit of checkout-bot", async || {
        let rows = ground
            .audit(&["--principal", "virtual-account:checkout-bot"])
            .await;
        if rows.len() < requests.len() {
            Err(rows)
        } else {
            Ok(rows)
        }
    })
    .await;
    let listed: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| {
            (
                &row["request_id"],
                &row["outcome"],
                &row["reason"],
                &row["status"],
            )
        })
        .collect();
    let expected: Vec<_> = requests
        .iter()
        .map(|(id, outcome, reason, status)| (json!(id), json!(outcome), json!(reason), json!(status)))
        .collect();
    assert_eq!(listed.len(), expected.len(), "{rows:#?}");
    for wanted in &expected {
        let (id, outcome, reason, status) = wanted;
        assert!(
            listed.contains(&(id, outcome, reason, status)),
            "{wanted:?} is not in {listed:#?}"
        );
    }
}

#[tokio::test]
async fn the_readme_story_comes_true_in_turnpike_dev() {
    let dev = Dev::start().await;
    let providers = dev.admin.json(&["provider", "get", "fake-openai"]).await;
    let base_url = providers["base_url"].as_str().unwrap().to_owned();
    let secret = dev.secret("fake-provider");
    the_story(&dev, &base_url, &secret).await;
}

#[tokio::test]
async fn the_readme_story_comes_true_with_separate_processes() {
    let production = Production::start().await;
    the_story(
        &production,
        &format!("http://{}/v1", production.provider),
        PROVIDER_SECRET,
    )
    .await;
}
