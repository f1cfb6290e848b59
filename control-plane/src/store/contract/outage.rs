//! Sessions that are killed in the middle of their work.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
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

/// How often a test ends sessions at work before it believes what it sees.
const ENOUGH: u64 = 4;

/// The control planes' sessions that were ended at moments that they couldn't choose.
#[derive(Default)]
struct Killings {
    done: AtomicBool,
    killed: AtomicU64,
}

impl Killings {
    /// Ends sessions again and again while `work` runs.
    async fn during(&self, database: &Database, work: impl Future<Output = ()>) {
        let work = async {
            work.await;
            self.done.store(true, Ordering::Relaxed);
        };
        join(work, self.go_on(database)).await;
    }

    async fn go_on(&self, database: &Database) {
        let mut owner = PgConnection::connect(&database.owner).await.unwrap();
        let mut pause = Duration::from_millis(3);
        while !self.done.load(Ordering::Relaxed) {
            let killed = kill(&mut owner, "state <> 'idle'").await;
            self.killed.fetch_add(killed, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            pause += Duration::from_micros(700);
        }
    }

    fn were_enough(&self) -> bool {
        self.killed.load(Ordering::Relaxed) >= ENOUGH
    }
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
        // Opened before the killing starts: it is for calls that stores survive it, not for being opened.
        let stores = join_all(WRITERS.map(async |_| database.stores().await.events)).await;
        let killings = Killings::default();
        let mut written = Vec::new();
        let work = async {
            while written.is_empty() || !killings.were_enough() {
                let writers = WRITERS.map(|writer| format!("{writer}{}", written.len()));
                let writes = stores.iter().zip(&writers);
                join_all(writes.map(|(store, writer)| append_surely(&**store, writer, 60))).await;
                written.extend(writers);
            }
        };
        killings.during(database, work).await;
        let store = database.stores().await.events;
        assert_each_once(verified(&*store).await, &written, 60);
    })
    .await;
}

#[tokio::test]
async fn audit_batches_survive_killed_sessions_each_record_once() {
    on(Engine::Postgres, async |database| {
        let killings = Killings::default();
        let records: Vec<_> = (0..10).map(|n| record("acme", n)).collect();
        let store = database.stores().await.audit;
        let mut last = 0;
        let send = async {
            while last < 400 || !killings.were_enough() {
                until("the batch is stored", async || {
                    match store.insert("edge-1", 1, last + 1, &records).await {
                        Ok(watermark) => watermark == last + 10,
                        Err(error) => {
                            assert!(error.is_transient(), "{error:?}");
                            false
                        }
                    }
                })
                .await;
                last += 10;
            }
        };
        killings.during(database, send).await;
        let mut owner = PgConnection::connect(&database.owner).await.unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM turnpike.audit")
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(u64::try_from(kept), Ok(last));
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
