//! Two control planes on one Postgres: both take writes, and edges go over to the one that answers.

use turnpike_tests::{cli::Cli, eventually::eventually, ground::Key, production::Production};

const MODEL: &str = "fake-openai/gpt-4o";

/// Revokes a key at a control plane: once it has returned, the edge, which has said so to whichever it is attached to, refuses it.
async fn revoked_at(production: &Production, control_plane: std::net::SocketAddr, key: &Key) {
    let admin = Cli::new(control_plane, production.admin.token());
    let revoked = admin.json(&["credential", "revoke", &key.id, "--wait"]).await;
    assert_eq!(revoked["receipt"]["applied"], true, "{revoked}");
    assert_eq!(production.caller(key).chat(MODEL).await.status, 401);
}

#[tokio::test]
async fn edges_go_over_to_another_control_plane_and_receipts_do_not_care_which_one_they_are_attached_to() {
    let mut production = Production::with_one_edge(&[]).await;
    let keys = [
        production.granted("one").await,
        production.granted("two").await,
        production.granted("three").await,
        production.granted("four").await,
    ];
    production
        .admin
        .words("tenant update dev --max-staleness 10s --wait")
        .await;
    let mut further = production.start_further_control_plane().await;
    let there = production.further.unwrap();
    production.edge_processes[0].kill().await;
    production.restart_edge(0).await;
    let steady = production.granted("steady").await;
    let served = async |production: &Production| {
        eventually("service", async || {
            match production.caller(&steady).chat(MODEL).await.status {
                200 => Ok(()),
                other => Err(other),
            }
        })
        .await;
    };
    served(&production).await;
    let here = production.admin.control_plane();
    revoked_at(&production, here, &keys[0]).await;
    revoked_at(&production, there, &keys[1]).await;

    production.control_plane.kill().await;
    production.to_control_plane.cut();
    revoked_at(&production, there, &keys[2]).await;
    // The edge is certain of its state by the word of the other one.
    served(&production).await;
    further.kill().await;
    production.restart_control_plane().await;
    revoked_at(&production, here, &keys[3]).await;
    served(&production).await;
    let verdict = production.operator.words("log verify").await;
    assert_eq!(verdict["intact"], true, "{verdict}");
}
