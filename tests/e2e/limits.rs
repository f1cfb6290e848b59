//! Budgets, from what a provider counted to what the edges do.

use serde_json::json;
use turnpike_tests::{
    caller::{Answer, chat},
    dev::Dev,
    eventually::eventually,
};

const DEAR: &str = "fake-openai/gpt-4o";
const CHEAP: &str = "fake-openai/gpt-4o-mini";

#[tokio::test]
async fn over_budget_gets_the_substitute_or_429_and_another_budget_opens_again() {
    let dev = Dev::start().await;
    let key = dev.application("spender").await;
    let other = dev.application("saver").await;
    for owner in [&key.owner, &other.owner] {
        dev.allow(owner, "fake-openai/*").await;
    }
    let limit = dev
        .admin
        .json(&[
            "limit",
            "create",
            "spender-daily",
            "--for",
            &key.owner,
            "--budget",
            "0.000001",
            "--per",
            "day",
        ])
        .await;
    assert_eq!(limit["limit"]["budget_usd"], "0.000001", "{limit}");
    let (caller, saver) = (dev.caller(&key), dev.caller(&other));
    assert_eq!(caller.chat(DEAR).await.status, 200, "nothing is spent yet");

    let refused = eventually("the budget to be spent", async || {
        let answer = caller.chat(DEAR).await;
        match answer.status {
            200 => Err("served"),
            _ => Ok(answer),
        }
    })
    .await;
    assert_eq!(
        (refused.status, refused.header("x-should-retry")),
        (429, "false"),
        "{refused:?}"
    );
    assert_eq!(refused.json()["error"]["code"], "insufficient_quota");
    assert_eq!(saver.chat(DEAR).await.status, 200, "it is nobody else's");
    let row = dev.audited(refused.request_id()).await;
    assert_eq!(
        (&row["outcome"], &row["status"]),
        (&json!("refused"), &json!(429)),
        "{row}"
    );
    let explained = dev
        .admin
        .json(&["explain", refused.header("x-turnpike-decision")])
        .await;
    assert_eq!(
        (&explained["verdict"], &explained["reason"]),
        (&json!("same"), &json!("over_budget")),
        "{explained}"
    );
    let shown = dev.admin.json(&["limit", "get", "spender-daily"]).await;
    assert!(
        shown["spent_until"].is_string() && shown["spent_usd"] != "0.00",
        "{shown}"
    );

    let rule = [
        "fallback",
        "create",
        "--from",
        DEAR,
        "--to",
        CHEAP,
        "--over-budget",
        "--wait",
    ];
    dev.admin.json(&rule).await;
    let substituted = caller.chat(DEAR).await;
    assert_eq!(
        (
            substituted.status,
            substituted.header("x-turnpike-model"),
            substituted.header("x-turnpike-fallback")
        ),
        (200, CHEAP, DEAR),
        "{substituted:?}"
    );
    let declining = caller
        .post("/v1/chat/completions", &chat(DEAR))
        .header("x-turnpike-fallback", "none");
    assert_eq!(Answer::of(declining).await.status, 429);

    dev.admin
        .json(&["limit", "update", "spender-daily", "--budget", "1000", "--wait"])
        .await;
    let again = caller.chat(DEAR).await;
    assert_eq!(
        (again.status, again.header("x-turnpike-model")),
        (200, DEAR),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_team_spends_together_and_the_tenant_too() {
    let dev = Dev::start().await;
    let mut callers = Vec::new();
    for name in ["one", "two"] {
        let key = dev.application(name).await;
        dev.allow(&key.owner, "fake-openai/*").await;
        callers.push((dev.caller(&key), key.owner));
    }
    dev.admin.json(&["team", "create", "spenders"]).await;
    for (_, owner) in &callers {
        dev.admin.json(&["team", "add-member", "spenders", owner]).await;
    }
    dev.admin
        .json(&[
            "limit",
            "create",
            "together",
            "--for",
            "team:spenders",
            "--budget",
            "0.000001",
            "--per",
            "month",
        ])
        .await;
    let [(first, _), (second, _)] = &callers[..] else {
        panic!("two callers")
    };
    assert_eq!(first.chat(DEAR).await.status, 200);
    eventually(
        "the other one to be over the budget of both",
        async || match second.chat(DEAR).await.status {
            429 => Ok(()),
            status => Err(status),
        },
    )
    .await;
    dev.admin.json(&["limit", "delete", "together", "--wait"]).await;
    assert_eq!(second.chat(DEAR).await.status, 200);
}

#[tokio::test]
async fn that_most_of_a_budget_is_spent_is_told_while_something_is_left() {
    let dev = Dev::start().await;
    let key = dev.granted("spender").await;
    let caller = dev.caller(&key);
    for _ in 0..10 {
        assert_eq!(caller.chat(DEAR).await.status, 200);
    }
    let create = format!(
        "limit create watched --for {} --budget 1000 --per month",
        key.owner
    );
    dev.admin.words(&create).await;
    let spent = eventually("all ten to be counted", async || {
        let usage = dev.admin.words("usage report --by principal").await;
        let shown = dev.admin.words("limit get watched").await;
        let spent: f64 = shown["spent_usd"].as_str().unwrap().parse().unwrap();
        match usage.to_string().contains("\"requests\":10") && spent > 0.0 {
            true => Ok(spent),
            false => Err((usage, shown)),
        }
    })
    .await;
    let update = format!("limit update watched --budget {:.6}", spent * 1.1);
    dev.admin.words(&update).await;
    let alert = eventually("the alert", async || {
        let open = dev.admin.words("alert list --open").await;
        let all = open.as_array().unwrap().iter();
        let found = all.into_iter().find(|one| one["kind"] == json!("budget_share"));
        found.cloned().ok_or(open)
    })
    .await;
    assert_eq!(alert["subject"], json!("watched"), "{alert}");
    let id = alert["id"].as_str().unwrap();
    let shown = dev.admin.words(&format!("alert get {id}")).await;
    let share = shown["evidence"]["share_percent"].as_str().unwrap();
    assert!((80..100).contains(&share.parse::<u32>().unwrap()), "{shown}");
    let limit = dev.admin.words("limit get watched").await;
    assert!(limit["spent_until"].is_null(), "nobody is refused yet: {limit}");
}
