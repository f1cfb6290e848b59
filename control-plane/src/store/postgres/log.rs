//! The log: append under the head row's lock, and read.

use sqlx::{PgPool, Row as _};
use turnpike_access::{
    id::Name,
    log::{Head, Position, Recorded},
};

use super::{PATIENCE, within};
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

/// One statement and so one round trip. From the head's lock to the commit no other writer can take a position; a trigger
/// checks the chain, moves the head and notifies.
const APPEND: &str = "WITH ending AS MATERIALIZED (SELECT position, hash FROM turnpike.head FOR UPDATE),
    added AS (
        INSERT INTO turnpike.events
            (position, time_us, tenant, actor, correlation, kind, version, payload, previous, hash)
        SELECT event.* FROM ending, UNNEST($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::text[], $11::bytea[], $12::bytea[]) AS event
        WHERE ending.position = $1 AND ending.hash = $2
        RETURNING 1)
    SELECT position, hash, EXISTS (SELECT FROM added) AS appended FROM ending";

pub(super) async fn append(pool: &PgPool, expected: Head, events: &[Recorded]) -> Result<(), AppendError> {
    check_batch(expected, events)?;
    if events.is_empty() {
        return Ok(());
    }
    let mut connection = within(pool.acquire()).await.map_err(AppendError::Unavailable)?;
    // The answer is read to its end, which the server sends when it has committed.
    let answer = sqlx::query(APPEND)
        .bind(rows::number(expected.position))
        .bind(expected.hash.as_bytes().as_slice())
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
        .fetch_all(&mut *connection);
    let answer = tokio::time::timeout(PATIENCE, answer)
        .await
        .map_err(|_| AppendError::Unknown(StoreError::TimedOut))?
        .map_err(outcome)?;
    let none = || AppendError::Unavailable(StoreError::Damaged("the log has no head".to_owned()));
    let row = answer.first().ok_or_else(none)?;
    match row.try_get("appended").map_err(outcome)? {
        true => Ok(()),
        false => Err(AppendError::Conflict {
            head: rows::head(row).map_err(AppendError::Unavailable)?,
        }),
    }
}

/// A statement that the server refuses is not committed. Whatever else is heard of it leaves that open, and so does a
/// server that ends the session: it may have committed before.
fn outcome(error: sqlx::Error) -> AppendError {
    let refused = error.as_database_error().is_some_and(|refused| {
        let code = refused.code().unwrap_or_default();
        !["08", "57"].iter().any(|class| code.starts_with(class))
    });
    match refused {
        true => AppendError::Unavailable(error.into()),
        false => AppendError::Unknown(error.into()),
    }
}

/// One column of what is to become rows.
pub(super) fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
