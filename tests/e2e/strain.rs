//! Ways that are slow and narrow, buses that are gone for long, and disks that take nothing: changes come later, and none is
//! lost, undone or wrongly told.

use std::time::Duration;

use turnpike_tests::{
    eventually::eventually,
    production::{Plan, Production},
};

const MODEL: &str = "fake-openai/gpt-4o";

/// Revokes a key by the receipt of every edge, and it is refused there from then on.
async fn revoked_everywhere(production: &Production, name: &str) {
    let key = production.granted(name).await;
    for caller in production.callers(&key) {
        assert_eq!(caller.chat(MODEL).await.status, 200);
    }
    let revoke = ["credential", "revoke", &key.id, "--wait"];
    production.admin.json(&revoke).await;
    for caller in production.callers(&key) {
        assert_eq!(caller.chat(MODEL).await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn over_slow_and_narrow_ways_changes_come_later_and_a_receipt_still_holds() {
    let production = Production::start().await;
    for (to_control_plane, to_postgres, to_nats) in [(20, 0, 0), (0, 10, 0), (0, 0, 200), (20, 5, 100)] {
        for (cable, delay) in [
            (&production.to_control_plane, to_control_plane),
            (&production.to_postgres, to_postgres),
            (&production.to_nats, to_nats),
        ] {
            cable.strain(Duration::from_millis(delay), if delay > 0 { 700 } else { 0 });
        }
        let name = format!("slow-{to_control_plane}-{to_postgres}-{to_nats}");
        revoked_everywhere(&production, &name).await;
    }
}

#[tokio::test]
async fn a_bus_that_is_gone_for_longer_than_it_remembers_costs_time_and_nothing_else() {
    let mut production = Production::start().await;
    let steady = production.granted("steady").await;
    production.to_nats.cut();
    production.nats.kill().await;
    for nth in 0..3 {
        revoked_everywhere(&production, &format!("without-a-bus-{nth}")).await;
    }
    production.nats.restart_empty().await;
    production.to_nats.connect(production.nats.address);
    // Whether by the bus or past it: it has none of what came before.
    for nth in 0..3 {
        revoked_everywhere(&production, &format!("with-an-empty-bus-{nth}")).await;
    }
    for caller in production.callers(&steady) {
        assert_eq!(caller.chat(MODEL).await.status, 200);
    }
}

#[tokio::test]
async fn an_edge_whose_disk_takes_no_state_serves_and_keeps_receipts_and_says_so() {
    let mut production = Production::start_as(Plan {
        regions: vec!["eu"],
        // The audit needs room, and this test is about the state.
        ..Plan::default()
    })
    .await;
    production.edge_processes[0].kill().await;
    let state = production.folder().join("edge-eu/state");
    eventually("the folder of the state", async || {
        std::fs::remove_dir_all(&state).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    })
    .await;
    // A file where the folder belongs: nothing can be written below it, whoever tries, as on a disk that is full.
    std::fs::write(&state, b"").unwrap();
    production.restart_edge(0).await;
    revoked_everywhere(&production, "no-disk").await;
    let printed = production.edge_processes[0].printed();
    assert!(printed.contains("cannot keep the state on disk"), "{printed}");
    production.edge_processes[0].kill().await;
    production.restart_edge(0).await;
    revoked_everywhere(&production, "no-disk-again").await;
}
