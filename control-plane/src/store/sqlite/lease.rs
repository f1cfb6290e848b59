//! Who does what one control plane does for all.

use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use turnpike_access::log::Position;

use crate::store::{LeaseClaim, StoreError, lease, rows};

const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

pub(super) async fn claim(pool: &SqlitePool, claim: &LeaseClaim<'_>) -> Result<Option<Position>, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(lease::claim("leases", NOW)))
        .bind(claim.name)
        .bind(claim.holder)
        .bind(lease::micros(claim.lease))
        .bind(rows::number(claim.position));
    let row = query.fetch_optional(pool).await?;
    row.map(|row| Ok(Position::new(row.try_get::<i64, _>("position")?.cast_unsigned())))
        .transpose()
}
