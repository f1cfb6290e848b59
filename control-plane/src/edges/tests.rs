//! Edges that report to one control plane and are waited for at another.

use std::time::Duration;

use tempfile::tempdir;
use tokio::time::Instant;
use turnpike_access::log::Position;
use turnpike_runtime::clock;

use super::{EdgeState, Edges};
use crate::{fixture::Core, store::EdgeReport};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn report(name: &str, position: u64) -> EdgeReport {
    EdgeReport {
        name: name.to_owned(),
        region: "eu".to_owned(),
        version: "0.1.0".to_owned(),
        epoch: 1,
        position: Position::new(position),
        applied: clock::now(),
        halted: None,
        last_seen: clock::now(),
        departed: false,
        identity_key: None,
        statement: None,
        certain: None,
    }
}

/// The edges of one control plane on the database in a folder.
async fn edges_in(folder: &std::path::Path) -> Edges {
    let (core, _) = Core::idle_in(folder).await;
    Edges::new(core.store.clone(), core.projection.clone())
}

#[tokio::test]
async fn waiting_ends_when_the_last_edge_has_applied_the_position() {
    let folder = tempdir().unwrap();
    let edges = edges_in(folder.path()).await;
    edges.report(report("one", 7));
    edges.report(report("two", 6));
    let wait = edges.wait_applied(Position::new(7), Instant::now() + PATIENCE);
    let late = async {
        tokio::task::yield_now().await;
        edges.report(report("two", 8));
    };
    let (receipt, ()) = tokio::join!(wait, late);
    let receipt = receipt.unwrap();
    assert!(receipt.applied);
    assert_eq!(receipt.edges.len(), 2);
}

#[tokio::test]
async fn an_edge_that_is_behind_is_named_when_the_deadline_passes() {
    let folder = tempdir().unwrap();
    let edges = edges_in(folder.path()).await;
    edges.report(report("one", 7));
    edges.report(report("two", 6));
    let receipt = edges
        .wait_applied(Position::new(7), Instant::now())
        .await
        .unwrap();
    assert!(!receipt.applied);
    let behind: Vec<_> = receipt.edges.iter().filter(|(_, applied)| !applied).collect();
    assert_eq!(behind.len(), 1);
    assert_eq!(behind[0].0.report.name, "two");
}

#[tokio::test]
async fn a_silent_edge_is_waited_for_and_a_departed_one_is_not() {
    let folder = tempdir().unwrap();
    let edges = edges_in(folder.path()).await;
    let mut silent = report("silent", 1);
    silent.last_seen = clock::now().plus_seconds(-60);
    let mut departed = report("departed", 1);
    departed.departed = true;
    edges.report(departed);
    let at_once = edges
        .wait_applied(Position::new(2), Instant::now())
        .await
        .unwrap();
    assert!(at_once.applied);
    edges.report(silent);
    let receipt = edges
        .wait_applied(Position::new(2), Instant::now())
        .await
        .unwrap();
    assert!(!receipt.applied);
    let states: Vec<_> = receipt.edges.iter().map(|(edge, _)| edge.state).collect();
    assert_eq!(states, [EdgeState::Departed, EdgeState::Silent]);
}

#[tokio::test]
async fn an_edge_attached_to_another_control_plane_is_waited_for() {
    let folder = tempdir().unwrap();
    let (here, there) = (edges_in(folder.path()).await, edges_in(folder.path()).await);
    there.report(report("far", 1));
    there.save().await;
    let behind = here.wait_applied(Position::new(2), Instant::now()).await.unwrap();
    assert!(!behind.applied);
    let wait = here.wait_applied(Position::new(2), Instant::now() + PATIENCE);
    let later = async {
        there.report(report("far", 2));
        there.save().await;
    };
    let (receipt, ()) = tokio::join!(wait, later);
    assert!(receipt.unwrap().applied);
}

#[tokio::test]
async fn a_forgotten_edge_is_not_waited_for() {
    let folder = tempdir().unwrap();
    let edges = edges_in(folder.path()).await;
    edges.report(report("gone", 1));
    edges.save().await;
    assert!(edges.delete("gone").await.unwrap());
    assert!(!edges.delete("gone").await.unwrap());
    let receipt = edges
        .wait_applied(Position::new(9), Instant::now())
        .await
        .unwrap();
    assert_eq!((receipt.applied, receipt.edges.len()), (true, 0));
}

#[tokio::test]
async fn an_edge_that_halted_says_so() {
    let folder = tempdir().unwrap();
    let edges = edges_in(folder.path()).await;
    let mut halted = report("one", 7);
    halted.halted = Some("an event of type x version 9".to_owned());
    edges.report(halted);
    let listed = edges.list().await.unwrap();
    assert_eq!(listed[0].state, EdgeState::Halted);
    assert_eq!(
        listed[0].report.halted.as_deref(),
        Some("an event of type x version 9")
    );
}
