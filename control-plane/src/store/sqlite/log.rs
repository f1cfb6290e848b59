//! The log: append inside the one write transaction, and read.

use sqlx::{QueryBuilder, SqlitePool, SqliteTransaction};
use turnpike_access::{
    id::Name,
    log::{Head, Position, Recorded},
};

use crate::store::{AppendError, StoreError, events::check_batch, rows};

/// Rows of one statement: ten binds each, far below SQLite's limit.
const ROWS: usize = 100;

pub(super) async fn head(pool: &SqlitePool) -> Result<Head, StoreError> {
    rows::head(
        &sqlx::query("SELECT position, hash FROM head")
            .fetch_one(pool)
            .await?,
    )
}

pub(super) async fn read(
    pool: &SqlitePool,
    after: Position,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let query = "SELECT * FROM events WHERE position > $1 ORDER BY position LIMIT $2";
    let found = sqlx::query(query)
        .bind(rows::number(after))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::event).collect()
}

pub(super) async fn of_kinds(
    pool: &SqlitePool,
    tenant: &Name,
    kinds: &[&str],
    after: Position,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let query = "SELECT * FROM events WHERE tenant = $1 AND kind IN (SELECT value FROM json_each($2)) AND position > $3
        ORDER BY position LIMIT $4";
    let found = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(serde_json::to_string(kinds).unwrap_or_default())
        .bind(rows::number(after))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::event).collect()
}

pub(super) async fn append(
    pool: &SqlitePool,
    expected: Head,
    events: &[Recorded],
) -> Result<(), AppendError> {
    check_batch(expected, events)?;
    if events.is_empty() {
        return Ok(());
    }
    let mut transaction = begin(pool).await.map_err(AppendError::Unavailable)?;
    let head = lock(&mut transaction).await.map_err(AppendError::Unavailable)?;
    if head != expected {
        return Err(AppendError::Conflict { head });
    }
    for part in events.chunks(ROWS) {
        insert(&mut transaction, part)
            .await
            .map_err(AppendError::Unavailable)?;
    }
    // From here the file may hold the batch whatever we hear of it.
    transaction
        .commit()
        .await
        .map_err(|error| AppendError::Unknown(error.into()))
}

/// Takes the database's write lock at once: a reader that turns writer could find itself outdated.
async fn begin(pool: &SqlitePool) -> Result<SqliteTransaction<'_>, StoreError> {
    Ok(pool.begin_with("BEGIN IMMEDIATE").await?)
}

async fn lock(transaction: &mut SqliteTransaction<'_>) -> Result<Head, StoreError> {
    rows::head(
        &sqlx::query("SELECT position, hash FROM head")
            .fetch_one(&mut **transaction)
            .await?,
    )
}

/// Triggers check the chain and move the head, row by row in this order.
async fn insert(transaction: &mut SqliteTransaction<'_>, events: &[Recorded]) -> Result<(), StoreError> {
    let mut query = QueryBuilder::new(
        "INSERT INTO events
            (position, time_us, tenant, actor, correlation, kind, version, payload, previous, hash) ",
    );
    query.push_values(events, |mut row, event| {
        row.push_bind(rows::number(event.position))
            .push_bind(event.origin.time.as_micros())
            .push_bind(event.origin.tenant.as_str())
            .push_bind(&*event.origin.actor)
            .push_bind(&*event.origin.correlation)
            .push_bind(&*event.kind)
            .push_bind(i64::from(event.version))
            .push_bind(&*event.payload)
            .push_bind(event.previous.as_bytes().as_slice())
            .push_bind(event.hash.as_bytes().as_slice());
    });
    query
        .build()
        .persistent(false)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
