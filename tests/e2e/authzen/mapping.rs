//! What Turnpike makes of subjects, models and contexts, and what it records.

use serde_json::{Value, json};

use super::{EVALUATION, Fixture, post, request_of};

async fn decided(fixture: &Fixture, subject: Value, action: &str, resource: Value, context: Value) -> Value {
    let body =
        json!({"subject": subject, "action": {"name": action}, "resource": resource, "context": context});
    fixture.answer(EVALUATION, &body.to_string()).await
}

#[tokio::test]
async fn a_subject_is_an_account_by_name_address_or_claim_and_nobody_is_a_no() {
    let fixture = Fixture::start().await;
    let admin = &fixture.dev.admin;
    admin.words("user create carol --email carol@example.com").await;
    admin.words("virtual-account create robot --wait").await;
    for to in ["user:carol", "virtual-account:robot"] {
        admin
            .words(&format!(
                "grant create --to {to} --role read --resource record:* --wait"
            ))
            .await;
    }
    let record = json!({"type": "record", "id": "record-1"});
    for (kind, id, expected) in [
        ("user", "carol", true),
        ("user", "Carol@example.com", true),
        ("virtual-account", "robot", true),
        ("virtual_account", "robot", true),
        ("user", "robot", false),
        ("virtual-account", "carol", false),
        ("user", "nobody", false),
        ("user", "no such name", false),
        ("spaceship", "carol", false),
        ("identity", "carol", false),
    ] {
        let answer = decided(
            &fixture,
            json!({"type": kind, "id": id}),
            "read",
            record.clone(),
            json!({}),
        )
        .await;
        assert_eq!(answer["decision"], expected, "{kind} {id}: {answer}");
        if !expected {
            let reason = answer["context"]["reason_admin"]["403"].as_str().unwrap();
            assert!(reason.starts_with("subject_unknown: "), "{reason}");
        }
    }
    admin.words("user update carol --deactivated true --wait").await;
    let answer = decided(
        &fixture,
        json!({"type": "user", "id": "carol"}),
        "read",
        record,
        json!({}),
    )
    .await;
    assert_eq!(answer["decision"], false);
    let reason = answer["context"]["reason_admin"]["403"].as_str().unwrap();
    assert!(reason.starts_with("owner_deactivated: "), "{reason}");
}

#[tokio::test]
async fn a_model_is_the_catalogues_by_any_of_its_names_whatever_is_said_of_it() {
    let fixture = Fixture::start().await;
    fixture
        .dev
        .admin
        .words("alias set fast fake-openai/gpt-4o-mini --wait")
        .await;
    let alice = json!({"type": "user", "id": "alice"});
    for (model, properties, expected) in [
        ("fake-openai/gpt-4o", json!({}), true),
        ("gpt-4o", json!({}), true),
        ("fast", json!({}), true),
        ("fake-openai/llama-3", json!({}), false),
        ("fake-openai/llama-3", json!({"environment": "production"}), false),
        ("fake-openai/gpt-4o", json!({"environment": "staging"}), true),
        ("unheard/of", json!({}), false),
    ] {
        let resource = json!({"type": "model", "id": model, "properties": properties});
        let answer = decided(&fixture, alice.clone(), "inference.chat", resource, json!({})).await;
        assert_eq!(answer["decision"], expected, "{model} {properties}: {answer}");
    }
}

#[tokio::test]
async fn conditions_are_judged_by_the_context() {
    let fixture = Fixture::start().await;
    let admin = &fixture.dev.admin;
    for (id, condition) in [
        ("office", "--network 10.0.0.0/8"),
        ("strong", "--method jwt:okta"),
        ("later", "--not-before 2030-01-01T00:00:00Z"),
    ] {
        let grant =
            format!("grant create --to user:bob --role delete --resource record:{id} {condition} --wait");
        if id == "strong" {
            let issuer = "issuer create okta --url https://acme.okta.com/oauth2/default --audience api \
                          --claim email --principal email";
            admin.words(issuer).await;
        }
        admin.words(&grant).await;
    }
    let bob = json!({"type": "user", "id": "bob"});
    for (id, context, expected) in [
        ("office", json!({"ip": "10.1.2.3"}), true),
        ("office", json!({"ip": "192.0.2.1"}), false),
        ("office", json!({}), false),
        ("strong", json!({"auth_method": "jwt:okta"}), true),
        ("strong", json!({"auth_method": "jwt"}), false),
        ("strong", json!({}), false),
        ("later", json!({"time": "2031-06-01T09:00:00+02:00"}), true),
        ("later", json!({}), false),
    ] {
        let resource = json!({"type": "record", "id": id});
        let answer = decided(&fixture, bob.clone(), "delete", resource, context.clone()).await;
        assert_eq!(answer["decision"], expected, "{id} {context}: {answer}");
    }
    for context in [
        json!({"time": "morning"}),
        json!({"ip": 7}),
        json!({"auth_method": "magic"}),
    ] {
        let body = json!({"subject": bob, "action": {"name": "read"}, "context": context,
            "resource": {"type": "record", "id": "record-1"}});
        assert_eq!(
            fixture.ask(EVALUATION, &body.to_string()).await.status,
            400,
            "{context}"
        );
    }
}

#[tokio::test]
async fn every_evaluation_is_in_the_audit_as_whoever_asked() {
    let fixture = Fixture::start().await;
    let body = json!({"subject": {"type": "user", "id": "bob"}, "action": {"name": "write"},
        "resource": {"type": "record", "id": "record-1"}})
    .to_string();
    let answer = post(&fixture.caller(), EVALUATION, &body).await;
    let row = fixture.dev.audited(&request_of(&answer)).await;
    for (field, expected) in [
        ("route", json!("POST /access/v1/evaluation")),
        ("action", json!("write")),
        ("subject", json!("user:bob")),
        ("resource", json!("record:record-1")),
        ("principal", json!("virtual-account:gateway")),
        ("outcome", json!("refused")),
        ("reason", json!("no_grant")),
        ("status", json!(200)),
        ("decision_id", answer.json()["context"]["id"].clone()),
    ] {
        assert_eq!(row[field], expected, "{field}: {row}");
    }
    let batch =
        json!({"subject": {"type": "user", "id": "bob"}, "resource": {"type": "record", "id": "record-1"},
        "evaluations": [{"action": {"name": "read"}}, {"action": {"name": "write"}}, {}]})
        .to_string();
    let request = fixture
        .caller()
        .request(reqwest::Method::POST, super::EVALUATIONS);
    let request = request
        .header("content-type", "application/json")
        .header("x-request-id", "batch-1");
    turnpike_tests::caller::Answer::of(request.body(batch)).await;
    let rows = turnpike_tests::eventually::eventually("three rows", async || {
        let mut rows = fixture.dev.audit(&[]).await;
        rows.retain(|row| row["metadata"]["x-request-id"] == "batch-1");
        if rows.len() == 3 { Ok(rows) } else { Err(rows) }
    })
    .await;
    let mut seen: Vec<_> = rows
        .iter()
        .map(|row| (row["action"].as_str().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            ("access.check", "malformed"),
            ("read", "granted"),
            ("write", "no_grant")
        ]
    );
}
