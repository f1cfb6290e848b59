//! A tenant whose audit is strict: an answer that has begun is on record whatever becomes of its edge, and what can't be on
//! record is not served.

use std::fs;

use serde_json::json;
use turnpike_tests::{
    caller::{Answer, streamed},
    eventually::eventually,
    production::Production,
};

const MODEL: &str = "fake-openai/gpt-4o";
/// Two chunks, and then nothing any more, for ever.
const STALLS: &str = "fake-faults/fault-stall-stream";

async fn strict() -> Production {
    let production = Production::with_one_edge(&[]).await;
    let set = ["tenant", "update", "dev", "--audit", "strict", "--wait"];
    let tenant = production.admin.json(&set).await;
    assert_eq!(tenant["tenant"]["audit"]["mode"], "strict", "{tenant}");
    production
}

#[tokio::test]
async fn an_answer_that_had_begun_when_its_edge_died_has_one_row_that_says_so() {
    let mut production = strict().await;
    let key = production.granted("writer").await;
    let caller = production.caller(&key);
    let whole = caller.chat(MODEL).await;
    assert_eq!(whole.status, 200);
    let refused = caller.chat("fake-openai/none").await;
    let mut begun = caller
        .post("/v1/chat/completions", &streamed(STALLS))
        .send()
        .await
        .unwrap();
    assert!(begun.chunk().await.unwrap().is_some(), "the answer has begun");
    let begun_id = begun.headers()["x-request-id"].to_str().unwrap().to_owned();

    production.edge_processes[0].kill().await;
    production.restart_edge(0).await;
    let ids = [whole.request_id(), refused.request_id(), begun_id.as_str()];
    let rows = production.audited_all(ids).await;
    let ending = |id: &str| (rows[id]["ending"].clone(), rows[id]["status"].clone());
    assert_eq!(ending(whole.request_id()), (json!("complete"), json!(200)));
    assert_eq!(ending(refused.request_id()), (json!("complete"), json!(404)));
    let begun = &rows[&begun_id];
    assert_eq!(
        (
            &begun["ending"],
            &begun["model_served"],
            &begun["principal"],
            &begun["input_tokens"]
        ),
        (
            &json!("edge_lost"),
            &json!(STALLS),
            &json!("virtual-account:writer"),
            &json!(null)
        ),
        "{begun}"
    );
    // Another start finds nothing more to tell.
    production.edge_processes[0].kill().await;
    production.restart_edge(0).await;
    let after = production.caller(&key);
    eventually("service", async || match after.chat(MODEL).await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
    assert_eq!(production.audit(&["--request", &begun_id]).await.len(), 1);
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_refused_to_a_strict_tenant_before_its_provider_hears_of_it() {
    let production = strict().await;
    let key = production.granted("writer").await;
    let caller = production.caller(&key);
    // What was to be a folder is none.
    let openings = production.folder().join("edge-eu/spool/openings");
    fs::write(&openings, "").unwrap();
    let refused = caller.chat(MODEL).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("can't be recorded"), "{message}");
    let row = production.audited(refused.request_id()).await;
    assert_eq!(
        (&row["reason"], &row["status"], &row["upstream_status"]),
        (&json!("audit_unsynced"), &json!(503), &json!(null)),
        "{row}"
    );
    let set = ["tenant", "update", "dev", "--audit", "buffered", "--wait"];
    production.admin.json(&set).await;
    let served: Answer = caller.chat(MODEL).await;
    assert_eq!(
        served.status, 200,
        "a buffered audit does not need the disk: {served:?}"
    );
    production
        .admin
        .json(&["tenant", "update", "dev", "--audit", "strict", "--wait"])
        .await;
    fs::remove_file(&openings).unwrap();
    assert_eq!(caller.chat(MODEL).await.status, 200, "the disk takes it again");
}
