//! Basic certification, core and properties; transport; discovery.

use turnpike_tests::caller::Answer;

use super::{EVALUATION, Fixture};

/// What stands for a subject's id, an action's name and a resource's id, each with its properties; what else is in the
/// request; and the decision.
const DECISIONS: [(&str, &str, &str, &str, bool); 12] = [
    (r#""alice""#, r#""read""#, r#""record-1""#, "", true),
    (r#""alice""#, r#""write""#, r#""record-1""#, "", true),
    (r#""bob""#, r#""read""#, r#""record-1""#, "", true),
    (r#""bob""#, r#""write""#, r#""record-1""#, "", false),
    (
        r#""alice""#,
        r#""read""#,
        r#""record-1""#,
        r#", "context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}"#,
        true,
    ),
    (
        r#""alice""#,
        r#""write""#,
        r#""record-2", "properties": {"status": "archived"}"#,
        "",
        false,
    ),
    (
        r#""bob", "properties": {"role": "admin"}"#,
        r#""write""#,
        r#""record-2", "properties": {"status": "archived"}"#,
        "",
        true,
    ),
    (
        r#""bob", "properties": {"role": "admin"}"#,
        r#""write""#,
        r#""record-7", "properties": {"status": "archived"}"#,
        "",
        true,
    ),
    (
        r#""bob", "properties": {"role": "clerk"}"#,
        r#""write""#,
        r#""record-7", "properties": {"status": "archived"}"#,
        "",
        false,
    ),
    (
        r#""alice""#,
        r#""delete", "properties": {"soft": true}"#,
        r#""record-1""#,
        "",
        true,
    ),
    (
        r#""alice""#,
        r#""delete", "properties": {"soft": false}"#,
        r#""record-1""#,
        "",
        false,
    ),
    (
        r#""alice", "properties": {"department": "Sales", "role": "manager"}"#,
        r#""read", "properties": {"method": "GET"}"#,
        r#""record-1", "properties": {"status": "active", "owner": "bob"}"#,
        r#", "foo": "bar", "futureField": {"nested": true}"#,
        true,
    ),
];

#[tokio::test]
async fn the_eight_decisions_of_the_certification_scenario_are_as_it_says() {
    let fixture = Fixture::start().await;
    for (subject, action, resource, more, expected) in DECISIONS {
        let body = format!(
            r#"{{"subject": {{"type": "user", "id": {subject}}}, "action": {{"name": {action}}},
                "resource": {{"type": "record", "id": {resource}}}{more}}}"#
        );
        for _ in 0..2 {
            assert_eq!(fixture.decision(&body).await, expected, "{body}");
        }
    }
}

const ALICE_READS: &str = r#"{"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"},
    "resource": {"type": "record", "id": "record-1"}}"#;

#[tokio::test]
async fn what_is_missing_malformed_or_of_another_type_is_a_bad_request_with_a_sentence() {
    let fixture = Fixture::start().await;
    for body in [
        r#"{"action": {"name": "read"}, "resource": {"type": "record", "id": "record-1"}}"#,
        r#"{"subject": {"type": "user", "id": "alice"}, "resource": {"type": "record", "id": "record-1"}}"#,
        r#"{"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}}"#,
        &ALICE_READS.replace(r#""type": "user", "#, ""),
        &ALICE_READS.replace(r#", "id": "alice""#, ""),
        &ALICE_READS.replace(r#""name": "read""#, ""),
        &ALICE_READS.replace(r#""type": "record", "#, ""),
        &ALICE_READS.replace(r#", "id": "record-1""#, ""),
        &ALICE_READS.replace(r#"{"type": "user", "id": "alice"}"#, r#""alice""#),
        &ALICE_READS.replace(r#"{"type": "user", "id": "alice"}"#, r#"["user", "alice"]"#),
        &ALICE_READS.replace(r#""read""#, "123"),
        &ALICE_READS.replace(r#""id": "alice""#, r#""id": "alice", "id": "bob""#),
        "{\"subject\": ",
        "",
    ] {
        let answer = fixture.ask(EVALUATION, body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, "text/plain; charset=utf-8"),
            "{body}: {answer:?}"
        );
        assert!(
            answer.text().len() > 10 && !answer.text().starts_with('{'),
            "{answer:?}"
        );
    }
    let caller = fixture.caller();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = caller
            .request(reqwest::Method::POST, EVALUATION)
            .body(ALICE_READS);
        let request = match content_type {
            "" => request,
            some => request.header("content-type", some),
        };
        assert_eq!(Answer::of(request).await.status, 400, "{content_type}");
    }
    let refused = Answer::of(caller.request(reqwest::Method::GET, EVALUATION)).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn a_request_is_answered_under_the_name_that_its_client_gave_it() {
    let fixture = Fixture::start().await;
    let name = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716";
    for (body, status) in [(ALICE_READS, 200), ("{}", 400)] {
        let request = fixture.caller().request(reqwest::Method::POST, EVALUATION);
        let request = request
            .header("content-type", "application/json; charset=utf-8")
            .header("x-request-id", name);
        let answer = Answer::of(request.body(body)).await;
        assert_eq!(
            (answer.status, answer.header("x-request-id")),
            (status, name),
            "{answer:?}"
        );
    }
    let unnamed = fixture.ask(EVALUATION, ALICE_READS).await;
    assert!(unnamed.header("x-request-id").starts_with("req_"), "{unnamed:?}");
}

#[tokio::test]
async fn the_configuration_names_the_endpoints_to_whoever_asks() {
    let fixture = Fixture::start().await;
    let base = fixture.dev.edges[0].url();
    let anybody = turnpike_tests::caller::Caller::new(&base, None);
    let answer =
        Answer::of(anybody.request(reqwest::Method::GET, "/.well-known/authzen-configuration")).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let told = answer.json();
    assert_eq!(told["policy_decision_point"], base);
    for (name, path) in [
        ("access_evaluation_endpoint", "evaluation"),
        ("access_evaluations_endpoint", "evaluations"),
        ("search_subject_endpoint", "search/subject"),
        ("search_resource_endpoint", "search/resource"),
        ("search_action_endpoint", "search/action"),
    ] {
        assert_eq!(told[name], format!("{base}/access/v1/{path}"));
    }
}
