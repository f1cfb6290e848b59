//! The keys of Turnpike's own tokens.

use sqlx::PgPool;

use crate::store::{SealedKey, StoreError, rows};

pub(super) async fn list(pool: &PgPool) -> Result<Vec<SealedKey>, StoreError> {
    let found = sqlx::query("SELECT * FROM turnpike.token_keys ORDER BY created_us, id");
    found.fetch_all(pool).await?.iter().map(rows::key).collect()
}

pub(super) async fn add(pool: &PgPool, key: &SealedKey) -> Result<(), StoreError> {
    let statement =
        "INSERT INTO turnpike.token_keys (id, sealed, public_key, created_us) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO NOTHING";
    sqlx::query(statement)
        .bind(&key.id)
        .bind(&key.sealed)
        .bind(&key.public_key)
        .bind(key.created.as_micros())
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn remove(pool: &PgPool, id: &str) -> Result<(), StoreError> {
    let statement = sqlx::query("DELETE FROM turnpike.token_keys WHERE id = $1").bind(id);
    statement.execute(pool).await?;
    Ok(())
}
