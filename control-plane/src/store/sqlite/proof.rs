//! What the audit is proven by.

use sqlx::{Row as _, sqlite::SqliteRow};
use turnpike_access::audit::chain::Checkpoint;

use super::Sqlite;
use crate::store::{
    StoreError,
    audit::{
        decode,
        proof::{self, ChainedRecord, KnownEpoch},
    },
};

/// The audit and what is kept beside it.
const TABLES: (&str, &str) = ("audit", "audit_originals");

pub(super) async fn keep(
    store: &Sqlite,
    said: &Checkpoint,
    originals: &[(u64, &[u8])],
) -> Result<(), StoreError> {
    let mut transaction = store.writer.begin_with("BEGIN IMMEDIATE").await?;
    for (sequence, original) in originals {
        let statement =
            "INSERT INTO audit_originals (edge, epoch, sequence, original) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING";
        let query = sqlx::query(statement)
            .bind(&said.edge)
            .bind(said.epoch.cast_signed());
        let query = query.bind(sequence.cast_signed()).bind(*original);
        query.execute(&mut *transaction).await?;
    }
    let statement = "INSERT INTO audit_checkpoints
            (edge, epoch, first, last, before, after, time_us, key, signature)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let query = sqlx::query(statement)
        .bind(&said.edge)
        .bind(said.epoch.cast_signed())
        .bind(said.first.cast_signed())
        .bind(said.last.cast_signed())
        .bind(said.before.0.as_slice())
        .bind(said.after.0.as_slice())
        .bind(said.time.as_micros())
        .bind(&said.key)
        .bind(&said.signature);
    query.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

pub(super) async fn epochs(
    store: &Sqlite,
    after: Option<(&str, u64)>,
    limit: u32,
) -> Result<Vec<KnownEpoch>, StoreError> {
    let (edge, epoch) = after.unwrap_or_default();
    let statement = "SELECT edge, epoch, contiguous, highest FROM audit_watermarks
        WHERE (edge, epoch) > ($1, $2) ORDER BY edge, epoch LIMIT $3";
    let query = sqlx::query(statement).bind(edge).bind(epoch.cast_signed());
    let rows = query.bind(i64::from(limit)).fetch_all(&store.readers).await?;
    rows.iter().map(proof::known).collect()
}

pub(super) async fn chained(
    store: &Sqlite,
    edge: &str,
    from: (u64, u64),
    limit: u32,
) -> Result<Vec<ChainedRecord>, StoreError> {
    let mut query = proof::rows(TABLES, edge, from, limit);
    let rows = query.build().fetch_all(&store.readers).await?;
    let read = |row: &SqliteRow| {
        Ok(ChainedRecord {
            stored: decode::record(row)?,
            original: row.try_get("original")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn checkpoints(
    store: &Sqlite,
    edge: &str,
    from: (u64, (u64, u64)),
    limit: u32,
) -> Result<Vec<Checkpoint>, StoreError> {
    let mut query = proof::said("audit_checkpoints", edge, from, limit);
    let rows = query.build().fetch_all(&store.readers).await?;
    rows.iter().map(proof::checkpoint).collect()
}
