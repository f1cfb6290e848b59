//! Sessions that are killed in the middle of their work.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::{join, join_all};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{
    chain::{append_surely, assert_each_once, verified},
    database::{Database, Engine, on, until},
    records::record,
};

const WRITERS: [&str; 2] = ["a", "b"];

/// Ends the control planes' sessions, again and again, at moments that they can't choose.
async fn kill_sessions_until(database: &Database, done: &AtomicBool) {
    let mut owner = PgConnection::connect(&database.owner).await.unwrap();
    let mut killed = 0;
    let mut pause = Duration::from_millis(3);
    while !done.load(Ordering::Relaxed) {
        killed += kill(&mut owner, "state <> 'idle'").await;
        tokio::time::sleep(pause).await;
        pause += Duration::from_micros(700);
    }
    assert!(killed > 3, "only {killed} sessions were killed at work");
}

async fn kill(owner: &mut PgConnection, which: &str) -> u64 {
    let query = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND usename <> current_user AND {which}"
    );
    owner
        .execute(sqlx::AssertSqlSafe(query))
        .await
        .unwrap()
        .rows_affected()
}

#[tokio::test]
async fn killed_sessions_leave_nothing_half_written_lost_or_twice() {
    on(Engine::Postgres, async |database| {
        let done = AtomicBool::new(false);
        let write = async {
            let writers = WRITERS.map(async |writer| {
                let store = database.stores().await.events;
                append_surely(&*store, writer, 60).await;
            });
            join_all(writers).await;
            done.store(true, Ordering::Relaxed);
        };
        join(write, kill_sessions_until(database, &done)).await;
        let store = database.stores().await.events;
        assert_each_once(verified(&*store).await, &WRITERS, 60);
    })
    .await;
}

#[tokio::test]
async fn audit_batches_survive_killed_sessions_each_record_once() {
    on(Engine::Postgres, async |database| {
        let done = AtomicBool::new(false);
        let records: Vec<_> = (0..10).map(|n| record("acme", n)).collect();
        let store = database.stores().await.audit;
        let send = async {
            for batch in 0..40 {
                let first = 1 + batch * 10;
                until("the batch is stored", async || {
                    match store.insert("edge-1", 1, first, &records).await {
                        Ok(watermark) => watermark == first + 9,
                        Err(error) => {
                            assert!(error.is_transient(), "{error:?}");
                            false
                        }
                    }
                })
                .await;
            }
            done.store(true, Ordering::Relaxed);
        };
        join(send, kill_sessions_until(database, &done)).await;
        let mut owner = PgConnection::connect(&database.owner).await.unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM turnpike.audit")
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(kept, 400);
    })
    .await;
}

#[tokio::test]
async fn a_store_whose_idle_sessions_were_all_killed_serves_the_next_call() {
    on(Engine::Postgres, async |database| {
        let stores = database.stores().await;
        stores.events.head().await.unwrap();
        let mut owner = PgConnection::connect(&database.owner).await.unwrap();
        assert!(kill(&mut owner, "true").await > 0);
        append_surely(&*stores.events, "a", 1).await;
        assert_eq!(verified(&*stores.events).await, ["a.0.0"]);
    })
    .await;
}
