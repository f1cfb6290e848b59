//! The operators' policy files, which have a section that no tenant's has.

use serde_json::json;
use turnpike_tests::{caller::Answer, dev::Dev};

use super::Desk;

#[tokio::test]
async fn what_operators_offer_is_part_of_their_policy() {
    let dev = Dev::start().await;
    let desk = Desk {
        dev: &dev,
        cli: dev.operator.clone(),
    };
    let file = desk.policy(
        "providers: [{name: pool, kind: openai, base_url: 'http://127.0.0.1:9/v1'}]\nmodels: [{name: pool/large}]\n\
         offers:\n- to: {named: [dev]}\n  models: {resources: [{kind: model, name: 'pool/*'}]}\n",
    );
    desk.applied(&file, &["--yes", "--wait"], 0).await;
    let key = dev.application("guest").await;
    dev.allow(&key.owner, "pool/*").await;
    let listed = dev.caller(&key).request(reqwest::Method::GET, "/v1/models");
    let listed = Answer::of(listed).await.json();
    assert_eq!(listed["data"][0]["id"], json!("pool/large"), "{listed}");

    let text = desk.exported().await;
    let exported = desk.file("exported.yaml", &text);
    let found = desk
        .applied(&exported, &["--dry-run", "--exit-code", "--prune"], 0)
        .await;
    assert_eq!(found["plan"]["steps"], json!([]), "{found}");
    let none = desk.policy("offers: []\n");
    let found = desk.applied(&none, &["--dry-run"], 0).await;
    assert_eq!(found["plan"]["unmanaged"], json!(["offer to dev"]), "{found}");
    desk.applied(&none, &["--yes", "--prune", "--wait"], 0).await;
    let listed = dev.caller(&key).request(reqwest::Method::GET, "/v1/models");
    let listed = Answer::of(listed).await.json();
    assert_eq!(listed["data"], json!([]), "{listed}");
}
