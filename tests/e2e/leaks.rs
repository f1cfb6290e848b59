//! Keys that turned up in the open: found, ended everywhere, and what they were used for.

use std::fs;

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller},
    dev::Dev,
    eventually::eventually,
    ground::{Ground, Key},
    production::Production,
};

const MODEL: &str = "fake-openai/gpt-4o";

/// What an administrator is told of a credential, as soon as its last use is known.
async fn last_used(ground: &Ground, key: &Key) -> Value {
    eventually("the last use", async || {
        let shown = ground.admin.json(&["credential", "get", &key.id]).await;
        if shown["last_used"].is_string() {
            Ok(shown)
        } else {
            Err(shown)
        }
    })
    .await
}

async fn refused_everywhere(ground: &Ground, key: &Key) {
    for caller in ground.callers(key) {
        assert_eq!(caller.chat(MODEL).await.status, 401);
    }
}

#[tokio::test]
async fn a_credential_shows_when_and_from_where_it_was_last_used() {
    let dev = Dev::start().await;
    let key = dev.granted("worker").await;
    let idle = dev.key("virtual-account:worker", &[]).await;
    let request = dev
        .caller(&key)
        .post("/v1/chat/completions", &json!({"model": MODEL, "messages": []}))
        .header("user-agent", "worker/2.1");
    assert_eq!(Answer::of(request).await.status, 200);
    let shown = last_used(&dev, &key).await;
    assert_eq!(shown["last_used_from"], "127.0.0.1");
    assert_eq!(shown["last_used_agent"], "worker/2.1");
    let listed = dev
        .admin
        .words("credential list --owner virtual-account:worker")
        .await;
    let of = |id: &str| {
        let rows = listed.as_array().unwrap().iter();
        rows.clone().find(|row| row["id"] == id).unwrap().clone()
    };
    assert_eq!(of(&key.id)["last_used"], shown["last_used"]);
    assert_eq!(of(&idle.id)["last_used"], Value::Null);
    // Operators may look after a tenant's keys, and do not learn where its people are.
    let seen = dev
        .operator
        .within("dev")
        .json(&["credential", "get", &key.id])
        .await;
    assert_eq!(seen["last_used"], shown["last_used"]);
    assert_eq!(seen["last_used_from"], Value::Null);
}

/// Two requests that are served, at two edges, and one that is refused; all of them audited on return.
async fn use_it(ground: &Ground, key: &Key) {
    for caller in ground.callers(key) {
        assert_eq!(caller.chat(MODEL).await.status, 200);
    }
    let denied = ground.caller(key).chat("no-such/model").await;
    assert_ne!(denied.status, 200);
    eventually("all of its requests", async || {
        let rows = ground.audit(&["--credential", &key.id]).await;
        if rows.len() == 3 { Ok(()) } else { Err(rows) }
    })
    .await;
}

fn one_of<'t>(told: &'t Value, id: &str) -> &'t Value {
    let mut all = told["credentials"].as_array().unwrap().iter();
    all.find(|one| one["id"] == id).unwrap()
}

fn tells_the_radius(radius: &Value) {
    assert_eq!(radius["status_before"], "active");
    assert!(radius["requests"].as_u64().unwrap() >= 3, "{radius}");
    assert_eq!(radius["refused"], 1);
    assert_eq!(radius["models"][0]["name"], MODEL);
    assert_eq!(radius["addresses"][0]["name"], "127.0.0.1");
    assert!(radius["first_used"].is_string() && radius["last_used"].is_string());
}

