//! The bus's signing keys.

use sqlx::{PgConnection, PgPool};

use crate::store::{SealedKey, StoreError, rows};

/// Names the advisory lock under which the first key is made. Any constant does.
const FIRST_KEY: i64 = 0x7475_726e_7069_6b65;

pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<SealedKey>, StoreError> {
    let found = sqlx::query("SELECT * FROM turnpike.signing_keys ORDER BY created_us, id");
    found.fetch_all(connection).await?.iter().map(rows::key).collect()
}

pub(super) async fn add(connection: &mut PgConnection, key: &SealedKey) -> Result<(), StoreError> {
    let statement =
        "INSERT INTO turnpike.signing_keys (id, sealed, public_key, created_us) VALUES ($1, $2, $3, $4)
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

pub(super) async fn first(pool: &PgPool, candidate: &SealedKey) -> Result<Vec<SealedKey>, StoreError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(FIRST_KEY)
        .execute(&mut *transaction)
        .await?;
    let mut keys = list(&mut transaction).await?;
    if keys.is_empty() {
        add(&mut transaction, candidate).await?;
        keys.push(candidate.clone());
    }
    transaction.commit().await?;
    Ok(keys)
}
