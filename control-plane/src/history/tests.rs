//! The past on a real store: SQLite in a folder of the test's own.

use bytes::Bytes;
use tempfile::tempdir;
use turnpike_access::{codec, command::Command, log::Head, tenant::TenantSettings};

use super::*;
use crate::fixture::{Core, create_team, create_user, grant};

/// A state as it is stored, byte for byte; the order of lines is not fixed.
fn written(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    codec::encode::<serde_json::Error>(snapshot, |line| {
        lines.push(line.to_vec());
        Ok(())
    })
    .unwrap();
    lines.sort();
    lines
}

async fn core_with_some_past(folder: &std::path::Path) -> Core {
    let core = Core::in_folder(folder).await;
    core.bootstrap().await;
    let commands = vec![
        Command::CreateTenant(TenantSettings::default()),
        create_user("alice"),
    ];
    core.ask_as_root("acme", commands).await.unwrap();
    for step in 0..6 {
        let commands = vec![
            create_team(&format!("team-{step}")),
            grant(&format!("grant000000{step}"), "alice", "developer"),
        ];
        core.ask_as_root("acme", commands).await.unwrap();
    }
    core
}

fn history(core: &Core) -> History {
    History::new(core.store.clone(), core.projection.clone())
}

/// Every event, and the state after it, folded one by one from the first.
async fn every_state(core: &Core) -> Vec<(Recorded, Snapshot)> {
    let mut state = Snapshot::default();
    let events = core.store.read(Position::ZERO, 1000).await.unwrap();
    let folded = events.into_iter().map(|event| {
        state.fold(&event).unwrap();
        (event, state.clone())
    });
    folded.collect()
}

#[tokio::test]
async fn the_present_seen_as_the_past_is_the_present() {
    let folder = tempdir().unwrap();
    let core = core_with_some_past(folder.path()).await;
    let head = core.snapshot().position();
    let at_head = history(&core).at(Moment::Position(head)).await.unwrap();
    assert!(Arc::ptr_eq(&at_head, &core.snapshot()));
    // Put together from the log, not taken from the projection, it is the same.
    let again = history(&core).shared.put_together(head).await.unwrap();
    assert_eq!(written(&again), written(&core.snapshot()));
}

#[tokio::test]
async fn every_past_state_is_what_the_events_until_then_lead_to_asked_in_any_order() {
    let folder = tempdir().unwrap();
    let core = core_with_some_past(folder.path()).await;
    let states = every_state(&core).await;
    // A saved fold in the middle is a shortcut to what comes after it, and to nothing else.
    let (middle, state) = &states[states.len() / 2];
    let mut saved = Vec::new();
    codec::encode::<serde_json::Error>(state, |line| {
        saved.extend_from_slice(line);
        Ok(())
    })
    .unwrap();
    core.store
        .save_snapshot(middle.head(), Bytes::from(saved))
        .await
        .unwrap();
    let history = history(&core);
    let orders: [Vec<usize>; 2] = [(0..states.len()).rev().collect(), (0..states.len()).collect()];
    for place in orders.into_iter().flatten() {
        let (event, expected) = &states[place];
        let found = history.at(Moment::Position(event.position)).await.unwrap();
        assert_eq!(written(&found), written(expected), "{}", event.position);
    }
    let beginning = history.at(Moment::Position(Position::ZERO)).await.unwrap();
    assert_eq!(beginning.head(), Head::default());
}

#[tokio::test]
async fn at_a_moment_all_events_that_were_made_by_then_count() {
    let folder = tempdir().unwrap();
    let core = core_with_some_past(folder.path()).await;
    let states = every_state(&core).await;
    let history = history(&core);
    for (event, _) in &states {
        let time = event.origin.time;
        let last = states
            .iter()
            .rfind(|(other, _)| other.origin.time <= time)
            .unwrap();
        let found = history.at(Moment::Time(time)).await.unwrap();
        assert_eq!(found.position(), last.0.position);
    }
    let before = Timestamp::from_micros(states[0].0.origin.time.as_micros() - 1);
    assert_eq!(
        history.at(Moment::Time(before)).await.unwrap().position(),
        Position::ZERO
    );
    let later = Timestamp::from_micros(i64::MAX);
    let latest = history.at(Moment::Time(later)).await.unwrap();
    assert_eq!(latest.position(), core.snapshot().position());
}

#[tokio::test]
async fn the_future_is_not_told() {
    let folder = tempdir().unwrap();
    let core = core_with_some_past(folder.path()).await;
    let next = core.snapshot().position().next();
    let told = history(&core).at(Moment::Position(next)).await;
    assert!(
        matches!(told, Err(HistoryError::NotYet { .. })),
        "{:?}",
        told.err()
    );
}

#[tokio::test]
async fn only_so_many_wait_and_only_so_much_is_remembered() {
    let folder = tempdir().unwrap();
    let core = core_with_some_past(folder.path()).await;
    let history = history(&core);
    for number in 1..core.snapshot().position().get() {
        history.at(Moment::Position(Position::new(number))).await.unwrap();
    }
    assert_eq!(history.shared.recent.lock().unwrap().len(), REMEMBERED);
    let _all = history.shared.waiting.try_acquire_many(16).unwrap();
    let told = history.at(Moment::Position(Position::new(1))).await;
    assert!(matches!(told, Err(HistoryError::Busy)), "{:?}", told.err());
}
