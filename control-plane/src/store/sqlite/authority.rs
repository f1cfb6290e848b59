//! The key that signs edges' certificates.

use sqlx::SqlitePool;

use crate::store::{SealedKey, StoreError, rows};

/// Whoever comes first, stays: the others are given what is there.
pub(super) async fn first(pool: &SqlitePool, candidate: &SealedKey) -> Result<SealedKey, StoreError> {
    let statement =
        "INSERT INTO edge_authority (one, id, sealed, public_key, created_us) VALUES (1, $1, $2, $3, $4)
        ON CONFLICT (one) DO NOTHING";
    sqlx::query(statement)
        .bind(&candidate.id)
        .bind(&candidate.sealed)
        .bind(&candidate.public_key)
        .bind(candidate.created.as_micros())
        .execute(pool)
        .await?;
    let found = sqlx::query("SELECT * FROM edge_authority")
        .fetch_one(pool)
        .await?;
    rows::key(&found)
}
