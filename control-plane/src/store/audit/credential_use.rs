//! What is known of a credential's use: the newest of it, kept beside the records, and all of it, counted from them.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use sqlx::{ColumnIndex, Database, Decode, Encode, QueryBuilder, Row, Type};
use turnpike_access::{
    audit::AuditRecord,
    id::{Id, Name, Timestamp},
};

use super::columns::clean;
use crate::store::StoreError;

/// So many models and addresses are named, the busiest first.
pub(in crate::store) const NAMED: i64 = 100;

/// When a credential was last used, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub time: Timestamp,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The client's `user-agent`.
    pub user_agent: Option<String>,
    /// The edge that was asked.
    pub edge: String,
}

/// What a credential was used for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Activity {
    /// Every request.
    pub requests: u64,
    /// Those among them that were refused.
    pub refused: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last of them.
    pub last: Option<Timestamp>,
    /// Requests by the model served, or else asked for; the busiest 100.
    pub models: Vec<(String, u64)>,
    /// Requests by the client's address; the busiest 100.
    pub addresses: Vec<(String, u64)>,
}

/// A row of `credential_use`, as a batch leads to it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Use<'a> {
    pub(in crate::store) tenant: Cow<'a, str>,
    pub(in crate::store) credential: &'a str,
    pub(in crate::store) time: i64,
    pub(in crate::store) client: Option<String>,
    pub(in crate::store) user_agent: Option<Cow<'a, str>>,
}

/// The newest use of every credential in a batch, in one order whoever asks, so that two batches never wait for each
/// other. Where no tenant is known, the credential was named but not proven: no use.
pub(in crate::store) fn newest_of(records: &[AuditRecord]) -> Vec<Use<'_>> {
    let mut newest = BTreeMap::new();
    for record in records {
        let (Some(tenant), Some(credential)) = (&record.tenant, &record.credential) else {
            continue;
        };
        let held = newest
            .entry((tenant.as_ref(), credential.as_str()))
            .or_insert(record);
        if record.time > held.time {
            *held = record;
        }
    }
    let uses = newest.into_iter().map(|((tenant, credential), record)| Use {
        tenant: clean(tenant),
        credential,
        time: record.time.as_micros(),
        client: record.client.map(|address| address.to_string()),
        user_agent: record.user_agent.as_deref().map(clean),
    });
    uses.collect()
}

/// What happens to a row that is there: the greater time stays, whichever comes first.
pub(in crate::store) const UPSERT: &str = " ON CONFLICT (tenant, credential) DO UPDATE SET
    last_used_us = excluded.last_used_us, client = excluded.client, user_agent = excluded.user_agent,
    edge = excluded.edge WHERE excluded.last_used_us > credential_use.last_used_us";

/// Columns `credential, last_used_us, client, user_agent, edge`.
pub(in crate::store) fn last_use<R>(row: &R) -> Result<(Id, LastUse), StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let credential: Id = row.try_get::<String, _>("credential")?.parse()?;
    let client: Option<String> = row.try_get("client")?;
    let last = LastUse {
        time: Timestamp::from_micros(row.try_get("last_used_us")?),
        client: client.and_then(|text| text.parse().ok()),
        user_agent: row.try_get("user_agent")?,
        edge: row.try_get("edge")?,
    };
    Ok((credential, last))
}

/// Whose use is counted, and since when.
pub(in crate::store) struct Counted<'a> {
    pub(in crate::store) table: &'a str,
    pub(in crate::store) tenant: &'a Name,
    pub(in crate::store) credential: Id,
    pub(in crate::store) since: Option<Timestamp>,
}

impl Counted<'_> {
    /// One row: `requests, refused, first_us, last_us`.
    pub(in crate::store) fn totals<DB>(&self) -> QueryBuilder<DB>
    where
        DB: Database,
        for<'q> String: Encode<'q, DB> + Type<DB>,
        for<'q> i64: Encode<'q, DB> + Type<DB>,
    {
        let mut query = QueryBuilder::new(
            "SELECT count(*) AS requests, count(CASE outcome WHEN 'refused' THEN 1 END) AS refused,
                min(time_us) AS first_us, max(time_us) AS last_us",
        );
        self.matching(&mut query);
        query
    }

    /// Rows `what, requests` by an expression of ours, the greatest number first.
    pub(in crate::store) fn by<DB>(&self, expression: &str) -> QueryBuilder<DB>
    where
        DB: Database,
        for<'q> String: Encode<'q, DB> + Type<DB>,
        for<'q> i64: Encode<'q, DB> + Type<DB>,
    {
        let mut query = QueryBuilder::new(format!("SELECT {expression} AS what, count(*) AS requests"));
        self.matching(&mut query);
        query.push(format_args!(
            " AND {expression} IS NOT NULL GROUP BY {expression} ORDER BY requests DESC, what LIMIT {NAMED}"
        ));
        query
    }

    fn matching<DB>(&self, query: &mut QueryBuilder<DB>)
    where
        DB: Database,
        for<'q> String: Encode<'q, DB> + Type<DB>,
        for<'q> i64: Encode<'q, DB> + Type<DB>,
    {
        query
            .push(format_args!(" FROM {} WHERE tenant = ", self.table))
            .push_bind(self.tenant.to_string());
        query
            .push(" AND credential = ")
            .push_bind(self.credential.to_string());
        if let Some(since) = self.since {
            query.push(" AND time_us >= ").push_bind(since.as_micros());
        }
    }
}

/// By what requests are counted: the model, and the address.
pub(in crate::store) const MODEL: &str = "coalesce(model_served, model_requested)";
pub(in crate::store) const ADDRESS: &str = "client";

/// Reads the rows of [`Counted::totals`] and [`Counted::by`].
pub(in crate::store) fn activity<R>(totals: &R, models: &[R], addresses: &[R]) -> Result<Activity, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |row: &R, name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    let moment = |name: &str| {
        totals
            .try_get::<Option<i64>, _>(name)
            .map(|time| time.map(Timestamp::from_micros))
    };
    let counts = |rows: &[R]| {
        let read = |row: &R| Ok((row.try_get("what")?, number(row, "requests")?));
        rows.iter().map(read).collect::<Result<Vec<_>, sqlx::Error>>()
    };
    Ok(Activity {
        requests: number(totals, "requests")?,
        refused: number(totals, "refused")?,
        first: moment("first_us")?,
        last: moment("last_us")?,
        models: counts(models)?,
        addresses: counts(addresses)?,
    })
}
