//! Who publishes on the bus.

use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use turnpike_access::log::Position;

use crate::store::{RelayClaim, StoreError, relay, rows};

const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

pub(super) async fn claim(pool: &SqlitePool, claim: &RelayClaim<'_>) -> Result<Option<Position>, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(relay::claim("relay", NOW)))
        .bind(claim.holder)
        .bind(relay::micros(claim.lease))
        .bind(rows::number(claim.published));
    let row = query.fetch_optional(pool).await?;
    row.map(|row| Ok(Position::new(row.try_get::<i64, _>("published")?.cast_unsigned())))
        .transpose()
}
