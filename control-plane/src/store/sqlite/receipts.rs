//! Where changes stood at the edges.

use sqlx::SqlitePool;
use turnpike_access::log::Position;

use crate::store::{StoreError, StoredReceipt, rows};

pub(super) async fn save(pool: &SqlitePool, kept: &StoredReceipt) -> Result<(), StoreError> {
    let statement = "INSERT INTO receipts (position, receipt) VALUES ($1, $2)
        ON CONFLICT (position) DO UPDATE SET receipt = excluded.receipt";
    sqlx::query(statement)
        .bind(rows::number(kept.position))
        .bind(&kept.text)
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn load(pool: &SqlitePool, position: Position) -> Result<Option<StoredReceipt>, StoreError> {
    let statement = "SELECT receipt FROM receipts WHERE position = $1";
    let found = sqlx::query_scalar(statement)
        .bind(rows::number(position))
        .fetch_optional(pool)
        .await?;
    Ok(found.map(|text| StoredReceipt { position, text }))
}

pub(super) async fn trim(pool: &SqlitePool, keep: u32) -> Result<(), StoreError> {
    let statement = "DELETE FROM receipts WHERE position <=
        (SELECT position FROM receipts ORDER BY position DESC LIMIT 1 OFFSET $1)";
    sqlx::query(statement).bind(i64::from(keep)).execute(pool).await?;
    Ok(())
}
