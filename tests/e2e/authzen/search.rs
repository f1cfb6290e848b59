//! Search certification, core and properties, and pages.

use serde_json::{Value, json};

use super::Fixture;

const SUBJECT: &str = "/access/v1/search/subject";
const RESOURCE: &str = "/access/v1/search/resource";
const ACTION: &str = "/access/v1/search/action";

fn names(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let name = |one: &'static str| move |value: &'_ Value| value.get(one).is_some();
    results
        .iter()
        .map(|one| if name("id")(one) { &one["id"] } else { &one["name"] })
        .map(|text| text.as_str().unwrap())
        .collect()
}

/// A path, a question and what is found.
type Case = (&'static str, Value, Vec<&'static str>);

fn record() -> Value {
    json!({"type": "record", "id": "record-1"})
}

fn archived() -> Value {
    json!({"type": "record", "id": "record-2", "properties": {"status": "archived"}})
}

fn alice() -> Value {
    json!({"type": "user", "id": "alice"})
}

fn bob() -> Value {
    json!({"type": "user", "id": "bob", "properties": {"role": "admin"}})
}

fn context() -> Value {
    json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"})
}

/// The administrator of the tenant may do everything, and is found too.
fn subjects() -> Vec<Case> {
    let readers = || vec!["admin", "alice", "bob"];
    let ask = |subject: Value, action: &str, resource: Value| json!({"subject": subject, "action": {"name": action}, "resource": resource});
    let users = || json!({"type": "user"});
    let mut with_context = ask(users(), "read", record());
    with_context["context"] = context();
    vec![
        (SUBJECT, ask(users(), "read", record()), readers()),
        (SUBJECT, ask(alice(), "read", record()), readers()),
        (SUBJECT, with_context, readers()),
        (SUBJECT, ask(users(), "write", archived()), vec!["admin", "bob"]),
        (
            SUBJECT,
            ask(json!({"type": "spaceship"}), "read", record()),
            vec![],
        ),
    ]
}

fn resources() -> Vec<Case> {
    let both = || vec!["record-1", "record-2"];
    let ask = |subject: Value, action: &str, resource: Value| json!({"subject": subject, "action": {"name": action}, "resource": resource});
    let records = || json!({"type": "record"});
    let mut with_context = ask(alice(), "read", record());
    with_context["context"] = context();
    vec![
        (RESOURCE, ask(alice(), "read", records()), both()),
        (RESOURCE, with_context, both()),
        (RESOURCE, ask(bob(), "write", records()), vec!["record-2"]),
        (
            RESOURCE,
            ask(alice(), "read", json!({"type": "spaceship"})),
            vec![],
        ),
    ]
}

fn actions() -> Vec<Case> {
    let both = || vec!["read", "write"];
    let nobody = json!({"type": "user", "id": "nonexistent-user"});
    vec![
        (ACTION, json!({"subject": alice(), "resource": record()}), both()),
        (
            ACTION,
            json!({"subject": alice(), "resource": record(), "context": context()}),
            both(),
        ),
        (ACTION, json!({"subject": bob(), "resource": archived()}), both()),
        (ACTION, json!({"subject": nobody, "resource": record()}), vec![]),
    ]
}

#[tokio::test]
async fn searches_find_whom_what_and_which_actions_the_evaluation_allows() {
    let fixture = Fixture::start().await;
    for (path, body, expected) in [subjects(), resources(), actions()].concat() {
        let answer = fixture.answer(path, &body.to_string()).await;
        assert_eq!(names(&answer), expected, "{path} {body}: {answer}");
        assert_eq!(answer.get("page"), None, "nobody asked for pages");
    }
    let models =
        json!({"subject": alice(), "action": {"name": "inference.chat"}, "resource": {"type": "model"}});
    let answer = fixture.answer(RESOURCE, &models.to_string()).await;
    assert!(names(&answer).contains(&"fake-openai/gpt-4o"), "{answer}");
    assert!(
        !names(&answer).contains(&"fake-openai/llama-3"),
        "staging is not research's: {answer}"
    );
}

#[tokio::test]
async fn a_search_without_what_it_needs_is_a_bad_request() {
    let fixture = Fixture::start().await;
    let only =
        json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "record"}});
    for (path, body) in [
        (
            SUBJECT,
            json!({"subject": {"type": "user"}, "resource": {"type": "record", "id": "record-1"}}),
        ),
        (
            RESOURCE,
            json!({"action": {"name": "read"}, "resource": {"type": "record"}}),
        ),
        (ACTION, json!({"subject": {"type": "user", "id": "alice"}})),
        (SUBJECT, only.clone()),
        (RESOURCE, only),
        (
            ACTION,
            json!({"subject": {"type": "user"}, "resource": {"type": "record", "id": "record-1"}}),
        ),
    ] {
        assert_eq!(
            fixture.ask(path, &body.to_string()).await.status,
            400,
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn pages_follow_one_another_and_a_token_is_of_its_own_search() {
    let fixture = Fixture::start().await;
    let mut body = json!({"subject": {"type": "user"}, "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"}, "page": {"limit": 1}});
    let mut found = Vec::new();
    for _ in 0..4 {
        let answer = fixture.answer(SUBJECT, &body.to_string()).await;
        found.extend(names(&answer).into_iter().map(str::to_owned));
        let token = answer["page"]["next_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
        assert_eq!(answer["page"]["count"], 1);
        body["page"] = json!({"token": token});
    }
    assert_eq!(found, ["admin", "alice", "bob"]);
    body["action"]["name"] = json!("write");
    assert_eq!(fixture.ask(SUBJECT, &body.to_string()).await.status, 400);
}
