//! Waking up on commits.

use sqlx::{Connection as _, PgConnection};

use super::{
    chain::grow,
    database::{Database, Engine, on, on_each_engine, soon},
};
use crate::store::Stores;

/// Another writer that is heard: another process on Postgres, another holder of the same store on SQLite.
async fn another(database: &Database, stores: &Stores) -> Stores {
    match database.engine {
        Engine::Postgres => database.stores().await,
        Engine::Sqlite => stores.clone(),
    }
}

#[tokio::test]
async fn a_watch_wakes_when_another_writer_commits() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let writer = another(database, &stores).await.events;
        let mut watch = stores.events.watch();
        soon("the first wake", watch.changed()).await;
        for _ in 0..3 {
            grow(&*writer, 2).await;
            soon("a wake after a commit", watch.changed()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_commit_before_the_wait_is_not_missed() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let writer = another(database, &stores).await.events;
        let mut watch = stores.events.watch();
        soon("the first wake", watch.changed()).await;
        grow(&*writer, 1).await;
        // Dropped and called again, as in a select.
        drop(tokio::time::timeout(std::time::Duration::ZERO, watch.changed()).await);
        grow(&*writer, 1).await;
        soon("a wake after a commit", watch.changed()).await;
    })
    .await;
}

#[tokio::test]
async fn a_watch_listens_again_after_its_session_was_killed() {
    on(Engine::Postgres, async |database| {
        let stores = database.stores().await;
        let writer = database.stores().await.events;
        let mut watch = stores.events.watch();
        soon("the first wake", watch.changed()).await;
        let mut owner = PgConnection::connect(&database.owner).await.unwrap();
        let listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let killed = sqlx::query(listening).execute(&mut owner).await.unwrap();
        assert_eq!(killed.rows_affected(), 1);
        soon("the wake for the lost session", watch.changed()).await;
        // Nobody listens now: this commit is told of by listening again, the next one as it comes.
        grow(&*writer, 1).await;
        soon("the wake for listening again", watch.changed()).await;
        grow(&*writer, 1).await;
        soon("a wake after a commit", watch.changed()).await;
    })
    .await;
}
