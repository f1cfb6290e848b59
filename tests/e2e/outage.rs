//! What is around an edge goes away: requests do not notice, and changes arrive as soon as there is a way.

use turnpike_tests::{eventually::eventually, ground::Key, production::Production};

const MODEL: &str = "fake-openai/gpt-4o";

async fn statuses(production: &Production, key: &Key) -> Vec<u16> {
    let mut statuses = Vec::new();
    for caller in production.callers(key) {
        statuses.push(caller.chat(MODEL).await.status);
    }
    statuses
}

#[tokio::test]
async fn without_nats_every_change_still_arrives_and_with_an_empty_one_too() {
    let mut production = Production::start().await;
    let key = production.application("patient").await;
    production.to_nats.cut();
    production.nats.kill().await;
    production.allow(&key.owner, "fake-*").await;
    assert_eq!(
        statuses(&production, &key).await,
        [200, 200],
        "a grant made without NATS"
    );

    production.nats.restart_empty().await;
    production.to_nats.connect(production.nats.address);
    production
        .admin
        .json(&["credential", "suspend", &key.id, "--wait"])
        .await;
    assert_eq!(
        statuses(&production, &key).await,
        [401, 401],
        "a change made with a wiped NATS"
    );
    production
        .admin
        .json(&["credential", "resume", &key.id, "--wait"])
        .await;
    assert_eq!(statuses(&production, &key).await, [200, 200]);

    production.to_nats.cut();
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    assert_eq!(statuses(&production, &key).await, [401, 401]);
    let edges = production.admin.words("edge list").await;
    for edge in edges.as_array().unwrap() {
        assert_eq!(
            (edge["lag"].as_u64(), edge["halted"].as_str()),
            (Some(0), None),
            "{edge}"
        );
    }
}

#[tokio::test]
async fn without_control_plane_postgres_and_nats_together_edges_serve_refuse_and_record_on() {
    let mut production = Production::start().await;
    let (key, nobody) = (
        production.granted("steady").await,
        production.application("nobody").await,
    );
    let postgres = production.to_postgres.cut();
    production.to_nats.cut();
    production.to_control_plane.cut();
    production.control_plane.kill().await;
    production.nats.kill().await;

    let mut requests = Vec::new();
    for _ in 0..20 {
        for caller in production.callers(&key) {
            for answer in [caller.chat(MODEL).await, caller.stream(MODEL).await] {
                assert_eq!(answer.status, 200, "{answer:?}");
                requests.push(answer.request_id().to_owned());
            }
        }
        for caller in production.callers(&nobody) {
            let answer = caller.chat(MODEL).await;
            assert_eq!(answer.status, 403, "{answer:?}");
            requests.push(answer.request_id().to_owned());
        }
    }

    production.nats.restart_empty().await;
    production.to_nats.connect(production.nats.address);
    production.to_postgres.connect(postgres.unwrap());
    production.restart_control_plane().await;
    production.audited_all(requests.iter().map(String::as_str)).await;
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    assert_eq!(
        statuses(&production, &key).await,
        [401, 401],
        "a change made afterwards"
    );
}

#[tokio::test]
async fn a_change_that_no_edge_can_hear_is_committed_and_said_to_be_missing_there() {
    let production = Production::start().await;
    let key = production.granted("cut-off").await;
    // Edges and the command line use the same cable, so the command goes around it.
    let around = production.to_control_plane.cut().unwrap();
    production.to_nats.cut();
    let admin = turnpike_tests::cli::Cli::new(around, production.admin.token());
    let revoke = [
        "--timeout",
        "2s",
        "--output",
        "json",
        "credential",
        "revoke",
        &key.id,
        "--wait",
    ];
    let ended = admin.run(&revoke).await;
    assert_eq!(ended.status, 1, "not done yet: {ended:?}");
    let receipt: serde_json::Value = serde_json::from_str(&ended.printed).unwrap();
    assert_eq!(receipt["receipt"]["applied"], false, "{receipt}");
    assert_eq!(
        receipt["credential"]["status"], "revoked",
        "committed all the same"
    );
    for edge in receipt["receipt"]["edges"].as_array().unwrap() {
        assert_eq!(edge["applied"], false, "{edge}");
    }
    production.to_control_plane.connect(around);
    eventually("the revocation at every edge", async || {
        let statuses = statuses(&production, &key).await;
        if statuses == [401, 401] {
            Ok(())
        } else {
            Err(statuses)
        }
    })
    .await;
}

#[tokio::test]
async fn edges_are_listed_with_region_version_position_and_lag() {
    let production = Production::start().await;
    let edges = production.admin.words("edge list").await;
    let edges = edges.as_array().unwrap();
    let mut regions: Vec<_> = edges
        .iter()
        .map(|edge| edge["region"].as_str().unwrap())
        .collect();
    regions.sort_unstable();
    assert_eq!(regions, ["eu", "us"], "{edges:?}");
    for edge in edges {
        assert_eq!(edge["version"], env!("CARGO_PKG_VERSION"), "{edge}");
        assert!(
            edge["position"].as_u64().unwrap() > 0 && edge["last_seen"].is_string(),
            "{edge}"
        );
    }
}
