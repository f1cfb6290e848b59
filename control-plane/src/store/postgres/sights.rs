//! First sights.

use sqlx::{AssertSqlSafe, postgres::PgTransaction};
use turnpike_access::{
    audit::AuditRecord,
    id::{Name, Timestamp},
};

use super::{Postgres, within};
use crate::store::{
    StoreError,
    audit::sights::{Seen, Sight, Spread, seen_in, sight, spread, sql},
};

/// One statement for all that a batch may see for the first time.
pub(super) async fn remember(
    transaction: &mut PgTransaction<'_>,
    records: &[AuditRecord],
) -> Result<(), StoreError> {
    let seen = seen_in(records);
    if seen.is_empty() {
        return Ok(());
    }
    let text = |of: fn(&Seen<'_>) -> String| seen.keys().map(of).collect::<Vec<String>>();
    let statement = "INSERT INTO turnpike.sights (tenant, principal, credential, aspect, value, first_us)
        SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        ON CONFLICT DO NOTHING";
    let query = sqlx::query(statement)
        .bind(text(|one| one.tenant.to_string()))
        .bind(text(|one| one.principal.to_string()))
        .bind(text(|one| one.credential.to_owned()))
        .bind(text(|one| one.aspect.to_owned()))
        .bind(text(|one| one.value.clone()))
        .bind(seen.values().copied().collect::<Vec<i64>>());
    query.execute(&mut **transaction).await?;
    Ok(())
}

pub(super) async fn unexpected(
    store: &Postgres,
    tenant: &Name,
    since: Timestamp,
    until: Timestamp,
    known_before: Timestamp,
) -> Result<Vec<Sight>, StoreError> {
    // The statement is made of our own words alone.
    let query = sqlx::query(AssertSqlSafe(sql::unexpected("turnpike.")))
        .bind(tenant.as_str())
        .bind(since.as_micros())
        .bind(until.as_micros())
        .bind(known_before.as_micros());
    let rows = within(query.fetch_all(&store.pool)).await?;
    rows.iter().map(sight).collect()
}

pub(super) async fn shadows(
    store: &Postgres,
    tenant: &Name,
    since: Timestamp,
) -> Result<(Vec<Sight>, Vec<Spread>), StoreError> {
    let shadows = sqlx::query(AssertSqlSafe(sql::shadows("turnpike.")))
        .bind(tenant.as_str())
        .bind(since.as_micros());
    let shadows = within(shadows.fetch_all(&store.pool)).await?;
    let spreads = sqlx::query(AssertSqlSafe(sql::spread("turnpike."))).bind(tenant.as_str());
    let spreads = within(spreads.fetch_all(&store.pool)).await?;
    let shadows: Result<Vec<Sight>, StoreError> = shadows.iter().map(sight).collect();
    let spreads: Result<Vec<Spread>, StoreError> = spreads.iter().map(spread).collect();
    Ok((shadows?, spreads?))
}
