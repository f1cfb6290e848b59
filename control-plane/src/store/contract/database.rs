//! A migrated database for each test and engine, opened as the control plane opens it, and a way around the store.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
};
use tempfile::TempDir;

use crate::store::{Stores, connect, migrate};

/// The engines, which the tests must not need to tell apart but for what one can't do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    Sqlite,
}

/// One database of one engine. On Postgres the store's role is not the owner's but one that `migrate` gave its rights.
pub(super) struct Database {
    pub(super) engine: Engine,
    /// What the control plane connects to.
    pub(super) url: String,
    /// What the operator migrates with.
    pub(super) owner: String,
    /// The name of the role that the control plane has on Postgres.
    pub(super) role: Option<String>,
    _folder: TempDir,
}

/// Runs a test on a new database of each engine.
pub(super) async fn on_each_engine(test: impl AsyncFn(&Database)) {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        on(engine, &test).await;
    }
}

/// Runs a test on a new database of one engine. On Postgres it is left behind: the server is the tests' own and goes with
/// them, and dropping a database costs a checkpoint.
pub(super) async fn on(engine: Engine, test: impl AsyncFn(&Database)) {
    let database = Database::empty(engine).await;
    migrate(&database.owner, database.role.as_deref()).await.unwrap();
    let passed = AssertUnwindSafe(test(&database)).catch_unwind().await;
    assert!(passed.is_ok(), "on {engine:?}; see the panic above");
}

impl Database {
    /// A database with nothing in it.
    pub(super) async fn empty(engine: Engine) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("contract_")
            .rand_bytes(16)
            .tempdir()
            .unwrap();
        match engine {
            Engine::Postgres => Self::empty_postgres(folder).await,
            Engine::Sqlite => {
                let url = format!("sqlite://{}", folder.path().join("turnpike.db").display());
                Self {
                    engine,
                    owner: url.clone(),
                    url,
                    role: None,
                    _folder: folder,
                }
            }
        }
    }

    async fn empty_postgres(folder: TempDir) -> Self {
        // The folder's random name serves as the database's and the role's.
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let name = name.to_ascii_lowercase();
        let server = server();
        let mut connection = server.connect().await.unwrap();
        let role = format!("CREATE ROLE {name} LOGIN PASSWORD 'app'");
        connection.execute(AssertSqlSafe(role)).await.unwrap();
        let database = format!("CREATE DATABASE {name}");
        connection.execute(AssertSqlSafe(database)).await.unwrap();
        let owner = server.database(&name);
        let app = owner.clone().username(&name).password("app");
        Self {
            engine: Engine::Postgres,
            url: app.to_url_lossy().to_string(),
            owner: owner.to_url_lossy().to_string(),
            role: Some(name),
            _folder: folder,
        }
    }

    /// The stores, on connections of their own: another control plane.
    pub(super) async fn stores(&self) -> Stores {
        connect(&self.url).await.unwrap()
    }

    /// Runs statements with the rights of the control plane, around the store.
    pub(super) async fn as_control_plane(&self, sql: &str) -> Result<(), sqlx::Error> {
        self.run(&self.url, sql).await
    }

    /// Runs statements with every right, around the store.
    pub(super) async fn as_owner(&self, sql: &str) -> Result<(), sqlx::Error> {
        self.run(&self.owner, sql).await
    }

    async fn run(&self, url: &str, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Postgres => PgConnection::connect(url).await?.execute(sql).await.map(drop),
            Engine::Sqlite => SqliteConnection::connect(url).await?.execute(sql).await.map(drop),
        }
    }

    /// A table's name, as statements of this engine write it.
    pub(super) fn table(&self, table: &str) -> String {
        match self.engine {
            Engine::Postgres => format!("turnpike.{table}"),
            Engine::Sqlite => table.to_owned(),
        }
    }
}

fn server() -> PgConnectOptions {
    std::env::var("TURNPIKE_TEST_POSTGRES")
        .expect("TURNPIKE_TEST_POSTGRES names no Postgres server: run the tests with ./tests/run")
        .parse()
        .unwrap()
}

/// Waits, at most ten seconds, until a condition holds.
pub(super) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let held = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, held).await;
}

/// Waits at most ten seconds for what must come.
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .unwrap_or_else(|_| panic!("not within ten seconds: {what}"))
}
