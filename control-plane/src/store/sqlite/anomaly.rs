//! What alerts are found by and told once by.

use sqlx::{AssertSqlSafe, Row as _};
use turnpike_access::id::{Name, Timestamp};

use super::Sqlite;
use crate::store::{
    StoreError,
    audit::anomaly::{self, Claim, Noted, Refused, RefusedBy},
};

pub(super) async fn refused(
    store: &Sqlite,
    tenant: &Name,
    by: RefusedBy,
    span: (Timestamp, Timestamp),
    least: u32,
) -> Result<Vec<Refused>, StoreError> {
    let mut query = anomaly::refused("audit", tenant, by, span, least);
    let rows = query.build().fetch_all(&store.readers).await?;
    rows.iter().map(anomaly::row).collect()
}

pub(super) async fn claim(store: &Sqlite, claim: Claim<'_>) -> Result<bool, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(anomaly::claim("anomalies")))
        .bind(claim.tenant.as_str())
        .bind(claim.key)
        .bind(claim.holder)
        .bind(claim.until.as_micros())
        .bind(claim.lease.as_micros())
        .bind(claim.now.as_micros())
        .bind(claim.count);
    let row = query.fetch_one(&store.writer).await?;
    Ok(row.try_get::<i64, _>("mine")? == 1)
}

pub(super) async fn told(store: &Sqlite, claim: Claim<'_>) -> Result<(), StoreError> {
    let statement = "UPDATE anomalies SET told = 1 WHERE tenant = $1 AND anomaly = $2 AND holder = $3";
    let query = sqlx::query(statement)
        .bind(claim.tenant.as_str())
        .bind(claim.key)
        .bind(claim.holder);
    query.execute(&store.writer).await?;
    Ok(())
}

pub(super) async fn forget(store: &Sqlite, before: Timestamp) -> Result<(), StoreError> {
    let query = sqlx::query("DELETE FROM anomalies WHERE until_us < $1").bind(before.as_micros());
    query.execute(&store.writer).await?;
    Ok(())
}

pub(super) async fn noted(store: &Sqlite, tenant: &Name) -> Result<Vec<Noted>, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(anomaly::noted("anomalies"))).bind(tenant.as_str());
    let rows = query.fetch_all(&store.readers).await?;
    rows.iter().map(anomaly::noted_row).collect()
}
