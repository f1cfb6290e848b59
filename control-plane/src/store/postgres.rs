//! The stores on Postgres 14 or later. For any number of control planes.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use turnpike_access::{
    id::{Id, Name},
    log::{Head, Position, Recorded},
};

use super::{
    AppendError, EdgeReport, EventStore, HeldKey, LeaseClaim, SealedKey, StoreError, StoredReceipt, Watch,
    schema,
};

mod anomaly;
mod audit;
mod authority;
mod edges;
mod held;
mod insert;
mod keys;
mod lease;
mod log;
mod outbox;
mod proof;
mod receipts;
mod retention;
mod sights;
mod sink;
mod snapshot;
mod token_keys;

/// A network that went silent must not hold a command for ever; TCP alone would take a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(20);

/// A pool of connections. Each is bounded in how long it waits for a lock or dawdles inside a transaction, as the
/// head's row is everybody's. Durable commits are switched on where a server has them off.
const PREPARE: &str = "SELECT set_config('lock_timeout', '10s', false),
    set_config('idle_in_transaction_session_timeout', '30s', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";

/// The stores in one Postgres database.
pub(super) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(super) async fn connect(options: PgConnectOptions) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::query(PREPARE).execute(connection).await.map(drop) })
            })
            .connect_with(options.application_name("turnpike-control-plane"))
            .await?;
        schema::check_postgres(&mut *pool.acquire().await?).await?;
        Ok(Self { pool })
    }
}

/// See [`super::migrate`].
pub(super) async fn migrate(options: &PgConnectOptions, app_role: Option<&str>) -> Result<(), StoreError> {
    let mut owner = PgConnection::connect_with(options).await?;
    schema::migrate_postgres(&mut owner, app_role).await?;
    Ok(owner.close().await?)
}

/// Gives up waiting after [`PATIENCE`].
async fn within<T, E: Into<StoreError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| StoreError::TimedOut)?
        .map_err(Into::into)
}

#[async_trait]
impl EventStore for Postgres {
    async fn head(&self) -> Result<Head, StoreError> {
        within(log::head(&self.pool)).await
    }

    async fn append(&self, expected: Head, events: &[Recorded]) -> Result<(), AppendError> {
        log::append(&self.pool, expected, events).await
    }

    async fn read(&self, after: Position, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        within(log::read(&self.pool, after, limit)).await
    }

    async fn of_kinds(
        &self,
        tenant: &Name,
        kinds: &[&str],
        after: Position,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        within(log::of_kinds(&self.pool, tenant, kinds, after, limit)).await
    }

    fn watch(&self) -> Watch {
        Watch::postgres(self.pool.clone())
    }

    async fn save_snapshot(&self, head: Head, state: Bytes) -> Result<(), StoreError> {
        snapshot::save(&self.pool, head, &state).await
    }

    async fn load_snapshot(&self, until: Position) -> Result<Option<(Head, Bytes)>, StoreError> {
        snapshot::load(&self.pool, until).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        within(async { keys::list(&mut *self.pool.acquire().await?).await }).await
    }

    async fn add_signing_key(&self, key: &SealedKey) -> Result<(), StoreError> {
        within(async { keys::add(&mut *self.pool.acquire().await?, key).await }).await
    }

    async fn first_signing_key(&self, candidate: &SealedKey) -> Result<Vec<SealedKey>, StoreError> {
        within(keys::first(&self.pool, candidate)).await
    }

    async fn first_edge_authority(&self, candidate: &SealedKey) -> Result<SealedKey, StoreError> {
        within(authority::first(&self.pool, candidate)).await
    }

    async fn token_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        within(token_keys::list(&self.pool)).await
    }

    async fn add_token_key(&self, key: &SealedKey) -> Result<(), StoreError> {
        within(token_keys::add(&self.pool, key)).await
    }

    async fn remove_token_key(&self, id: &str) -> Result<(), StoreError> {
        within(token_keys::remove(&self.pool, id)).await
    }

    async fn hold_key(&self, key: &HeldKey) -> Result<(), StoreError> {
        within(held::hold(&self.pool, key)).await
    }

    async fn held_keys(&self, credential: Option<Id>) -> Result<Vec<HeldKey>, StoreError> {
        within(held::list(&self.pool, credential)).await
    }

    async fn release_key(&self, id: Id) -> Result<bool, StoreError> {
        within(held::release(&self.pool, id)).await
    }

    async fn report_edges(&self, reports: &[EdgeReport]) -> Result<(), StoreError> {
        within(edges::report(&self.pool, reports)).await
    }

    async fn edges(&self) -> Result<Vec<EdgeReport>, StoreError> {
        within(edges::list(&self.pool)).await
    }

    async fn forget_edge(&self, name: &str) -> Result<bool, StoreError> {
        within(edges::forget(&self.pool, name)).await
    }

    async fn save_receipt(&self, receipt: &StoredReceipt) -> Result<(), StoreError> {
        within(receipts::save(&self.pool, receipt)).await
    }

    async fn receipt(&self, position: Position) -> Result<Option<StoredReceipt>, StoreError> {
        within(receipts::load(&self.pool, position)).await
    }

    async fn trim_receipts(&self, keep: u32) -> Result<(), StoreError> {
        within(receipts::trim(&self.pool, keep)).await
    }

    async fn claim_lease(&self, claim: LeaseClaim<'_>) -> Result<Option<Position>, StoreError> {
        within(lease::claim(&self.pool, &claim)).await
    }
}
