//! Who is refused, and how: 401, 403 and 404 in both dialects, each with its audit event.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnpike_access::credential::{KeyKind, write_key};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    dev::Dev,
    eventually::eventually,
    ground::{Ground, Key},
    production::Production,
};

const OPENAI: &str = "/v1/chat/completions";
const ANTHROPIC: &str = "/v1/messages";
const MODEL: &str = "fake-openai/gpt-4o";

/// The error's words, which depend on the dialect of the path alone.
pub(super) fn assert_body(answer: &Answer, path: &str, code: &str, kind: &str) {
    let body = answer.json();
    let message = if path.starts_with(ANTHROPIC) {
        assert_eq!(body["type"], "error", "{body}");
        assert_eq!(body["error"]["type"], kind, "{body}");
        assert_eq!(body["request_id"], answer.request_id(), "{body}");
        assert_eq!(answer.header("request-id"), answer.request_id());
        &body["error"]["message"]
    } else {
        assert_eq!(body["error"]["code"], code, "{body}");
        assert_eq!(body["error"]["param"], Value::Null, "{body}");
        assert!(body["error"]["type"].is_string(), "{body}");
        &body["error"]["message"]
    };
    assert!(message.as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert!(answer.request_id().starts_with("req_"), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
}

async fn post(ground: &Ground, key: Option<&str>, path: &str, model: &str) -> Answer {
    let caller = Caller::new(&ground.edges[0].url(), key);
    Answer::of(caller.post(path, &chat(model))).await
}

/// A key that is right in all but its secret.
pub(super) fn forged(key: &Key) -> String {
    write_key(KeyKind::VirtualAccount, key.id.parse().unwrap(), &"A".repeat(43))
}

#[tokio::test]
async fn all_that_is_wrong_with_a_key_looks_the_same_from_outside_and_is_told_apart_in_the_audit() {
    let dev = Dev::start().await;
    let (good, revoked) = (dev.granted("good").await, dev.granted("revoked").await);
    dev.admin
        .json(&["credential", "revoke", &revoked.id, "--wait"])
        .await;
    let expiring = dev.key(&good.owner, &["--expires", "1s"]).await;
    eventually("the key's end", async || {
        match dev.caller(&expiring).chat(MODEL).await.status {
            401 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let unknown = write_key(
        KeyKind::VirtualAccount,
        "aaaaaaaaaaaa".parse().unwrap(),
        &"B".repeat(43),
    );
    let mistyped = good.text[..good.text.len() - 1].to_owned() + "!";
    let forged = forged(&good);
    let mut sent = Vec::new();
    for path in [OPENAI, ANTHROPIC] {
        for (key, reason) in [
            (None, "credential_missing"),
            (Some("sk-somebody-elses"), "token_issuer_unknown"),
            (Some(mistyped.as_str()), "credential_malformed"),
            (Some(unknown.as_str()), "credential_unknown"),
            (Some(forged.as_str()), "credential_wrong_secret"),
            (Some(revoked.text.as_str()), "credential_revoked"),
            (Some(expiring.text.as_str()), "credential_expired"),
        ] {
            sent.push((path, reason, post(&dev, key, path, MODEL).await));
        }
    }
    let rows = dev
        .audited_all(sent.iter().map(|(.., answer)| answer.request_id()))
        .await;
    let first = sent[0].2.text();
    for (path, reason, answer) in &sent {
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Bearer"),
            "{reason}"
        );
        assert_body(answer, path, "invalid_api_key", "authentication_error");
        if *path == OPENAI {
            assert_eq!(answer.text(), first, "{reason} is no different from outside");
        }
        let row = &rows[answer.request_id()];
        assert_eq!(
            (&row["reason"], &row["status"], &row["outcome"]),
            (&json!(reason), &json!(401), &json!("refused"))
        );
        let attributed = matches!(*reason, "credential_revoked" | "credential_expired");
        assert_eq!(
            row["tenant"] == json!("dev"),
            attributed,
            "only a proven secret is attributed: {row}"
        );
    }
}

#[tokio::test]
async fn a_refusal_names_action_model_and_a_decision_that_the_audit_knows() {
    let dev = Dev::start().await;
    let key = dev.application("outsider").await;
    for (path, model, action) in [
        (OPENAI, MODEL, "inference.chat"),
        (ANTHROPIC, "fake-anthropic/claude-sonnet-5", "inference.messages"),
    ] {
        let answer = post(&dev, Some(&key.text), path, model).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_body(&answer, path, "permission_denied", "permission_error");
        let decision = answer.header("x-turnpike-decision");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        for part in [action, model, decision] {
            assert!(
                !part.is_empty() && message.contains(part),
                "{message} does not name {part:?}"
            );
        }
        assert!(answer.header("x-turnpike-position").parse::<u64>().is_ok());
        let row = dev.audited(answer.request_id()).await;
        assert_eq!(
            (&row["decision_id"], &row["reason"]),
            (&json!(decision), &json!("no_grant"))
        );
        assert_eq!(
            (&row["principal"], &row["credential"]),
            (&json!(key.owner), &json!(key.id))
        );
        assert_eq!(
            (&row["model_requested"], &row["model_served"]),
            (&json!(model), &Value::Null)
        );
    }
    dev.allow(&key.owner, "fake-*").await;
    let deny = [
        "grant",
        "create",
        "--to",
        &key.owner,
        "--role",
        "developer",
        "--deny",
        "--model",
        MODEL,
        "--wait",
    ];
    dev.admin.json(&deny).await;
    let answer = post(&dev, Some(&key.text), OPENAI, MODEL).await;
    assert_eq!(answer.status, 403, "a deny wins over an allow");
    assert_eq!(
        dev.audited(answer.request_id()).await["reason"],
        "denied_by_grant"
    );
}

/// Two refusals that nobody can tell apart.
fn assert_same_but_for_ids(answer: &Answer, expected: &Answer) {
    let without_id = |answer: &Answer| answer.text().replace(answer.request_id(), "");
    assert_eq!(without_id(answer), without_id(expected));
    let names = |answer: &Answer| {
        answer
            .headers
            .keys()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(answer), names(expected));
    assert!(
        answer.header("x-turnpike-decision").starts_with("dec_"),
        "{answer:?}"
    );
    let position = "x-turnpike-position";
    assert_eq!(answer.header(position), expected.header(position));
}

#[tokio::test]
async fn what_does_not_exist_is_not_ones_own_or_is_hidden_is_told_in_the_same_bytes() {
    let production = Production::with_one_edge(&[]).await;
    let made = production
        .operator
        .json(&["tenant", "create", "rival", "--administrator", "admin"])
        .await;
    let rival = production.admin.by(made["key"].as_str().unwrap());
    let url = format!("http://{}/v1", production.provider);
    let create = [
        "provider",
        "create",
        "rival-openai",
        "--kind",
        "openai",
        "--base-url",
        &url,
        "--wait",
    ];
    rival.json(&create).await;
    let key = production.application("curious").await;
    let update = ["tenant", "update", "dev", "--hide-models", "true", "--wait"];
    production.operator.json(&update).await;
    let mut sent = Vec::new();
    for path in [OPENAI, ANTHROPIC] {
        for (model, reason) in [
            ("fake-openai/nothing", "model_unknown"),
            ("nobody/nothing", "model_unknown"),
            ("rival-openai/gpt-4o", "model_unknown"),
            (MODEL, "no_grant"),
        ] {
            sent.push((
                path,
                reason,
                post(&production, Some(&key.text), path, model).await,
            ));
        }
    }
    let rows = production
        .audited_all(sent.iter().map(|(.., answer)| answer.request_id()))
        .await;
    for (path, reason, answer) in &sent {
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_body(answer, path, "model_not_found", "not_found_error");
        let expected = &sent.iter().find(|(other, ..)| other == path).unwrap().2;
        assert_same_but_for_ids(answer, expected);
        assert_eq!(rows[answer.request_id()]["reason"], *reason);
    }
}
