//! A decoy opens nothing, and whoever uses it is told of.

use serde_json::Value;
use turnpike_tests::{dev::Dev, eventually::eventually, production::Production};

const MODEL: &str = "fake-openai/gpt-4o";

/// The tenant's alerts, as soon as there is one.
async fn alerts(ground: &turnpike_tests::ground::Ground) -> Vec<Value> {
    eventually("an alert", async || {
        let alerts = ground.admin.words("alert list").await;
        match alerts.as_array() {
            Some(alerts) if !alerts.is_empty() => Ok(alerts.clone()),
            _ => Err(alerts),
        }
    })
    .await
}

#[tokio::test]
async fn the_first_use_of_a_decoy_at_any_edge_raises_the_only_alert_with_all_that_is_known_of_the_caller() {
    let production = Production::start().await;
    production.granted("bait").await;
    let decoy = production
        .key("virtual-account:bait", &["--decoy", "--label", "in the wiki"])
        .await;
    let mut requests = Vec::new();
    for caller in production.callers(&decoy).iter().cycle().take(6) {
        let body = serde_json::json!({"model": MODEL, "messages": []});
        let request = caller
            .post("/v1/chat/completions", &body)
            .header("user-agent", "thief/1.0");
        let answer = turnpike_tests::caller::Answer::of(request).await;
        assert_eq!(answer.status, 401);
        requests.push(answer.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    let alert = alerts(&production).await.remove(0);
    assert_eq!(alert["kind"], "decoy_used");
    assert_eq!(alert["credential"], decoy.id.as_str());
    let evidence = &alert["evidence"];
    assert_eq!(evidence["client_address"], "127.0.0.1");
    assert_eq!(evidence["user_agent"], "thief/1.0");
    assert_eq!(evidence["label"], "in the wiki");
    assert!(
        requests.iter().any(|id| evidence["request_id"] == id.as_str()),
        "{alert}"
    );
    assert!(evidence["edge"].as_str().is_some_and(|edge| !edge.is_empty()));
    assert!(alert["summary"].as_str().unwrap().contains("127.0.0.1"));
    // All are stored before it is looked whether there is a second.
    production.audited_all(requests.iter().map(String::as_str)).await;
    assert_eq!(alerts(&production).await.len(), 1);
    let shown = production.admin.json(&["credential", "get", &decoy.id]).await;
    assert!(shown["decoy_used"].is_string(), "{shown}");
}

#[tokio::test]
async fn a_guess_at_a_decoys_secret_raises_nothing_and_other_tenants_see_no_alert() {
    let dev = Dev::start().await;
    let decoy = {
        dev.application("bait").await;
        dev.key("virtual-account:bait", &["--decoy"]).await
    };
    let guess = turnpike_access::credential::write_key(
        turnpike_access::credential::KeyKind::VirtualAccount,
        decoy.id.parse().unwrap(),
        &"x".repeat(43),
    );
    let guessed = turnpike_tests::ground::Key {
        text: guess,
        ..decoy.clone()
    };
    let answer = dev.caller(&guessed).chat(MODEL).await;
    assert_eq!(answer.status, 401);
    let request = answer.headers["x-request-id"].to_str().unwrap();
    dev.audited_all([request]).await;
    assert_eq!(dev.admin.words("alert list").await, serde_json::json!([]));
    assert_eq!(dev.caller(&decoy).chat(MODEL).await.status, 401);
    assert_eq!(alerts(&dev).await.len(), 1);
    assert_eq!(dev.operator.words("alert list").await, serde_json::json!([]));
}
