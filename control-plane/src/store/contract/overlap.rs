//! Several writers at once, and readers beside them.

use futures::future::{join, join_all};
use sqlx::{Connection as _, Executor as _, PgConnection};
use turnpike_access::log::{Head, Position, Recorded};

use super::{
    chain::{append_surely, assert_each_once, event, grow, verified},
    database::{Database, Engine, on, on_each_engine, soon, until},
};
use crate::store::{AppendError, EventStore};

const WRITERS: [&str; 4] = ["a", "b", "c", "d"];

#[tokio::test]
async fn overlapping_writers_leave_one_gapless_chain_with_every_event_once() {
    on_each_engine(async |database| {
        let writers = WRITERS.map(async |writer| {
            let store = database.stores().await.events;
            append_surely(&*store, writer, 12).await;
        });
        let total = 4 * 4 * (1 + 2 + 3);
        let reader = database.stores().await.events;
        join(join_all(writers), follow(&*reader, total)).await;
        assert_each_once(verified(&*reader).await, &WRITERS, 12);
    })
    .await;
}

/// Follows the log as the relay does, and so would miss an event that was committed behind a later one.
async fn follow(store: &dyn EventStore, total: u64) {
    let mut head = Head::default();
    soon("every event", async {
        while head.position < Position::new(total) {
            for event in store.read(head.position, 5).await.unwrap() {
                event.follows(head).unwrap();
                head = event.head();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_writer_that_holds_back_holds_the_position_and_nobody_sees_past_it() {
    on(Engine::Postgres, async |database| {
        for commits in [true, false] {
            let store = database.stores().await.events;
            let head = grow(&*store, 1).await;
            let slow = event(head, "slow");
            let mut raw = PgConnection::connect(&database.url).await.unwrap();
            begin_append(&mut raw, head, &slow).await;

            let quick = [event(head, "quick")];
            let release = async {
                until("the second writer waits", async || {
                    waits_for_a_lock(database).await
                })
                .await;
                assert_eq!(store.head().await.unwrap(), head);
                assert_eq!(store.read(head.position, 10).await.unwrap(), []);
                let end = if commits { "COMMIT" } else { "ROLLBACK" };
                raw.execute(end).await.unwrap();
            };
            let (appended, ()) = join(store.append(head, &quick), release).await;
            match appended {
                Ok(()) => assert!(!commits),
                Err(AppendError::Conflict { head }) => assert!(commits && head == slow.head()),
                Err(other) => panic!("{other}"),
            }
            let last = if commits { "slow" } else { "quick" };
            assert_eq!(verified(&*store).await.last().unwrap(), last);
        }
    })
    .await;
}

async fn begin_append(raw: &mut PgConnection, head: Head, event: &Recorded) {
    raw.execute("BEGIN; SELECT FROM turnpike.head FOR UPDATE")
        .await
        .unwrap();
    let position = i64::try_from(event.position.get()).unwrap();
    sqlx::query("INSERT INTO turnpike.events VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9)")
        .bind(position)
        .bind(event.origin.time.as_micros())
        .bind(event.origin.tenant.as_str())
        .bind(&*event.origin.actor)
        .bind(&*event.origin.correlation)
        .bind(&*event.kind)
        .bind(&*event.payload)
        .bind(head.hash.as_bytes().as_slice())
        .bind(event.hash.as_bytes().as_slice())
        .execute(raw)
        .await
        .unwrap();
}

async fn waits_for_a_lock(database: &Database) -> bool {
    let mut owner = PgConnection::connect(&database.owner).await.unwrap();
    let query = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock')";
    sqlx::query_scalar(query).fetch_one(&mut owner).await.unwrap()
}