#[tokio::test]
async fn keys_in_a_log_are_revoked_at_every_edge_and_their_use_is_told() {
    let production = Production::start().await;
    let used = production.granted("worker").await;
    let other = production.granted("bystander").await;
    let rotated = production.granted("rotated").await;
    production
        .admin
        .json(&["credential", "rotate", &rotated.id, "--wait"])
        .await;
    let decoy = production.key("virtual-account:worker", &["--decoy"]).await;
    use_it(&production, &used).await;
    let operators = production.operator.token();
    let text = format!(
        "GET /?key={0}&x {0}\n\u{fffd}\"{1}\\n{2} {3} tp_va_nothing {operators}",
        used.text,
        rotated.text,
        decoy.text,
        &other.text[..60]
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("build.log");
    fs::write(&file, text).unwrap();
    let report = ["credential", "report-leak", "--file", file.to_str().unwrap()];

    let dry = production
        .admin
        .json(&[&report[..], &["--dry-run"]].concat())
        .await;
    assert_eq!(
        (&dry["keys"], &dry["yours"], &dry["revoked"]),
        (&json!(4), &json!(3), &json!(0))
    );
    assert_eq!(production.caller(&used).chat(MODEL).await.status, 200);

    let told = production.admin.json(&[&report[..], &["--wait"]].concat()).await;
    assert_eq!(
        (&told["not_yours"], &told["revoked"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
    assert_eq!(told["applied_everywhere"], true);
    refused_everywhere(&production, &used).await;
    assert_eq!(production.caller(&other).chat(MODEL).await.status, 200);
    tells_the_radius(one_of(&told, &used.id));
    // What works no more ends nothing, and a decoy goes on lying there.
    let (past, bait) = (one_of(&told, &rotated.id), one_of(&told, &decoy.id));
    assert_eq!(
        (&past["version"], &past["revoked"]),
        (&json!("past"), &json!(false))
    );
    assert_eq!((&bait["decoy"], &bait["revoked"]), (&json!(true), &json!(false)));
    let revoked = production.admin.json(&["credential", "get", &used.id]).await;
    assert_eq!(revoked["revoked_reason"], "reported as leaked");
    // The operators' key was in the text too: nobody but they may end it so.
    production.operator.words("whoami").await;
}

#[tokio::test]
async fn a_secret_scanner_without_a_key_ends_what_it_found_and_learns_no_more_than_that_it_was_real() {
    let production = Production::start().await;
    let url = format!("http://{}", production.operations);
    let scanner = Caller::new(&url, None);
    let (found, pasted) = (
        production.granted("worker").await,
        production.granted("other").await,
    );
    let forged = turnpike_access::credential::write_key(
        turnpike_access::credential::KeyKind::VirtualAccount,
        found.id.parse().unwrap(),
        &"x".repeat(43),
    );
    let body = json!([
        {"token": found.text, "type": "turnpike_key", "url": "https://git.example/commit/1", "source": "content"},
        {"token": forged, "type": "turnpike_key", "url": ""},
        {"token": "nothing", "type": "turnpike_key", "url": ""},
    ]);
    let answer = Answer::of(scanner.post("/leaks", &body)).await;
    assert_eq!(answer.status, 200);
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let labels: Vec<&Value> = told.as_array().unwrap().iter().map(|one| &one["label"]).collect();
    assert_eq!(labels, ["true_positive", "false_positive", "false_positive"]);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    for secret in [&found.text, &found.id, &found.owner] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    let paste = scanner
        .request(reqwest::Method::POST, "/leaks")
        .header("content-type", "text/plain")
        .body(format!("x{}y", pasted.text));
    assert_eq!(Answer::of(paste).await.status, 200);
    for key in [&found, &pasted] {
        eventually("refused at every edge", async || {
            for caller in production.callers(key) {
                let status = caller.chat(MODEL).await.status;
                if status != 401 {
                    return Err(status);
                }
            }
            Ok(())
        })
        .await;
    }
    let alerts = production.admin.words("alert list").await;
    assert_eq!(alerts.as_array().unwrap().len(), 2, "{alerts}");
    assert_eq!(alerts[1]["kind"], "credential_leaked");
    assert_eq!(alerts[1]["credential"], found.id.as_str());
    assert_eq!(alerts[1]["evidence"]["url"], "https://git.example/commit/1");
}
