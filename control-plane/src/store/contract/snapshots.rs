//! Folded states: saved, loaded, replaced, damaged.

use bytes::Bytes;
use turnpike_access::log::{Head, Position};

use super::{
    chain::{event, grow},
    database::on_each_engine,
};

/// After every event.
const LAST: Position = Position::new(u64::MAX);

/// Some bytes, the same for the same seed, that don't repeat at a chunk's length.
fn state(seed: u8, length: usize) -> Bytes {
    let pattern: Vec<u8> = (0..251).map(|byte| byte ^ seed).collect();
    let mut state = pattern.repeat(1 + length / pattern.len());
    state.truncate(length);
    state.into()
}

#[tokio::test]
async fn the_newest_state_is_loaded_by_another_process_as_it_was_saved() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        assert_eq!(store.load_snapshot(LAST).await.unwrap(), None);
        let mut saved = Vec::new();
        // None, less than a chunk, exactly chunks, more.
        for (seed, length) in [(0, 0), (1, 10), (2, 2 * 1024 * 1024), (3, 2 * 1024 * 1024 + 1)] {
            let head = grow(&*store, 1).await;
            store.save_snapshot(head, state(seed, length)).await.unwrap();
            saved.push((head, state(seed, length)));
            let other = database.stores().await.events;
            assert!(other.load_snapshot(LAST).await.unwrap().as_ref() == saved.last());
        }
        // One that comes late does not displace a newer one.
        let (head, late) = saved[0].clone();
        store.save_snapshot(head, late).await.unwrap();
        assert!(store.load_snapshot(LAST).await.unwrap().as_ref() == saved.last());
    })
    .await;
}

#[tokio::test]
async fn of_several_states_the_newest_that_is_early_enough_is_loaded() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        grow(&*store, 1).await;
        let (first, second) = (grow(&*store, 1).await, grow(&*store, 2).await);
        store.save_snapshot(first, state(1, 10)).await.unwrap();
        store.save_snapshot(second, state(2, 10)).await.unwrap();
        let loaded = async |until| {
            let found = store.load_snapshot(Position::new(until)).await.unwrap();
            found.map(|(head, _)| head.position.get())
        };
        let found = [loaded(1).await, loaded(2).await, loaded(3).await, loaded(4).await];
        assert_eq!(found, [None, Some(2), Some(2), Some(4)]);
    })
    .await;
}

#[tokio::test]
async fn a_state_saved_again_is_replaced_whole() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let head = grow(&*store, 1).await;
        store
            .save_snapshot(head, state(1, 3 * 1024 * 1024))
            .await
            .unwrap();
        store.save_snapshot(head, state(2, 5)).await.unwrap();
        assert_eq!(
            store.load_snapshot(LAST).await.unwrap(),
            Some((head, state(2, 5)))
        );
    })
    .await;
}

#[tokio::test]
async fn a_damaged_state_gives_way_to_the_older_one_and_then_to_none() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let mut heads = Vec::new();
        for seed in 0..3 {
            heads.push(grow(&*store, 1).await);
            store
                .save_snapshot(heads[2.min(usize::from(seed))], state(seed, 100))
                .await
                .unwrap();
        }
        let chunks = database.table("snapshot_chunks");
        let damage = format!("UPDATE {chunks} SET data = substr(data, 2) WHERE position = 3");
        database.as_owner(&damage).await.unwrap();
        assert_eq!(
            store.load_snapshot(LAST).await.unwrap(),
            Some((heads[1], state(1, 100)))
        );
        let loss = format!("DELETE FROM {chunks} WHERE position = 2");
        database.as_owner(&loss).await.unwrap();
        // The oldest was not kept.
        assert_eq!(store.load_snapshot(LAST).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_state_of_another_log_is_passed_over() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let head = grow(&*store, 2).await;
        store.save_snapshot(head, state(1, 10)).await.unwrap();
        let elsewhere = event(head, "never appended").head();
        store.save_snapshot(elsewhere, state(2, 10)).await.unwrap();
        assert_eq!(
            store.load_snapshot(LAST).await.unwrap(),
            Some((head, state(1, 10)))
        );
    })
    .await;
}

#[tokio::test]
async fn the_state_before_the_first_event_may_be_kept() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        store.save_snapshot(Head::default(), state(1, 10)).await.unwrap();
        let (head, _) = store.load_snapshot(LAST).await.unwrap().unwrap();
        assert_eq!(head.position, Position::ZERO);
    })
    .await;
}

#[tokio::test]
async fn states_saved_at_once_by_many_leave_a_whole_one() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let mut heads = vec![grow(&*store, 1).await];
        heads.push(grow(&*store, 1).await);
        let savers = [0_u8, 1, 0, 1].map(async |seed| {
            let store = database.stores().await.events;
            let head = heads[usize::from(seed)];
            store.save_snapshot(head, state(seed, 10_000)).await.unwrap();
        });
        futures::future::join_all(savers).await;
        let loaded = store.load_snapshot(LAST).await.unwrap();
        assert_eq!(loaded, Some((heads[1], state(1, 10_000))));
    })
    .await;
}
