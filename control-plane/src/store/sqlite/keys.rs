//! The bus's signing keys.

use sqlx::{SqliteConnection, SqlitePool};

use crate::store::{SealedKey, StoreError, rows};

pub(super) async fn list(connection: &mut SqliteConnection) -> Result<Vec<SealedKey>, StoreError> {
    let found = sqlx::query("SELECT * FROM signing_keys ORDER BY created_us, id");
    found.fetch_all(connection).await?.iter().map(rows::key).collect()
}

pub(super) async fn add(connection: &mut SqliteConnection, key: &SealedKey) -> Result<(), StoreError> {
    let statement = "INSERT INTO signing_keys (id, sealed, public_key, created_us) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO NOTHING";
    sqlx::query(statement)
        .bind(&key.id)
        .bind(&key.sealed)
        .bind(&key.public_key)
        .bind(key.created.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn first(pool: &SqlitePool, candidate: &SealedKey) -> Result<Vec<SealedKey>, StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut keys = list(&mut transaction).await?;
    if keys.is_empty() {
        add(&mut transaction, candidate).await?;
        keys.push(candidate.clone());
    }
    transaction.commit().await?;
    Ok(keys)
}
