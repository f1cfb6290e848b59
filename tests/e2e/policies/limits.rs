//! Budgets in policy files, which say what may be spent and never what was.

use std::path::Path;

use serde_json::json;
use turnpike_tests::{dev::Dev, eventually::eventually};

use super::Desk;

const MODEL: &str = "fake-openai/gpt-4o";

#[tokio::test]
async fn limits_are_exported_changed_and_pruned_as_reviewed_text_and_what_was_spent_is_not() {
    let dev = Dev::start().await;
    let desk = Desk::of(&dev);
    let key = dev.granted("spender").await;
    let tiny = |budget: &str| {
        format!(
            "limits:\n- name: spender-daily\n  subject: {}\n  budget: {budget}\n  per: day\n\
             - name: everybody\n  budget: 900000000\n  per: month\n",
            key.owner
        )
    };
    let applied = desk
        .applied(&desk.policy(&tiny("1")), &["--yes", "--wait"], 0)
        .await;
    assert_eq!(applied["plan"]["steps"][0]["what"], json!("limit"), "{applied}");
    let caller = dev.caller(&key);
    eventually("the budget to be spent", async || {
        match caller.chat(MODEL).await.status {
            429 => Ok(()),
            status => Err(status),
        }
    })
    .await;

    let text = desk.exported().await;
    assert!(
        text.contains("- name: spender-daily") && !text.contains("spent"),
        "{text}"
    );
    let file = desk.file("exported.yaml", &text);
    let found = desk
        .applied(&file, &["--dry-run", "--exit-code", "--prune"], 0)
        .await;
    assert_eq!(found["plan"]["steps"], json!([]), "{found}");

    let changed = desk.policy(&tiny("1000000000"));
    assert_changed(&desk, &changed).await;
    assert_eq!(
        caller.chat(MODEL).await.status,
        200,
        "there is something to spend again"
    );
    assert_pruned(&desk).await;
}

/// The plan tells of the limit alone, and of nobody whose requests would have gone otherwise; then it is carried out.
async fn assert_changed(desk: &Desk<'_>, changed: &Path) {
    let found = desk
        .applied(changed, &["--dry-run", "--exit-code", "--replay", "1h"], 3)
        .await;
    let step = &found["plan"]["steps"][0];
    assert_eq!(
        (&step["verb"], &step["details"], &step["events"][0]["kind"]),
        (
            &json!("update"),
            &json!(["budget: 1 -> 1000000000"]),
            &json!("limit.updated")
        ),
        "{found}"
    );
    assert_eq!(
        found["replay"]["otherwise"],
        json!([]),
        "budgets are not looked at: {found}"
    );
    desk.applied(changed, &["--yes", "--wait"], 0).await;
    let shown = desk.cli.json(&["limit", "get", "spender-daily"]).await;
    assert_eq!(shown["budget_usd"], json!("1000.00"));
}

async fn assert_pruned(desk: &Desk<'_>) {
    let none = desk.policy("limits: []\n");
    let found = desk.applied(&none, &["--yes"], 0).await;
    assert_eq!(
        found["plan"]["unmanaged"],
        json!(["limit spender-daily", "limit everybody"]),
        "{found}"
    );
    desk.applied(&none, &["--yes", "--prune", "--wait"], 0).await;
    assert_eq!(desk.cli.words("limit list").await, json!([]));
}
