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

#[tokio::test]
async fn searches_find_whom_what_and_which_actions_the_evaluation_allows() {
    let fixture = Fixture::start().await;
    let alice = json!({"type": "user", "id": "alice"});
    let bob = json!({"type": "user", "id": "bob", "properties": {"role": "admin"}});
    let record = json!({"type": "record", "id": "record-1"});
    let archived = json!({"type": "record", "id": "record-2", "properties": {"status": "archived"}});
    let (read, write) = (json!({"name": "read"}), json!({"name": "write"}));
    let context = json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"});
    for (path, body, expected) in [
        (
            SUBJECT,
            json!({"subject": {"type": "user"}, "action": read, "resource": record}),
            vec!["admin", "alice", "bob"],
        ),
        (
            SUBJECT,
            json!({"subject": alice, "action": read, "resource": record}),
            vec!["admin", "alice", "bob"],
        ),
        (
            SUBJECT,
            json!({"subject": {"type": "user"}, "action": read, "resource": record, "context": context}),
            vec!["admin", "alice", "bob"],
        ),
        (
            SUBJECT,
            json!({"subject": {"type": "user"}, "action": write, "resource": archived}),
            vec!["admin", "bob"],
        ),
        (
            SUBJECT,
            json!({"subject": {"type": "spaceship"}, "action": read, "resource": record}),
            vec![],
        ),
        (
            RESOURCE,
            json!({"subject": alice, "action": read, "resource": {"type": "record"}}),
            vec!["record-1", "record-2"],
        ),
        (
            RESOURCE,
            json!({"subject": alice, "action": read, "resource": record, "context": context}),
            vec!["record-1", "record-2"],
        ),
        (
            RESOURCE,
            json!({"subject": bob, "action": write, "resource": {"type": "record"}}),
            vec!["record-2"],
        ),
        (
            RESOURCE,
            json!({"subject": alice, "action": read, "resource": {"type": "spaceship"}}),
            vec![],
        ),
        (
            ACTION,
            json!({"subject": alice, "resource": record}),
            vec!["read", "write"],
        ),
        (
            ACTION,
            json!({"subject": alice, "resource": record, "context": context}),
            vec!["read", "write"],
        ),
        (
            ACTION,
            json!({"subject": bob, "resource": archived}),
            vec!["read", "write"],
        ),
        (
            ACTION,
            json!({"subject": {"type": "user", "id": "nonexistent-user"}, "resource": record}),
            vec![],
        ),
    ] {
        let answer = fixture.answer(path, &body.to_string()).await;
        assert_eq!(names(&answer), expected, "{path} {body}: {answer}");
        assert_eq!(answer.get("page"), None, "nobody asked for pages");
    }
    let models =
        json!({"subject": alice, "action": {"name": "inference.chat"}, "resource": {"type": "model"}});
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
