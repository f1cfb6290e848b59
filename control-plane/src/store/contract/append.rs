//! Appending and reading, by one writer.

use std::sync::Arc;

use turnpike_access::{
    id::Timestamp,
    log::{Head, Origin, Position, Recorded},
};

use super::{
    chain::{chain, event, grow, verified},
    database::on_each_engine,
};
use crate::store::AppendError;

#[tokio::test]
async fn a_new_log_is_empty_and_ends_before_the_first_event() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        assert_eq!(store.head().await.unwrap(), Head::default());
        assert_eq!(store.read(Position::ZERO, 10).await.unwrap(), []);
        store.append(Head::default(), &[]).await.unwrap();
        assert_eq!(store.head().await.unwrap(), Head::default());
    })
    .await;
}

#[tokio::test]
async fn what_was_appended_is_read_back_to_the_byte_by_everybody() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let origin = Origin {
            time: Timestamp::from_micros(-1),
            tenant: "acme".parse().unwrap(),
            actor: Arc::from("platform/user:r\u{f6}\u{1f511}t"),
            correlation: Arc::from(""),
        };
        let payload = Arc::from("{ \"b\":1,\t\"a\" : \"\\u0000 '\"\" $1 ?\",\r\n\"a\":2}");
        let odd = Recorded::after(Head::default(), origin, Arc::from("odd.one"), u16::MAX, payload);
        let mut events = vec![odd.clone()];
        // More than any one statement of an engine takes.
        events.extend(chain(odd.head(), (0..250).map(|n| n.to_string())));
        store.append(Head::default(), &events).await.unwrap();

        let other = database.stores().await.events;
        assert_eq!(other.read(Position::ZERO, 1000).await.unwrap(), events);
        assert_eq!(other.read(Position::new(249), 1).await.unwrap(), events[249..250]);
        assert_eq!(other.read(Position::new(251), 1).await.unwrap(), []);
        assert_eq!(other.read(Position::new(u64::MAX), 1).await.unwrap(), []);
        assert_eq!(verified(&*other).await.len(), 251);
    })
    .await;
}

#[tokio::test]
async fn an_outdated_writer_conflicts_and_learns_the_head() {
    on_each_engine(async |database| {
        let (store, other) = (database.stores().await.events, database.stores().await.events);
        let old = grow(&*store, 2).await;
        let new = grow(&*other, 3).await;
        let Err(AppendError::Conflict { head }) = store.append(old, &[event(old, "late")]).await else {
            panic!("there must be a conflict");
        };
        assert_eq!(head, new);
        store.append(head, &[event(head, "again")]).await.unwrap();
        assert_eq!(verified(&*store).await.last().unwrap(), "again");
    })
    .await;
}

#[tokio::test]
async fn a_head_of_another_history_conflicts() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let head = grow(&*store, 1).await;
        let elsewhere = event(Head::default(), "elsewhere").head();
        let appended = store.append(elsewhere, &[event(elsewhere, "x")]).await;
        assert!(matches!(appended, Err(AppendError::Conflict { head: found }) if found == head));
        assert_eq!(verified(&*store).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_is_no_chain_is_refused_whole() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let head = grow(&*store, 1).await;
        let good = chain(head, ["1", "2", "3"].map(str::to_owned));
        let mut edited = good.clone();
        edited[1].payload = Arc::from("other");
        for batch in [
            vec![good[0].clone(), good[2].clone()],
            vec![good[1].clone()],
            vec![good[0].clone(), good[0].clone()],
            edited,
        ] {
            let appended = store.append(head, &batch).await;
            assert!(matches!(appended, Err(AppendError::Invalid(_))));
        }
        let appended = store.append(head, &[event(head, "a\0b")]).await;
        assert!(matches!(appended, Err(AppendError::Nul(at)) if at == Position::new(2)));
        assert_eq!(store.head().await.unwrap(), head);
    })
    .await;
}

#[tokio::test]
async fn committed_tells_an_event_from_another_at_its_position() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let (ours, theirs) = (event(Head::default(), "ours"), event(Head::default(), "theirs"));
        assert!(!store.committed(&theirs).await.unwrap());
        store
            .append(Head::default(), std::slice::from_ref(&theirs))
            .await
            .unwrap();
        assert!(store.committed(&theirs).await.unwrap());
        assert!(!store.committed(&ours).await.unwrap());
    })
    .await;
}
