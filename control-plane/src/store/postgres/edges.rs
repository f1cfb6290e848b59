//! The edges' reports.

use sqlx::PgPool;
use turnpike_access::id::Timestamp;

use super::log::column;
use crate::store::{EdgeReport, StoreError, rows};

/// One statement for however many, and no wait for the disk: a report may be lost.
const REPORT: &str = "WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO turnpike.edges AS known
        (name, region, version, epoch, position, applied_us, halted, last_seen_us, departed, identity_key, statement,
        certain_us)
    SELECT report.* FROM lax, UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
        $8::bigint[], $9::boolean[], $10::text[], $11::text[], $12::bigint[]) AS report
    ON CONFLICT (name) DO UPDATE SET region = excluded.region, version = excluded.version, epoch = excluded.epoch,
        position = excluded.position, applied_us = excluded.applied_us, halted = excluded.halted,
        last_seen_us = excluded.last_seen_us, departed = excluded.departed,
        identity_key = excluded.identity_key, statement = excluded.statement, certain_us = excluded.certain_us
    WHERE excluded.last_seen_us >= known.last_seen_us";

pub(super) async fn report(pool: &PgPool, reports: &[EdgeReport]) -> Result<(), StoreError> {
    sqlx::query(REPORT)
        .bind(column(reports, |report| report.name.as_str()))
        .bind(column(reports, |report| report.region.as_str()))
        .bind(column(reports, |report| report.version.as_str()))
        .bind(column(reports, |report| report.epoch.cast_signed()))
        .bind(column(reports, |report| rows::number(report.position)))
        .bind(column(reports, |report| report.applied.as_micros()))
        .bind(column(reports, |report| report.halted.as_deref()))
        .bind(column(reports, |report| report.last_seen.as_micros()))
        .bind(column(reports, |report| report.departed))
        .bind(column(reports, |report| report.identity_key.as_deref()))
        .bind(column(reports, |report| report.statement.as_deref()))
        .bind(column(reports, |report| report.certain.map(Timestamp::as_micros)))
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn list(pool: &PgPool) -> Result<Vec<EdgeReport>, StoreError> {
    let found = sqlx::query("SELECT * FROM turnpike.edges ORDER BY name")
        .fetch_all(pool)
        .await?;
    found.iter().map(rows::edge).collect()
}

pub(super) async fn forget(pool: &PgPool, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM turnpike.edges WHERE name = $1")
        .bind(name)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}
