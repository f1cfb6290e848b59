//! The edges' reports.

use sqlx::SqlitePool;
use turnpike_access::id::Timestamp;

use crate::store::{EdgeReport, StoreError, rows};

const REPORT: &str = "INSERT INTO edges AS known
        (name, region, version, epoch, position, applied_us, halted, last_seen_us, departed, identity_key, statement,
        certain_us)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (name) DO UPDATE SET region = excluded.region, version = excluded.version, epoch = excluded.epoch,
        position = excluded.position, applied_us = excluded.applied_us, halted = excluded.halted,
        last_seen_us = excluded.last_seen_us, departed = excluded.departed,
        identity_key = excluded.identity_key, statement = excluded.statement, certain_us = excluded.certain_us
    WHERE excluded.last_seen_us >= known.last_seen_us";

pub(super) async fn report(pool: &SqlitePool, reports: &[EdgeReport]) -> Result<(), StoreError> {
    let mut all = pool.begin().await?;
    for report in reports {
        sqlx::query(REPORT)
            .bind(&report.name)
            .bind(&report.region)
            .bind(&report.version)
            .bind(report.epoch.cast_signed())
            .bind(rows::number(report.position))
            .bind(report.applied.as_micros())
            .bind(report.halted.as_deref())
            .bind(report.last_seen.as_micros())
            .bind(report.departed)
            .bind(report.identity_key.as_deref())
            .bind(report.statement.as_deref())
            .bind(report.certain.map(Timestamp::as_micros))
            .execute(&mut *all)
            .await?;
    }
    Ok(all.commit().await?)
}

pub(super) async fn list(pool: &SqlitePool) -> Result<Vec<EdgeReport>, StoreError> {
    let found = sqlx::query("SELECT * FROM edges ORDER BY name")
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::edge).collect()
}

pub(super) async fn forget(pool: &SqlitePool, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM edges WHERE name = $1")
        .bind(name)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}
