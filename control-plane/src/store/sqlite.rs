//! The stores in one SQLite file. For one control plane; a second on the same file is safe, but hears of commits by
//! polling only.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::watch;
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

/// The stores in one file: one connection writes, as SQLite has one writer; others read beside it.
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    committed: watch::Sender<()>,
}

impl Sqlite {
    pub(super) async fn connect(path: &Path) -> Result<Self, StoreError> {
        if !path.try_exists()? {
            return Err(StoreError::NotMigrated);
        }
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1).connect_with(options(path)).await?;
        schema::check_sqlite(&mut *writer.acquire().await?).await?;
        let readers = pool(4).connect_with(options(path).read_only(true)).await?;
        Ok(Self {
            writer,
            readers,
            committed: watch::Sender::new(()),
        })
    }
}

/// See [`super::migrate`].
pub(super) async fn migrate(path: &Path) -> Result<(), StoreError> {
    // The file holds digests of keys: nobody else reads it, not even for the moment after it is made. SQLite gives its
    // side files the same mode.
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let mut connection = SqliteConnection::connect_with(&options(path)).await?;
    schema::migrate_sqlite(&mut connection).await?;
    Ok(connection.close().await?)
}

/// `FULL`: a commit survives a power failure. Another process that writes is waited for.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
}

#[async_trait]
impl EventStore for Sqlite {
    async fn head(&self) -> Result<Head, StoreError> {
        log::head(&self.readers).await
    }

    async fn append(&self, expected: Head, events: &[Recorded]) -> Result<(), AppendError> {
        let appended = log::append(&self.writer, expected, events).await;
        self.committed.send_replace(());
        appended
    }

    async fn read(&self, after: Position, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        log::read(&self.readers, after, limit).await
    }

    async fn of_kinds(
        &self,
        tenant: &Name,
        kinds: &[&str],
        after: Position,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        log::of_kinds(&self.readers, tenant, kinds, after, limit).await
    }

    fn watch(&self) -> Watch {
        Watch::process(self.committed.subscribe())
    }

    async fn save_snapshot(&self, head: Head, state: Bytes) -> Result<(), StoreError> {
        snapshot::save(&self.writer, head, &state).await
    }

    async fn load_snapshot(&self, until: Position) -> Result<Option<(Head, Bytes)>, StoreError> {
        snapshot::load(&self.readers, until).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        keys::list(&mut *self.readers.acquire().await?).await
    }

    async fn add_signing_key(&self, key: &SealedKey) -> Result<(), StoreError> {
        keys::add(&mut *self.writer.acquire().await?, key).await
    }

    async fn first_signing_key(&self, candidate: &SealedKey) -> Result<Vec<SealedKey>, StoreError> {
        keys::first(&self.writer, candidate).await
    }

    async fn first_edge_authority(&self, candidate: &SealedKey) -> Result<SealedKey, StoreError> {
        authority::first(&self.writer, candidate).await
    }

    async fn token_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        token_keys::list(&self.readers).await
    }

    async fn add_token_key(&self, key: &SealedKey) -> Result<(), StoreError> {
        token_keys::add(&self.writer, key).await
    }

    async fn remove_token_key(&self, id: &str) -> Result<(), StoreError> {
        token_keys::remove(&self.writer, id).await
    }

    async fn hold_key(&self, key: &HeldKey) -> Result<(), StoreError> {
        held::hold(&self.writer, key).await
    }

    async fn held_keys(&self, credential: Option<Id>) -> Result<Vec<HeldKey>, StoreError> {
        held::list(&self.readers, credential).await
    }

    async fn release_key(&self, id: Id) -> Result<bool, StoreError> {
        held::release(&self.writer, id).await
    }

    async fn report_edges(&self, reports: &[EdgeReport]) -> Result<(), StoreError> {
        edges::report(&self.writer, reports).await
    }

    async fn edges(&self) -> Result<Vec<EdgeReport>, StoreError> {
        edges::list(&self.readers).await
    }

    async fn forget_edge(&self, name: &str) -> Result<bool, StoreError> {
        edges::forget(&self.writer, name).await
    }

    async fn save_receipt(&self, receipt: &StoredReceipt) -> Result<(), StoreError> {
        receipts::save(&self.writer, receipt).await
    }

    async fn receipt(&self, position: Position) -> Result<Option<StoredReceipt>, StoreError> {
        receipts::load(&self.readers, position).await
    }

    async fn trim_receipts(&self, keep: u32) -> Result<(), StoreError> {
        receipts::trim(&self.writer, keep).await
    }

    async fn claim_lease(&self, claim: LeaseClaim<'_>) -> Result<Option<Position>, StoreError> {
        lease::claim(&self.writer, &claim).await
    }
}
