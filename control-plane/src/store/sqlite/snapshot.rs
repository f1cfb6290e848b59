//! Folded states in chunks. Not bounded in time: a large one takes what it takes.

use bytes::Bytes;
use sqlx::SqlitePool;
use turnpike_access::log::{Head, Position};

use crate::store::{
    StoreError, rows,
    snapshot::{digest, join, outdated, split, warn_foreign},
};

pub(super) async fn save(pool: &SqlitePool, head: Head, state: &[u8]) -> Result<(), StoreError> {
    let position = rows::number(head.position);
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "INSERT INTO snapshots (position, hash, sha256) VALUES ($1, $2, $3)
            ON CONFLICT (position) DO UPDATE SET hash = excluded.hash, sha256 = excluded.sha256",
    )
    .bind(position)
    .bind(head.hash.as_bytes().as_slice())
    .bind(digest(head, state).as_slice())
    .execute(&mut *transaction)
    .await?;
    let old = sqlx::query("DELETE FROM snapshot_chunks WHERE position = $1").bind(position);
    old.execute(&mut *transaction).await?;
    for (number, data) in split(state) {
        sqlx::query("INSERT INTO snapshot_chunks (position, number, data) VALUES ($1, $2, $3)")
            .bind(position)
            .bind(number)
            .bind(data)
            .execute(&mut *transaction)
            .await?;
    }
    let kept = sqlx::query_scalar("SELECT position FROM snapshots")
        .fetch_all(&mut *transaction)
        .await?;
    for position in outdated(kept) {
        let delete = sqlx::query("DELETE FROM snapshots WHERE position = $1").bind(position);
        delete.execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

pub(super) async fn load(pool: &SqlitePool, until: Position) -> Result<Option<(Head, Bytes)>, StoreError> {
    let query = "SELECT s.position, s.hash, s.sha256,
            s.position = 0 OR EXISTS (SELECT 1 FROM events e WHERE e.position = s.position AND e.hash = s.hash) AS ours
        FROM snapshots s WHERE s.position <= $1 ORDER BY s.position DESC";
    let query = sqlx::query(query).bind(rows::number(until));
    for row in query.fetch_all(pool).await? {
        let head = rows::head(&row)?;
        if !sqlx::Row::try_get::<bool, _>(&row, "ours")? {
            warn_foreign(head);
            continue;
        }
        let sha256: Vec<u8> = sqlx::Row::try_get(&row, "sha256")?;
        let chunks = "SELECT data FROM snapshot_chunks WHERE position = $1 ORDER BY number";
        let chunks = sqlx::query_scalar(chunks)
            .bind(rows::number(head.position))
            .fetch_all(pool)
            .await?;
        if let Some(state) = join(head, &sha256, &chunks) {
            return Ok(Some((head, state)));
        }
    }
    Ok(None)
}
