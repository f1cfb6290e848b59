//! What alerts are found by and told once by.

use sqlx::{AssertSqlSafe, Row as _};
use turnpike_access::id::{Name, Timestamp};

use super::{Postgres, within};
use crate::store::{
    StoreError,
    audit::anomaly::{self, Claim, Noted, Refused, RefusedBy},
};

pub(super) async fn refused(
    store: &Postgres,
    tenant: &Name,
    by: RefusedBy,
    span: (Timestamp, Timestamp),
    least: u32,
) -> Result<Vec<Refused>, StoreError> {
    let mut query = anomaly::refused("turnpike.audit", tenant, by, span, least);
    let rows = within(query.build().fetch_all(&store.pool)).await?;
    rows.iter().map(anomaly::row).collect()
}

pub(super) async fn claim(store: &Postgres, claim: Claim<'_>) -> Result<bool, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(anomaly::claim("turnpike.anomalies")))
        .bind(claim.tenant.as_str())
        .bind(claim.key)
        .bind(claim.holder)
        .bind(claim.until.as_micros())
        .bind(claim.lease.as_micros())
        .bind(claim.now.as_micros())
        .bind(claim.count);
    let row = within(query.fetch_one(&store.pool)).await?;
    Ok(row.try_get::<i64, _>("mine")? == 1)
}

pub(super) async fn told(store: &Postgres, claim: Claim<'_>) -> Result<(), StoreError> {
    let statement =
        "UPDATE turnpike.anomalies SET told = 1 WHERE tenant = $1 AND anomaly = $2 AND holder = $3";
    let query = sqlx::query(statement)
        .bind(claim.tenant.as_str())
        .bind(claim.key)
        .bind(claim.holder);
    within(query.execute(&store.pool)).await?;
    Ok(())
}

pub(super) async fn forget(store: &Postgres, before: Timestamp) -> Result<(), StoreError> {
    let query = sqlx::query("DELETE FROM turnpike.anomalies WHERE until_us < $1").bind(before.as_micros());
    within(query.execute(&store.pool)).await?;
    Ok(())
}

pub(super) async fn noted(store: &Postgres, tenant: &Name) -> Result<Vec<Noted>, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(anomaly::noted("turnpike.anomalies"))).bind(tenant.as_str());
    let rows = within(query.fetch_all(&store.pool)).await?;
    rows.iter().map(anomaly::noted_row).collect()
}
