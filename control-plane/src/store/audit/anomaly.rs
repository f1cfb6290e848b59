//! What alerts are found by and told once by: refusals counted in windows, and which anomaly was told. The statements are the
//! same for every engine but for the names of the tables.

use sqlx::{ColumnIndex, Database, Decode, Encode, QueryBuilder, Row, Type};
use turnpike_access::id::{Name, Timestamp};

use super::visible_to;
use crate::store::StoreError;

/// By what refusals are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// Of keys and tokens, by the client's address.
    Address,
    /// Of keys and tokens, by the credential that they name.
    Credential,
    /// Of what was asked for, by the principal.
    Principal,
    /// Of keys and tokens, all of them; where no tenant is known, the subject is empty.
    Tenant,
}

/// The same of a subject was refused so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whom or what it is about.
    pub subject: String,
    /// How often.
    pub count: i64,
    /// The first in the window.
    pub first: Timestamp,
    /// The last in the window.
    pub last: Timestamp,
    /// The ids of two of the requests.
    pub requests: [String; 2],
    /// The ids of two of the records, `EDGE/EPOCH/SEQUENCE`.
    pub records: [String; 2],
}

/// An anomaly that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Which.
    pub key: String,
    /// When it is over, or was.
    pub until: Timestamp,
    /// How often it has happened, the most within one window.
    pub count: Option<i64>,
}

/// One anomaly, and who looks after telling it.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'c> {
    /// Whose it is.
    pub tenant: &'c Name,
    /// Which anomaly.
    pub key: &'c str,
    /// Whoever claims, in this pass.
    pub holder: &'c str,
    /// Now.
    pub now: Timestamp,
    /// When it is over unless it is claimed again.
    pub until: Timestamp,
    /// When somebody else may tell it, if the holder has not.
    pub lease: Timestamp,
    /// How often it has happened.
    pub count: Option<i64>,
}

/// Counts refusals of a tenant in a span, those subjects with at least so many, the most first.
pub(in crate::store) fn refused<DB>(
    table: &str,
    tenant: &Name,
    by: RefusedBy,
    (since, until): (Timestamp, Timestamp),
    least: u32,
) -> QueryBuilder<DB>
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let (column, statuses) = match by {
        RefusedBy::Address => ("client", "(401)"),
        RefusedBy::Tenant => ("tenant", "(401)"),
        RefusedBy::Credential => ("credential", "(401)"),
        RefusedBy::Principal => ("principal", "(403, 404, 429)"),
    };
    let mut sql = QueryBuilder::new(format!(
        "SELECT {column} AS subject, count(*) AS refusals, min(time_us) AS first_us, max(time_us) AS last_us,
            min(request_id) AS one, max(request_id) AS other,
            min(edge || '/' || epoch || '/' || sequence) AS one_record,
            max(edge || '/' || epoch || '/' || sequence) AS other_record
        FROM {table} WHERE outcome = 'refused' AND status IN {statuses} AND {column} IS NOT NULL AND time_us >= "
    ));
    sql.push_bind(since.as_micros())
        .push(" AND time_us <= ")
        .push_bind(until.as_micros())
        .push(" AND tenant IN (");
    let mut tenants = sql.separated(", ");
    for tenant in visible_to(tenant) {
        tenants.push_bind(tenant.to_owned());
    }
    sql.push(format_args!(") GROUP BY {column} HAVING count(*) >= "));
    sql.push_bind(i64::from(least))
        .push(" ORDER BY 2 DESC, 1 LIMIT 100");
    sql
}

/// Reads a row of [`refused`].
pub(in crate::store) fn row<R>(row: &R) -> Result<Refused, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let time = |name: &str| row.try_get::<i64, _>(name).map(Timestamp::from_micros);
    Ok(Refused {
        subject: row.try_get("subject")?,
        count: row.try_get("refusals")?,
        first: time("first_us")?,
        last: time("last_us")?,
        requests: [row.try_get("one")?, row.try_get("other")?],
        records: [row.try_get("one_record")?, row.try_get("other_record")?],
    })
}

/// Notes that an anomaly is there, and claims it where nobody tells it and it was not told: answers `mine`.
pub(in crate::store) fn claim(table: &str) -> String {
    format!(
        "INSERT INTO {table} AS held (tenant, anomaly, holder, until_us, lease_us, told, count)
        VALUES ($1, $2, $3, $4, $5, 0, $7)
        ON CONFLICT (tenant, anomaly) DO UPDATE SET
            holder = CASE WHEN held.until_us <= $6 OR (held.told = 0 AND held.lease_us <= $6)
                THEN excluded.holder ELSE held.holder END,
            lease_us = CASE WHEN held.until_us <= $6 OR (held.told = 0 AND held.lease_us <= $6)
                THEN excluded.lease_us ELSE held.lease_us END,
            told = CASE WHEN held.until_us <= $6 THEN 0 ELSE held.told END,
            count = CASE WHEN held.until_us <= $6 OR held.count IS NULL OR excluded.count > held.count
                THEN excluded.count ELSE held.count END,
            until_us = excluded.until_us
        RETURNING CAST(CASE WHEN holder = $3 AND told = 0 THEN 1 ELSE 0 END AS bigint) AS mine"
    )
}

/// What was noted of a tenant.
pub(in crate::store) fn noted(table: &str) -> String {
    format!("SELECT anomaly, until_us, count FROM {table} WHERE tenant = $1")
}

/// Reads a row of [`noted`].
pub(in crate::store) fn noted_row<R>(row: &R) -> Result<Noted, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Noted {
        key: row.try_get("anomaly")?,
        until: Timestamp::from_micros(row.try_get("until_us")?),
        count: row.try_get("count")?,
    })
}
