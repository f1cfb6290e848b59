//! After `revoke --wait` has returned, no edge lets the key through: an order, asserted under load.
//!
//! Every request notes, when it is sent, whether the revocation had returned by then. How long anything takes does not
//! matter.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use serde_json::json;
use tokio::task::JoinSet;
use turnpike_tests::{
    caller::Caller,
    dev::Dev,
    eventually::eventually,
    ground::{Ground, Key},
    production::Production,
};

const MODEL: &str = "fake-openai/gpt-4o";
/// Callers at once on each edge.
const CALLERS: usize = 4;
/// How many answers each caller must get in each of the two phases.
const ENOUGH: usize = 25;

/// What the callers of the key saw.
#[derive(Default)]
struct Seen {
    /// Whether the change had returned.
    returned: AtomicBool,
    done: AtomicBool,
    served_before: AtomicUsize,
    refused_after: AtomicUsize,
    /// Sent after the change had returned, and served all the same.
    let_through: AtomicUsize,
}

async fn call_on(caller: Caller, seen: Arc<Seen>) {
    while !seen.done.load(SeqCst) {
        let sent_after = seen.returned.load(SeqCst);
        let status = caller.chat(MODEL).await.status;
        match (sent_after, status) {
            (false, 200) => seen.served_before.fetch_add(1, SeqCst),
            (true, 401) => seen.refused_after.fetch_add(1, SeqCst),
            (true, 200) => seen.let_through.fetch_add(1, SeqCst),
            (false, 401) => 0,
            other => panic!("neither served nor refused: {other:?}"),
        };
    }
}

/// Calls with the key on every edge, has `change` made in the middle, and asserts that it held from its return on.
async fn no_edge_serves_after(ground: &Ground, key: &Key, change: &[&str]) {
    let seen = Arc::new(Seen::default());
    let mut load = JoinSet::new();
    for caller in ground
        .callers(key)
        .into_iter()
        .cycle()
        .take(CALLERS * ground.edges.len())
    {
        load.spawn(call_on(caller, seen.clone()));
    }
    let enough = ENOUGH * ground.edges.len();
    let at_least = async |count: &AtomicUsize| {
        eventually("load", async || match count.load(SeqCst) {
            count if count < enough => Err(count),
            _ => Ok(()),
        })
        .await;
    };
    at_least(&seen.served_before).await;
    let receipt = ground.admin.json(change).await["receipt"].clone();
    seen.returned.store(true, SeqCst);
    at_least(&seen.refused_after).await;
    seen.done.store(true, SeqCst);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    assert_eq!(
        seen.let_through.load(SeqCst),
        0,
        "served after {change:?} had returned"
    );
    assert_eq!(receipt["applied"], true);
    assert_eq!(
        receipt["edges"].as_array().unwrap().len(),
        ground.edges.len(),
        "{receipt}"
    );
}

async fn a_revoked_key_is_refused(ground: &Ground) {
    let (key, other) = (ground.granted("leaked").await, ground.granted("bystander").await);
    no_edge_serves_after(ground, &key, &["credential", "revoke", &key.id, "--wait"]).await;
    for caller in ground.callers(&other) {
        assert_eq!(caller.chat(MODEL).await.status, 200, "a key that was not revoked");
    }
    let resumed = ground.admin.run(&["credential", "resume", &key.id]).await;
    assert_eq!(resumed.status, 1, "revoked is for ever: {resumed:?}");
}

#[tokio::test]
async fn after_a_revocation_has_returned_no_edge_lets_the_key_through() {
    a_revoked_key_is_refused(&*Production::start().await).await;
}

#[tokio::test]
async fn after_a_revocation_has_returned_the_edge_of_turnpike_dev_refuses_the_key() {
    a_revoked_key_is_refused(&*Dev::start().await).await;
}

#[tokio::test]
async fn suspending_and_deactivating_hold_from_their_return_on_and_are_undone() {
    let production = Production::start().await;
    let key = production.granted("paused").await;
    no_edge_serves_after(&production, &key, &["credential", "suspend", &key.id, "--wait"]).await;
    production
        .admin
        .json(&["credential", "resume", &key.id, "--wait"])
        .await;
    let deactivate = [
        "virtual-account",
        "update",
        "paused",
        "--deactivated",
        "true",
        "--wait",
    ];
    no_edge_serves_after(&production, &key, &deactivate).await;
    let activate = [
        "virtual-account",
        "update",
        "paused",
        "--deactivated",
        "false",
        "--wait",
    ];
    production.admin.json(&activate).await;
    for caller in production.callers(&key) {
        assert_eq!(caller.chat(MODEL).await.status, 200);
    }
}

#[tokio::test]
async fn a_rotated_key_works_beside_the_old_one_for_as_long_as_was_asked() {
    let dev = Dev::start().await;
    let old = dev.granted("rotating").await;
    let rotate = |overlap| ["credential", "rotate", &old.id, "--overlap", overlap, "--wait"];
    let made = dev.admin.json(&rotate("1h")).await;
    let new = Key {
        text: made["key"].as_str().unwrap().to_owned(),
        ..old.clone()
    };
    for key in [&old, &new] {
        assert_eq!(
            dev.caller(key).chat(MODEL).await.status,
            200,
            "both versions live"
        );
    }
    let made = dev.admin.json(&rotate("0s")).await;
    let newest = Key {
        text: made["key"].as_str().unwrap().to_owned(),
        ..old.clone()
    };
    assert_eq!(dev.caller(&newest).chat(MODEL).await.status, 200);
    for key in [&old, &new] {
        assert_eq!(dev.caller(key).chat(MODEL).await.status, 401);
    }
    assert_eq!(made["receipt"]["applied"], json!(true));
}
