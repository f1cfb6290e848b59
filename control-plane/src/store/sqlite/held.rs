//! Keys that wait for whoever takes them.

use sqlx::SqlitePool;
use turnpike_access::id::Id;

use crate::store::{HeldKey, StoreError, rows};

pub(super) async fn hold(pool: &SqlitePool, key: &HeldKey) -> Result<(), StoreError> {
    let statement = "INSERT INTO held_keys (id, tenant, credential, sealed, created_us)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    sqlx::query(statement)
        .bind(key.id.as_str())
        .bind(key.tenant.as_str())
        .bind(key.credential.as_str())
        .bind(&key.sealed)
        .bind(key.created.as_micros())
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn list(pool: &SqlitePool, credential: Option<Id>) -> Result<Vec<HeldKey>, StoreError> {
    let statement = "SELECT * FROM held_keys WHERE $1 = '' OR credential = $1 ORDER BY created_us, id";
    let found = sqlx::query(statement)
        .bind(credential.map(|id| id.to_string()).unwrap_or_default())
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::held_key).collect()
}

pub(super) async fn release(pool: &SqlitePool, id: Id) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM held_keys WHERE id = $1")
        .bind(id.as_str())
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}
