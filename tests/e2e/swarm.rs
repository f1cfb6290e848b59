//! Very many edges at one control plane: they begin at once, are cut off at once and come back at once, and whoever writes meanwhile is
//! not kept waiting for good. How long it takes is for `tests/bench/propagation` to say.

use std::time::Instant;

use turnpike_access::log::Position;
use turnpike_tests::{
    bench::{
        crowd::Crowd,
        revoking::{client, make_keys},
    },
    production::{Plan, Production},
};

const EDGES: usize = 200;
const COMMANDS: usize = 100;

async fn head(production: &Production) -> Position {
    production.database.events().await.last().unwrap().position
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_edges_that_are_cut_off_at_once_come_back_to_the_head_while_changes_are_made() {
    let production = Production::start_as(Plan {
        regions: Vec::new(),
        ..Plan::default()
    })
    .await;
    production.granted("measured").await;
    let begun = Instant::now();
    let crowd = Crowd::call(EDGES, production.to_control_plane.address, production.keyring());
    crowd.all_at(head(&production).await, begun).await;
    let listed = production.admin.words("edge list").await;
    assert_eq!(listed.as_array().unwrap().len(), EDGES);

    // They are all cut, miss changes, and come back while further ones are made.
    let client = client(&production).await;
    let end = production.to_control_plane.cut().unwrap();
    let (missed, ..) = make_keys(&client, COMMANDS, 8).await;
    let cut = Instant::now();
    production.to_control_plane.connect(end);
    let (made, ..) = make_keys(&client, COMMANDS, 8).await;
    assert_eq!((missed.len(), made.len()), (COMMANDS, COMMANDS));
    crowd.all_at(head(&production).await, cut).await;
    // Whoever revokes now hears from every one of them.
    let revoked = production
        .admin
        .json(&["credential", "revoke", &made[0].id, "--wait"])
        .await;
    let edges = revoked["receipt"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), EDGES);
    assert!(edges.iter().all(|edge| edge["applied"] == true), "{revoked}");
}
