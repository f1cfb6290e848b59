//! Two regions with a NATS cluster each, joined by gateways: what is published at home is heard abroad, and while the link between them
//! is cut, and afterwards, every edge ends where Postgres is.

use turnpike_tests::{
    cli::Cli,
    eventually::eventually,
    ground::Key,
    production::{Plan, Production},
    regions::{FURTHER, Regions},
    shelf::Looking,
};

const MODEL: &str = "fake-openai/gpt-4o";

/// An edge in each region; the control plane is at home.
async fn across(regions: &Regions) -> Production {
    let nats = |url: String| ("TURNPIKE_NATS_URL".to_owned(), url);
    Production::start_as(Plan {
        edge_flags: vec!["--no-snapshot".to_owned()],
        environment: vec![
            nats(regions.home("control-plane")),
            ("TURNPIKE_NATS_REPLICAS".to_owned(), "3".to_owned()),
        ],
        of_edges: vec![
            ("eu", vec![nats(regions.home("edge"))]),
            (FURTHER, vec![nats(regions.further("edge"))]),
        ],
        ..Plan::default()
    })
    .await
}

async fn statuses(production: &Production, key: &Key) -> Vec<u16> {
    let mut statuses = Vec::new();
    for caller in production.callers(key) {
        statuses.push(caller.chat(MODEL).await.status);
    }
    statuses
}

async fn come_to(production: &Production, key: &Key, wanted: [u16; 2]) {
    eventually("the answers of both edges", async || {
        match statuses(production, key).await {
            seen if seen == wanted => Ok(()),
            seen => Err(seen),
        }
    })
    .await;
}

#[tokio::test]
async fn edges_of_two_regions_apply_a_revocation_over_joined_clusters_and_end_at_the_log_after_a_cut() {
    let folder = tempfile::tempdir().unwrap();
    let regions = Regions::start(folder.path()).await;
    let production = across(&regions).await;
    let mut keys = Vec::new();
    for name in ["first", "second", "third"] {
        keys.push(production.granted(name).await);
    }
    let abroad = Looking::by(regions.further("edge")).await;
    abroad.hears().await;
    // No edge reaches the control plane: what it hears of comes over the bus, and for one of them across the link.
    let around = production.to_control_plane.cut().unwrap();
    let admin = Cli::new(around, production.admin.token());
    admin.json(&["credential", "revoke", &keys[0].id]).await;
    come_to(&production, &keys[0], [401, 401]).await;

    regions.cut();
    admin.json(&["credential", "revoke", &keys[1].id]).await;
    come_to(&production, &keys[1], [401, 200]).await;

    // Back, it hears where the log ends, and what it has missed it has from the control plane.
    regions.heal();
    production.to_control_plane.connect(around);
    come_to(&production, &keys[1], [401, 401]).await;
    production.admin.json(&["edge", "wait"]).await;

    // And hears the bus again.
    abroad.hears().await;
    production.to_control_plane.cut();
    admin.json(&["credential", "revoke", &keys[2].id]).await;
    come_to(&production, &keys[2], [401, 401]).await;
    production.to_control_plane.connect(around);
    production.admin.json(&["edge", "wait"]).await;
    let head = production.database.events().await.last().unwrap().position.get();
    for edge in production.admin.words("edge list").await.as_array().unwrap() {
        assert_eq!(edge["position"].as_u64(), Some(head), "{edge}");
        assert!(edge["halted"].is_null(), "{edge}");
    }
    for process in &production.edge_processes {
        let printed = process.printed();
        for trouble in ["does not fit", "not believed", "stands still", "refuses"] {
            assert!(!printed.contains(trouble), "{trouble}: {printed}");
        }
    }
}

#[tokio::test]
async fn an_edge_of_another_region_begins_by_the_state_that_lies_at_home_with_the_rights_of_an_edge() {
    let folder = tempfile::tempdir().unwrap();
    let regions = Regions::start(folder.path()).await;
    let mut production = across(&regions).await;
    let (key, revoked) = (
        production.granted("steady").await,
        production.granted("revoked").await,
    );
    production
        .admin
        .json(&["credential", "revoke", &revoked.id, "--wait"])
        .await;
    // As an edge abroad, which may read across the link and not write.
    Looking::by(regions.further("edge")).await.pieces().await;
    production.to_control_plane.cut();
    production.edge_processes[1].kill().await;
    production.restart_edge(1).await;
    production.edge_processes[1]
        .find("that it begins", 0, |log| {
            log.contains("serving by the state that one has put on the bus")
                .then_some(())
        })
        .await;
    come_to(&production, &key, [200, 200]).await;
    assert_eq!(statuses(&production, &revoked).await, [401, 401]);
}
