//! Edges that begin with nothing while no control plane answers: they serve by what one has put aside on the bus, if it is what a
//! control plane made, is no older than what they know of themselves, and they have been let in before.

use std::fs;

use bytes::Bytes;
use turnpike_tests::{
    cli::Cli,
    eventually::eventually,
    ground::Key,
    production::{Plan, Production},
    shelf::Looking,
};

const MODEL: &str = "fake-openai/gpt-4o";
const BY_THE_BUS: &str = "serving by the state that one has put on the bus";

async fn answers(production: &Production, key: &Key, status: u16) {
    let caller = production.caller(key);
    eventually("the answer", async || match caller.chat(MODEL).await.status {
        seen if seen == status => Ok(()),
        seen => Err(seen),
    })
    .await;
}

/// No control plane from here on, and the first edge is killed.
async fn alone(production: &mut Production) {
    production.to_control_plane.cut();
    production.to_edge_listener.cut();
    production.control_plane.kill().await;
    production.edge_processes[0].kill().await;
}

/// Starts the first edge again and waits until it says something.
async fn begins(production: &mut Production, saying: &str) {
    let skip = production.edge_processes[0].printed().len();
    production.restart_edge(0).await;
    says(production, skip, saying).await;
}

async fn says(production: &mut Production, skip: usize, text: &str) {
    production.edge_processes[0]
        .find(text, skip, |log| log.contains(text).then_some(()))
        .await;
}

#[tokio::test]
async fn an_edge_that_begins_without_a_control_plane_serves_by_the_bus_and_undoes_no_revocation() {
    let mut production = Production::with_one_edge(&["--no-snapshot"]).await;
    let (key, early) = (
        production.granted("steady").await,
        production.granted("early").await,
    );
    let revoke = |id: String| ["credential".to_owned(), "revoke".to_owned(), id];
    production
        .admin
        .json(&revoke(early.id.clone()).each_ref().map(String::as_str))
        .await;
    Looking::at(&production.nats).await.pieces().await;
    // What comes right before the end is in no state, but the bus has it.
    let (late, new) = (production.granted("late").await, production.granted("new").await);
    production
        .admin
        .json(&["credential", "revoke", &late.id, "--wait"])
        .await;
    alone(&mut production).await;
    begins(&mut production, BY_THE_BUS).await;
    for (key, status) in [(&key, 200), (&new, 200), (&early, 401), (&late, 401)] {
        let seen = production.caller(key).chat(MODEL).await.status;
        assert_eq!(seen, status, "{}", key.owner);
    }
    // It goes on from there.
    production.restart_control_plane().await;
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 401);
    let printed = production.edge_processes[0].printed();
    assert!(!printed.contains("does not fit"), "{printed}");
}

#[tokio::test]
async fn an_edge_that_begins_by_the_bus_follows_it_and_fences_who_accepts_no_unknown_age() {
    let mut production = Production::with_one_edge(&["--no-snapshot"]).await;
    let key = production.granted("steady").await;
    Looking::at(&production.nats).await.pieces().await;
    // The control plane lives, and this edge alone does not reach it.
    let around = production.to_control_plane.cut().unwrap();
    let admin = Cli::new(around, production.admin.token());
    production.edge_processes[0].kill().await;
    begins(&mut production, BY_THE_BUS).await;
    answers(&production, &key, 200).await;
    admin
        .json(&["tenant", "update", "dev", "--max-staleness", "1h"])
        .await;
    // It hears of that over the bus; of how old its state is nobody tells it.
    answers(&production, &key, 503).await;
    admin.json(&["credential", "revoke", &key.id]).await;
    production.to_control_plane.connect(around);
    answers(&production, &key, 401).await;
}

#[tokio::test]
async fn a_state_on_the_bus_that_is_missing_forged_foreign_or_cut_short_is_not_begun_by() {
    let mut production = Production::with_one_edge(&["--no-snapshot"]).await;
    let key = production.granted("steady").await;
    let whole = Looking::at(&production.nats).await.pieces().await;
    let other = Production::with_one_edge(&["--no-snapshot"]).await;
    let foreign = Looking::at(&other.nats).await.pieces().await;
    alone(&mut production).await;
    production.nats.kill().await;
    production.nats.restart_empty().await;
    production.to_nats.connect(production.nats.address);
    begins(&mut production, "cannot begin by a state on the bus").await;

    let looking = Looking::at(&production.nats).await;
    let mut forged = whole.clone();
    let middle = forged[1].len() / 2;
    let mut bytes = forged[1].to_vec();
    bytes[middle] ^= 1;
    forged[1] = bytes.into();
    let short = whole[..whole.len() - 1].to_vec();
    let torn: Vec<Bytes> = [&short[..], &[whole.last().unwrap().slice(..40)]].concat();
    for (pieces, why) in [
        (forged, "not as a control plane made it"),
        (torn, "not as a control plane made it"),
        (short, "its end is missing"),
        (foreign, "not as a control plane made it"),
    ] {
        looking.put(&pieces).await;
        let skip = production.edge_processes[0].printed().len();
        says(&mut production, skip, why).await;
        assert_eq!(production.caller(&key).chat(MODEL).await.status, 503, "{why}");
    }
    // Whole, but what came after it is not kept any more.
    looking.put(&whole).await;
    let skip = production.edge_processes[0].printed().len();
    says(&mut production, skip, "cannot begin by a state on the bus").await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 503);
    looking.keep_events().await;
    says(&mut production, skip, BY_THE_BUS).await;
}

#[tokio::test]
async fn a_state_on_the_bus_that_is_older_than_what_the_edge_has_said_is_not_begun_by() {
    let mut production = Production::with_one_edge(&[]).await;
    let key = production.granted("leaked").await;
    let looking = Looking::at(&production.nats).await;
    let older = looking.pieces().await;
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    let state = production.folder().join("edge-eu/state");
    eventually("the word of it on disk", async || {
        let witness = fs::read(state.join("witness")).unwrap_or_default();
        let log = production.database.events().await;
        let head = log.last().unwrap().position.get().to_le_bytes();
        match witness.get(4..12) {
            Some(said) if said == head => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    alone(&mut production).await;
    production.nats.kill().await;
    production.nats.restart_empty().await;
    production.to_nats.connect(production.nats.address);
    let looking = Looking::at(&production.nats).await;
    looking.keep_events().await;
    looking.put(&older).await;
    fs::remove_file(state.join("snapshot")).unwrap();
    begins(&mut production, "this edge has said that it was at").await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 503);
}

#[tokio::test]
async fn an_edge_that_was_never_let_in_does_not_begin_by_the_bus_and_one_that_was_does() {
    let mut production = Production::start_as(Plan {
        regions: vec!["eu"],
        edge_flags: vec!["--no-snapshot".to_owned()],
        enrolled: true,
        ..Plan::default()
    })
    .await;
    let key = production.granted("steady").await;
    Looking::at(&production.nats).await.pieces().await;
    production.to_edge_listener.cut();
    // It has a token and the keyring, and nobody has looked at either.
    let (stranger, at) = production.start_edge("us").await;
    alone(&mut production).await;
    begins(&mut production, BY_THE_BUS).await;
    answers(&production, &key, 200).await;
    let printed = stranger.printed();
    assert!(!printed.contains(BY_THE_BUS), "{printed}");
    let caller = turnpike_tests::caller::Caller::new(&at.url(), Some(&key.text));
    assert_eq!(caller.chat(MODEL).await.status, 503);
}
