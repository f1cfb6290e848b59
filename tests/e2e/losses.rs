//! What is lost of the audit is told in the audit itself, and as an alert.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, chat},
    eventually::eventually,
    production::Production,
};

/// Requests of two kilobytes of metadata each: more than the spool holds.
const REQUESTS: usize = 150;

fn number(value: &Value) -> usize {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

#[tokio::test]
async fn what_a_full_spool_drops_is_counted_in_the_audit_and_told_as_one_alert() {
    let production =
        Production::with_one_edge(&["--spool-max-bytes", "128KiB", "--spool-full", "drop"]).await;
    let key = production.granted("writer").await;
    let caller = production.caller(&key);
    let around = production.to_control_plane.cut().unwrap();
    let metadata: serde_json::Map<String, Value> = (0..8)
        .map(|number| (number.to_string(), json!("x".repeat(240))))
        .collect();
    let metadata = Value::Object(metadata).to_string();
    let mut asked = BTreeSet::new();
    for _ in 0..REQUESTS {
        let request = caller.post("/v1/chat/completions", &chat("fake-openai/gpt-4o"));
        let answer = Answer::of(request.header("x-turnpike-metadata", &metadata)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        asked.insert(answer.request_id().to_owned());
    }
    production.to_control_plane.connect(around);

    // Every request has its row, or is among those that a row counts.
    let (rows, lost) = eventually("every request to be accounted for", async || {
        let rows = production.audit(&[]).await;
        let of_requests = rows
            .iter()
            .filter(|row| asked.contains(row["request_id"].as_str().unwrap_or_default()));
        let kept = of_requests.count();
        let losses = rows.iter().filter(|row| row["reason"] == "records_dropped");
        let lost: usize = losses.map(|row| number(&row["metadata"]["records"])).sum();
        match kept + lost == REQUESTS {
            true => Ok((rows, lost)),
            false => Err((kept, lost)),
        }
    })
    .await;
    assert!(lost > 0, "nothing was dropped");
    let alerts = eventually("an alert", async || {
        let alerts = production.admin.json(&["alert", "list"]).await;
        match alerts.as_array().unwrap().is_empty() {
            true => Err(()),
            false => Ok(alerts),
        }
    })
    .await;
    let alerts = alerts.as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert_eq!(alerts[0]["kind"], "audit_gap");
    // A row about rows is no request.
    let report = production.admin.words("usage report").await;
    let about = rows.iter().filter(|row| row["action"] == "audit.lost").count();
    assert_eq!(report["total"]["requests"], json!(rows.len() - about));
}
