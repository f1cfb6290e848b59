//! The log: append under the head row's lock, and read.

use sqlx::{PgPool, PgTransaction};
use turnpike_access::{
    id::Name,
    log::{Head, Position, Recorded},
};

use super::within;
use crate::store::{AppendError, StoreError, events::check_batch, rows};

pub(super) async fn head(pool: &PgPool) -> Result<Head, StoreError> {
    rows::head(
        &sqlx::query("SELECT position, hash FROM turnpike.head")
            .fetch_one(pool)
            .await?,
    )
}

pub(super) async fn read(pool: &PgPool, after: Position, limit: u32) -> Result<Vec<Recorded>, StoreError> {
    let query = "SELECT * FROM turnpike.events WHERE position > $1 ORDER BY position LIMIT $2";
    let found = sqlx::query(query)
        .bind(rows::number(after))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::event).collect()
}

pub(super) async fn of_kinds(
    pool: &PgPool,
    tenant: &Name,
    kinds: &[&str],
    after: Position,
    limit: u32,
) -> Result<Vec<Recorded>, StoreError> {
    let query = "SELECT * FROM turnpike.events WHERE tenant = $1 AND kind = ANY($2) AND position > $3
        ORDER BY position LIMIT $4";
    let found = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(kinds)
        .bind(rows::number(after))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::event).collect()
}

pub(super) async fn append(pool: &PgPool, expected: Head, events: &[Recorded]) -> Result<(), AppendError> {
    check_batch(expected, events)?;
    if events.is_empty() {
        return Ok(());
    }
    let mut transaction = within(pool.begin()).await.map_err(AppendError::Unavailable)?;
    let head = within(lock(&mut transaction))
        .await
        .map_err(AppendError::Unavailable)?;
    if head != expected {
        return Err(AppendError::Conflict { head });
    }
    within(insert(&mut transaction, events))
        .await
        .map_err(AppendError::Unavailable)?;
    // From here the server may have committed whatever we hear of it.
    within(transaction.commit()).await.map_err(AppendError::Unknown)
}

/// From here to the commit no other writer can take a position.
async fn lock(transaction: &mut PgTransaction<'_>) -> Result<Head, StoreError> {
    let query = sqlx::query("SELECT position, hash FROM turnpike.head FOR UPDATE");
    rows::head(&query.fetch_one(&mut **transaction).await?)
}

/// One statement for the whole batch. A trigger checks the chain, moves the head and notifies.
async fn insert(transaction: &mut PgTransaction<'_>, events: &[Recorded]) -> Result<(), StoreError> {
    let statement = "INSERT INTO turnpike.events
            (position, time_us, tenant, actor, correlation, kind, version, payload, previous, hash)
        SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::text[], $9::bytea[], $10::bytea[])";
    sqlx::query(statement)
        .bind(column(events, |event| rows::number(event.position)))
        .bind(column(events, |event| event.origin.time.as_micros()))
        .bind(column(events, |event| event.origin.tenant.as_str()))
        .bind(column(events, |event| &*event.origin.actor))
        .bind(column(events, |event| &*event.origin.correlation))
        .bind(column(events, |event| &*event.kind))
        .bind(column(events, |event| i64::from(event.version)))
        .bind(column(events, |event| &*event.payload))
        .bind(column(events, |event| event.previous.as_bytes().as_slice()))
        .bind(column(events, |event| event.hash.as_bytes().as_slice()))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn column<'a, T>(events: &'a [Recorded], value: impl Fn(&'a Recorded) -> T) -> Vec<T> {
    events.iter().map(value).collect()
}
