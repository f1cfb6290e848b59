//! An edge that is killed and started again while no control plane answers: it serves by what is on its own disk, or not at
//! all, and never by less than it had said that it knew.

use std::{fs, path::PathBuf};

use turnpike_tests::{eventually::eventually, ground::Key, production::Production};

const MODEL: &str = "fake-openai/gpt-4o";

fn state(production: &Production, region: &str, file: &str) -> PathBuf {
    production.folder().join(format!("edge-{region}/state/{file}"))
}

/// Until the state on the first edge's disk has been confirmed once.
async fn confirmed(production: &Production) {
    eventually("a state on disk that was confirmed", async || {
        let witness = fs::read(state(production, "eu", "witness")).unwrap_or_default();
        match witness.get(12..20) {
            Some(certain) if certain != [0; 8] => Ok(()),
            _ => Err(witness.len()),
        }
    })
    .await;
}

/// Control plane and NATS are out of reach from here on, and the edges are killed.
async fn alone(production: &mut Production) {
    production.to_control_plane.cut();
    production.to_nats.cut();
    production.control_plane.kill().await;
    for process in &mut production.edge_processes {
        process.kill().await;
    }
}

async fn answers(production: &Production, key: &Key, status: u16) {
    let caller = production.caller(key);
    eventually("the answer", async || match caller.chat(MODEL).await.status {
        seen if seen == status => Ok(()),
        seen => Err(seen),
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_is_restarted_while_all_else_is_down_serves_by_its_disk_and_undoes_no_revocation() {
    let mut production = Production::with_one_edge(&[]).await;
    let key = production.granted("steady").await;
    production
        .admin
        .words("tenant update dev --max-staleness 1h --wait")
        .await;
    confirmed(&production).await;
    for round in 0..3 {
        let revoked = production.granted(&format!("leaked-{round}")).await;
        production
            .admin
            .json(&["credential", "revoke", &revoked.id, "--wait"])
            .await;
        // Killed right after it has said that it knows.
        alone(&mut production).await;
        production.restart_edge(0).await;
        answers(&production, &key, 200).await;
        assert_eq!(
            production.caller(&revoked).chat(MODEL).await.status,
            401,
            "round {round}"
        );
        production.to_nats.connect(production.nats.address);
        production.restart_control_plane().await;
    }
    // It goes on from there.
    let revoke = ["credential", "revoke", &key.id, "--wait"];
    production.admin.json(&revoke).await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 401);
}

#[tokio::test]
async fn a_state_on_disk_that_was_tampered_with_is_put_aside_and_the_edge_waits() {
    let mut production = Production::with_one_edge(&[]).await;
    let key = production.granted("steady").await;
    confirmed(&production).await;
    alone(&mut production).await;
    let path = state(&production, "eu", "snapshot");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    production.restart_edge(0).await;
    let process = &mut production.edge_processes[0];
    process
        .find("the word of it", 0, |log| {
            log.contains("the state on disk is put aside").then_some(())
        })
        .await;
    assert_eq!(
        production.caller(&key).chat(MODEL).await.status,
        503,
        "nobody is let through by it"
    );
    assert!(
        state(&production, "eu", "snapshot.refused").exists(),
        "kept to be looked at"
    );
    production.to_nats.connect(production.nats.address);
    production.restart_control_plane().await;
    answers(&production, &key, 200).await;
}

#[tokio::test]
async fn an_older_copy_of_the_state_is_not_served_by() {
    let mut production = Production::with_one_edge(&[]).await;
    let key = production.granted("leaked").await;
    confirmed(&production).await;
    let files = ["snapshot", "journal"].map(|file| state(&production, "eu", file));
    let copies = files.each_ref().map(|path| fs::read(path).unwrap());
    production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    alone(&mut production).await;
    for (path, bytes) in files.iter().zip(copies) {
        fs::write(path, bytes).unwrap();
    }
    production.restart_edge(0).await;
    let process = &mut production.edge_processes[0];
    process
        .find("the word of it", 0, |log| {
            log.contains("an older copy").then_some(())
        })
        .await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 503);
}

#[tokio::test]
async fn an_edge_that_keeps_no_state_waits_for_a_control_plane() {
    let mut production = Production::with_one_edge(&["--no-snapshot"]).await;
    let key = production.granted("steady").await;
    alone(&mut production).await;
    assert!(!state(&production, "eu", "snapshot").exists());
    production.restart_edge(0).await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 503);
}
