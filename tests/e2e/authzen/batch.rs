//! Batch certification, core and properties, and the semantics that end a batch early.

use serde_json::{Value, json};

use super::{EVALUATIONS, Fixture};

fn decisions(answer: &Value) -> Vec<bool> {
    let all = answer["evaluations"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    all.iter().map(|one| one["decision"].as_bool().unwrap()).collect()
}

#[tokio::test]
async fn many_evaluations_are_answered_in_their_order_with_what_they_inherit() {
    let fixture = Fixture::start().await;
    let record = |id: &str| json!({"type": "record", "id": id});
    let with = |id: &str, status: &str| json!({"type": "record", "id": id, "properties": {"status": status}});
    let user = |id: &str| json!({"type": "user", "id": id});
    let named = |name: &str| json!({"name": name});
    for (body, expected) in [
        (
            json!({"subject": user("alice"), "action": named("read"),
                "evaluations": [{"resource": record("record-1")}, {"resource": record("record-2")}]}),
            vec![true, true],
        ),
        (
            json!({"subject": user("bob"), "resource": record("record-1"),
                "evaluations": [{"action": named("read")}, {"action": named("write")}]}),
            vec![true, false],
        ),
        (
            json!({"subject": user("alice"), "action": named("write"), "evaluations": [
                {"resource": with("record-1", "active")}, {"resource": with("record-2", "archived")}]}),
            vec![true, false],
        ),
        (
            json!({"action": named("write"), "resource": with("record-2", "archived"), "evaluations": [
                {"subject": user("alice")},
                {"subject": {"type": "user", "id": "bob", "properties": {"role": "admin"}}}]}),
            vec![false, true],
        ),
        (
            json!({"evaluations": [
                {"subject": user("alice"), "action": named("read"), "resource": record("record-1")},
                {"subject": user("bob"), "action": named("write"), "resource": record("record-1")}]}),
            vec![true, false],
        ),
        (
            json!({"subject": user("alice"), "action": named("read"), "context": {"time": "2025-06-27T18:03-07:00"},
                "evaluations": [{"resource": record("record-1")}, {"resource": record("record-2"),
                    "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"}}]}),
            vec![true, true],
        ),
        (
            json!({"subject": user("alice"), "action": named("write"), "resource": with("record-1", "active"),
                "evaluations": [{}, {"resource": with("record-2", "archived")}]}),
            vec![true, false],
        ),
    ] {
        let answer = fixture.answer(EVALUATIONS, &body.to_string()).await;
        assert_eq!(decisions(&answer), expected, "{body}: {answer}");
        assert_eq!(answer.get("decision"), None);
    }
}

#[tokio::test]
async fn the_fault_of_one_evaluation_is_its_own_no_and_without_evaluations_it_is_a_single_one() {
    let fixture = Fixture::start().await;
    let defaults = r#""subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}"#;
    let one = r#"{"resource": {"type": "record", "id": "record-1"}}"#;
    let faulty = format!(
        r#"{{{defaults}, "options": {{"evaluations_semantic": "execute_all"}}, "evaluations": [{one}, {{}}]}}"#
    );
    let answer = fixture.answer(EVALUATIONS, &faulty).await;
    assert_eq!(
        answer["evaluations"][1],
        json!({"decision": false, "context": {"error": {"status": 400, "message": "resource is missing."}}})
    );
    assert_eq!(answer["evaluations"][0], json!({"decision": true}));
    for end in ["", r#", "evaluations": []"#] {
        let single = format!(r#"{{{defaults}, "resource": {{"type": "record", "id": "record-1"}}{end}}}"#);
        assert_eq!(
            fixture.answer(EVALUATIONS, &single).await,
            json!({"decision": true})
        );
        let incomplete = format!(r"{{{defaults}{end}}}");
        assert_eq!(fixture.ask(EVALUATIONS, &incomplete).await.status, 400);
    }
}

#[tokio::test]
async fn a_batch_ends_at_the_first_no_or_the_first_yes_where_it_says_so() {
    let fixture = Fixture::start().await;
    for (semantic, expected) in [
        ("execute_all", vec![true, false, true, false]),
        ("deny_on_first_deny", vec![true, false]),
        ("permit_on_first_permit", vec![true]),
    ] {
        let body = json!({
            "subject": {"type": "user", "id": "bob"}, "resource": {"type": "record", "id": "record-1"},
            "options": {"evaluations_semantic": semantic, "another_option": "value"},
            "evaluations": [{"action": {"name": "read"}}, {"action": {"name": "write"}},
                {"action": {"name": "read"}}, {}],
        });
        let answer = fixture.answer(EVALUATIONS, &body.to_string()).await;
        assert_eq!(decisions(&answer), expected, "{semantic}");
    }
    let unheard = r#"{"options": {"evaluations_semantic": "guess"}, "evaluations": [{}]}"#;
    assert_eq!(fixture.ask(EVALUATIONS, unheard).await.status, 400);
}
