//! Disks that take nothing more: an edge serves on by memory, says what to do, never leaves half a state, and is as before once there is
//! room again.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;
use turnpike_tests::{
    disk::SmallDisk,
    eventually::eventually,
    ground::{EdgeAt, Key},
    production::{Plan, Production},
};

const MODEL: &str = "fake-openai/gpt-4o";
const WHAT_TO_DO: &str = "make room in the data folder";

/// No edges yet: their disks are made first.
async fn without_edges(edge_flags: &[&str]) -> Production {
    Production::start_as(Plan {
        regions: Vec::new(),
        edge_flags: edge_flags.iter().map(|&flag| flag.to_owned()).collect(),
        ..Plan::default()
    })
    .await
}

/// 0 where the answer was broken off: what could not be recorded is not answered to its end.
async fn status(at: &EdgeAt, key: &Key) -> u16 {
    let asked = reqwest::Client::new()
        .post(format!("{}/v1/chat/completions", at.url()))
        .bearer_auth(&key.text)
        .json(&json!({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}));
    match asked.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            answer.bytes().await.map_or(0, |_| status)
        }
        Err(_) => 0,
    }
}

async fn comes_to(at: &EdgeAt, key: &Key, wanted: u16, mut before: impl FnMut()) {
    eventually("the answer", async || {
        before();
        match status(at, key).await {
            seen if seen == wanted => Ok(()),
            seen => Err(seen),
        }
    })
    .await;
}

async fn revoke(production: &Production, key: &Key) {
    let revoked = ["credential", "revoke", &key.id, "--wait"];
    production.admin.json(&revoked).await;
}

#[tokio::test]
async fn an_edge_whose_disk_takes_no_state_serves_by_memory_says_what_to_do_and_leaves_no_half_state() {
    let mut production = without_edges(&[]).await;
    // Where a state is written before it is put in its place, a disk that is always full.
    let state = production.folder().join("edge-eu/state");
    fs::create_dir_all(&state).unwrap();
    let full = ["snapshot.new", "journal.new-journal"].map(|name| state.join(name));
    full.iter().for_each(|path| symlink("/dev/full", path).unwrap());
    let (mut edge, at) = production.start_edge("eu").await;
    let (key, revoked) = (
        production.granted("steady").await,
        production.granted("revoked").await,
    );
    let says = |log: &str| log.contains(WHAT_TO_DO).then_some(());
    edge.find("what to do", 0, says).await;
    comes_to(&at, &key, 200, || ()).await;
    revoke(&production, &revoked).await;
    assert_eq!(status(&at, &revoked).await, 401);
    assert!(!state.join("snapshot").exists(), "half a state");

    production.to_control_plane.cut();
    production.to_nats.cut();
    production.control_plane.kill().await;
    edge.kill().await;
    let (_edge, at) = production.start_edge("eu").await;
    assert_eq!(status(&at, &key).await, 503, "it has nothing to serve by");
    production.to_nats.connect(production.nats.address);
    production.restart_control_plane().await;
    comes_to(&at, &key, 200, || ()).await;
    assert_eq!(status(&at, &revoked).await, 401);
}

#[tokio::test]
async fn an_edge_whose_disk_is_full_applies_changes_and_refuses_or_serves_on_as_chosen_until_there_is_room() {
    for (flag, full) in [("refuse", 503), ("drop", 200)] {
        let production = without_edges(&["--spool-full", flag]).await;
        let Some(disk) = SmallDisk::mount(&production.folder().join("edge-eu"), 2048) else {
            #[expect(clippy::print_stderr, reason = "says what was not tested")]
            {
                eprintln!("this user may not mount a small disk: nothing was tested with a full one");
            }
            return;
        };
        let (mut edge, at) = production.start_edge("eu").await;
        let (key, revoked) = (
            production.granted("steady").await,
            production.granted("revoked").await,
        );
        comes_to(&at, &key, 200, || ()).await;
        let snapshot = production.folder().join("edge-eu/state/snapshot");
        eventually("a state on disk", async || {
            snapshot.exists().then_some(()).ok_or(())
        })
        .await;

        disk.fill();
        revoke(&production, &revoked).await;
        assert_ne!(status(&at, &revoked).await, 200);
        // What is taken away for want of room makes some; until none is left.
        comes_to(&at, &key, full, || disk.fill()).await;
        // The journal's last page holds a few changes more.
        let mut changes = 0;
        eventually("what to do", async || {
            changes += 1;
            disk.fill();
            let name = format!("team-{changes}");
            production.admin.json(&["team", "create", &name, "--wait"]).await;
            edge.printed().contains(WHAT_TO_DO).then_some(()).ok_or(changes)
        })
        .await;
        for _ in 0..10 {
            disk.fill();
            let seen = status(&at, &key).await;
            assert_eq!(seen == 200, full == 200, "{flag}: {seen}");
            assert_ne!(status(&at, &revoked).await, 200);
        }
        disk.make_room();
        comes_to(&at, &key, 200, || ()).await;
        comes_to(&at, &revoked, 401, || ()).await;
        // However it was left: a restart finds a whole state, or none.
        edge.kill().await;
        let (edge, at) = production.start_edge("eu").await;
        comes_to(&at, &key, 200, || ()).await;
        assert_eq!(status(&at, &revoked).await, 401);
        assert!(!edge.printed().contains("is put aside"), "{}", edge.printed());
        drop(edge);
    }
}
