//! First sights.

use sqlx::{AssertSqlSafe, QueryBuilder, sqlite::SqliteTransaction};
use turnpike_access::{
    audit::AuditRecord,
    id::{Name, Timestamp},
};

use super::Sqlite;
use crate::store::{
    StoreError,
    audit::sights::{Sight, Spread, seen_in, sight, spread, sql},
};

/// Rows of one statement: SQLite binds at most 32,766 values.
const ROWS: usize = 1000;

/// One statement for all that a part of a batch may see for the first time.
pub(super) async fn remember(
    transaction: &mut SqliteTransaction<'_>,
    records: &[AuditRecord],
) -> Result<(), StoreError> {
    let seen: Vec<_> = seen_in(records).into_iter().collect();
    for part in seen.chunks(ROWS) {
        let mut query =
            QueryBuilder::new("INSERT INTO sights (tenant, principal, credential, aspect, value, first_us) ");
        query.push_values(part, |mut row, (one, first)| {
            row.push_bind(one.tenant.as_ref())
                .push_bind(one.principal.as_ref())
                .push_bind(one.credential)
                .push_bind(one.aspect)
                .push_bind(one.value.as_str())
                .push_bind(first);
        });
        query.push(" ON CONFLICT DO NOTHING");
        let query = query.build().persistent(false);
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

pub(super) async fn unexpected(
    store: &Sqlite,
    tenant: &Name,
    since: Timestamp,
    until: Timestamp,
    known_before: Timestamp,
) -> Result<Vec<Sight>, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(sql::unexpected("")))
        .bind(tenant.as_str())
        .bind(since.as_micros())
        .bind(until.as_micros())
        .bind(known_before.as_micros());
    let rows = query.fetch_all(&store.readers).await?;
    rows.iter().map(sight).collect()
}

pub(super) async fn shadows(
    store: &Sqlite,
    tenant: &Name,
    since: Timestamp,
) -> Result<(Vec<Sight>, Vec<Spread>), StoreError> {
    let shadows = sqlx::query(AssertSqlSafe(sql::shadows("")))
        .bind(tenant.as_str())
        .bind(since.as_micros());
    let shadows = shadows.fetch_all(&store.readers).await?;
    let spreads = sqlx::query(AssertSqlSafe(sql::spread(""))).bind(tenant.as_str());
    let spreads = spreads.fetch_all(&store.readers).await?;
    let shadows: Result<Vec<Sight>, StoreError> = shadows.iter().map(sight).collect();
    let spreads: Result<Vec<Spread>, StoreError> = spreads.iter().map(spread).collect();
    Ok((shadows?, spreads?))
}
