//! What is read of a question, and what is refused.

use std::net::IpAddr;

use turnpike_access::{grant::AuthMethod, id::Timestamp, pattern::Tags};

use super::{
    question::Parts,
    read::{self, Evaluation, Semantic},
};
use crate::proxy::ruling::Thing;

const WHOLE: &str = r#"{
    "subject": {"type": "user", "id": "alice", "properties": {"role": "manager"}},
    "action": {"name": "delete", "properties": {"soft": true}},
    "resource": {"type": "record", "id": "record-1", "properties": {
        "environment": "staging", "family": "f", "tags": {"customer": "acme"}, "status": "active", "size": 3,
        "owner": {"name": "bob"}, "list": ["x"], "nothing": null
    }},
    "context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1", "auth_method": "jwt:okta", "more": [{}]},
    "foo": "bar", "futureField": {"nested": true}
}"#;

fn tags(parts: &Parts<'_>) -> Tags {
    match parts.what().unwrap().thing() {
        Thing::Other(resource) => resource.tags.unwrap().clone(),
        Thing::Model { .. } => Tags::new(),
    }
}

#[test]
fn a_question_is_read_with_its_properties_and_what_is_unknown_is_passed_over() {
    let (asked, nothing) = (read::evaluation(WHOLE.as_bytes()).unwrap(), Evaluation::default());
    let parts = Parts::of(&asked, &nothing);
    let who = parts.who().unwrap();
    assert_eq!(
        (who.kind, who.id, parts.action().unwrap()),
        ("user", "alice", "delete")
    );
    let what = parts.what().unwrap();
    let Thing::Other(resource) = what.thing() else {
        panic!("no model");
    };
    assert_eq!((resource.kind, resource.name), ("record", "record-1"));
    assert_eq!(resource.environment.unwrap().as_str(), "staging");
    assert_eq!(resource.family.unwrap().as_str(), "f");
    let tags: Vec<_> = tags(&parts)
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        tags,
        [
            "action.soft=true",
            "customer=acme",
            "size=3",
            "status=active",
            "subject.role=manager"
        ]
    );
}

#[test]
fn the_circumstances_are_those_of_the_context_and_otherwise_now_with_a_key_from_nowhere() {
    let (asked, nothing) = (read::evaluation(WHOLE.as_bytes()).unwrap(), Evaluation::default());
    let now = Timestamp::from_micros(5);
    let setting = Parts::of(&asked, &nothing).setting(now).unwrap();
    assert_eq!(setting.method(), AuthMethod::Jwt);
    let told = format!("{setting:?}");
    let client: IpAddr = "192.168.1.1".parse().unwrap();
    assert!(
        told.contains(&format!("{client:?}")) && told.contains("1751072580000000"),
        "{told}"
    );
    let bare = format!("{:?}", Parts::default().setting(now).unwrap());
    assert!(
        bare.contains("Timestamp(5)") && bare.contains("ApiKey") && bare.contains("None"),
        "{bare}"
    );
    for context in [
        r#"{"time": "morning"}"#,
        r#"{"time": {}}"#,
        r#"{"ip": "nowhere"}"#,
        r#"{"ip": ["10.0.0.1"]}"#,
        r#"{"auth_method": "magic"}"#,
    ] {
        let asked = read::evaluation(format!(r#"{{"context": {context}}}"#).as_bytes()).unwrap();
        assert!(Parts::of(&asked, &nothing).setting(now).is_err(), "{context}");
    }
}

#[test]
fn an_evaluation_inherits_each_part_that_it_leaves_out_as_a_whole() {
    let batch = br#"{
        "subject": {"type": "user", "id": "alice", "properties": {"role": "admin"}},
        "resource": {"type": "record", "id": "record-1", "properties": {"status": "active"}},
        "options": {"evaluations_semantic": "deny_on_first_deny", "another_option": "value"},
        "evaluations": [{"action": {"name": "read"}}, {"resource": {"type": "record", "id": "record-2"}}]
    }"#;
    let batch = read::evaluations(batch).unwrap();
    assert_eq!(batch.semantic, Semantic::DenyOnFirstDeny);
    let [first, second] = batch.evaluations.as_slice() else {
        panic!("two");
    };
    let first = Parts::of(first, &batch.defaults);
    assert_eq!((first.action().unwrap(), tags(&first).len()), ("read", 2));
    let second = Parts::of(second, &batch.defaults);
    assert_eq!(second.what().unwrap().id, "record-2");
    assert_eq!(
        tags(&second).len(),
        1,
        "the default's status is not the other record's"
    );
    assert_eq!(second.action().unwrap_err(), "action is missing.");
}

#[test]
fn what_is_missing_or_of_another_type_or_there_twice_is_refused() {
    let nothing = Evaluation::default();
    for text in [
        "",
        "null",
        "[]",
        "{",
        r#"{"subject": "alice"}"#,
        r#"{"subject": ["user", "alice"]}"#,
        r#"{"action": {"name": 123}}"#,
        r#"{"subject": {"type": "user", "id": "a"}, "subject": {"type": "user", "id": "b"}}"#,
        r#"{"subject": {"type": "user", "id": "a", "id": "b"}}"#,
        r#"{"resource": {"properties": {"status": "a", "status": "b"}}}"#,
        r#"{"resource": {"properties": []}}"#,
        r#"{"context": "now"}"#,
        r#"{} x"#,
    ] {
        assert!(read::evaluation(text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        r#"{}"#,
        r#"{"subject": null, "resource": {"type": "record"}}"#,
        r#"{"subject": {"id": "alice"}, "resource": {"id": "x"}}"#,
        r#"{"subject": {"type": "user", "id": ""}, "resource": {"type": "record", "id": "x\u0000"}}"#,
        r#"{"resource": {"type": "r", "id": "x", "properties": {"tags": "customer:acme"}}}"#,
        r#"{"resource": {"type": "r", "id": "x", "properties": {"tags": {"a": "1"}, "a": "2"}}}"#,
        r#"{"resource": {"type": "r", "id": "x", "properties": {"environment": {}}}}"#,
    ] {
        let asked = read::evaluation(text.as_bytes()).unwrap();
        let parts = Parts::of(&asked, &nothing);
        assert!(parts.who().is_err() && parts.what().is_err(), "{text}");
    }
    let many = format!(r#"{{"evaluations": [{}]}}"#, vec!["{}"; 1001].join(","));
    assert!(read::evaluations(many.as_bytes()).is_err());
    assert!(
        read::evaluation(b"{\"passed over\": \"\x8b\"}").is_err(),
        "not UTF-8"
    );
    assert!(read::evaluations(br#"{"options": {"evaluations_semantic": "maybe"}}"#).is_err());
}
