//! How far a tenant's audit was sent on, as a trait, and the statements, which are the same for every engine but for the names of
//! the tables.
//!
//! Rows' numbers in the table are no place to go on from, as transactions commit out of order. The place is a sequence for each
//! edge and epoch, up to which all rows were taken.

use async_trait::async_trait;
use sqlx::{ColumnIndex, Database, Decode, Encode, QueryBuilder, Row, Type};
use turnpike_access::{
    audit::sink::HeldSink,
    id::{Name, Timestamp},
};

use super::{StoredRecord, select};
use crate::store::StoreError;

/// How it goes with one sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// How often in a row rows were not taken.
    pub attempts: u32,
    /// When it is tried again; absent: at once.
    pub due: Option<Timestamp>,
    /// Why rows were not taken the last time.
    pub error: Option<String>,
    /// When rows were last taken.
    pub taken: Option<Timestamp>,
    /// Rows of the tenant that retention took out before.
    pub removed: u64,
    /// Sequences that never came, of whatever tenant they were.
    pub missing: u64,
    /// Rows that the receiver said it dropped of what it took.
    pub rejected: u64,
}

/// An epoch with rows that a sink was not asked to take yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The edge.
    pub edge: String,
    /// The epoch.
    pub epoch: u64,
    /// Up to here all were taken that are for the sink.
    pub taken: u64,
    /// Up to here nothing is missing.
    pub contiguous: u64,
    /// The highest that is stored.
    pub highest: u64,
}

/// Up to where rows of an epoch were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<'t> {
    /// The edge.
    pub edge: &'t str,
    /// The epoch.
    pub epoch: u64,
    /// The last sequence.
    pub through: u64,
    /// How many of the sequences on the way are not there, and were not waited for any longer.
    pub missing: u64,
    /// How many rows the receiver said it dropped.
    pub rejected: u64,
    /// When rows were sent; absent: there were none for this sink.
    pub sent: Option<Timestamp>,
}

/// Rows that a sink has not taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many; counted up to a bound.
    pub rows: u64,
    /// When the oldest that was counted was made.
    pub oldest: Option<Timestamp>,
}

/// The part of the audit's store that knows what was sent on. A sink is named by the position of the event that made it.
#[async_trait]
pub trait AuditSinks: Send + Sync + 'static {
    /// How it goes with a sink, which is noted where it is new; where it was set again, it is tried at once.
    async fn begin_sink(&self, tenant: &Name, sink: &HeldSink) -> Result<Progress, StoreError>;

    /// How it goes with a sink, if it was ever begun.
    async fn sink_progress(&self, sink: u64) -> Result<Option<Progress>, StoreError>;

    /// Epochs with rows after those that a sink has taken, of whatever tenant, those that were there first.
    async fn pending(&self, sink: u64, limit: u32) -> Result<Vec<Pending>, StoreError>;

    /// A tenant's rows of an epoch after one sequence and up to another, in order.
    async fn rows_between(
        &self,
        tenant: &Name,
        epoch: (&str, u64),
        between: (u64, u64),
        limit: u32,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// The next unbroken run of rows of an epoch after a sequence, of whatever tenant: its first and its last.
    async fn run_after(&self, edge: &str, epoch: u64, after: u64) -> Result<Option<(u64, u64)>, StoreError>;

    /// Notes that rows were taken; never goes back.
    async fn note_taken(&self, sink: u64, taken: Taken<'_>) -> Result<(), StoreError>;

    /// Notes that rows were not taken, for the how-manieth time, why, and when it is tried again.
    async fn note_refused(
        &self,
        sink: u64,
        attempts: u32,
        due: Timestamp,
        error: &str,
    ) -> Result<(), StoreError>;

    /// What of a tenant's rows a sink has not taken, counted up to `most`.
    async fn waiting(
        &self,
        tenant: &Name,
        sink: u64,
        since: Option<Timestamp>,
        most: u32,
    ) -> Result<Waiting, StoreError>;

    /// Forgets the sinks that were made up to a position and are not among those that are.
    async fn forget_sinks(&self, until: u64, but: &[u64]) -> Result<(), StoreError>;
}

/// The statements, for tables whose names begin with `{}`.
pub(in crate::store) mod sql {
    pub(in crate::store) const BEGIN: &str =
        "INSERT INTO {}audit_sinks AS held (sink, tenant, changed, since_us) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sink) DO UPDATE SET
            changed = excluded.changed, since_us = excluded.since_us, attempts = 0, due_us = 0
        WHERE held.changed < excluded.changed";
    pub(in crate::store) const PROGRESS: &str = "SELECT attempts, due_us, error, taken_us, removed, missing, rejected FROM {}audit_sinks WHERE sink = $1";
    pub(in crate::store) const PENDING: &str =
        "SELECT mark.edge, mark.epoch, coalesce(taken, 0) AS taken, contiguous, highest
        FROM {}audit_watermarks AS mark LEFT JOIN {}audit_sink_cursors AS place
            ON sink = $1 AND place.edge = mark.edge AND place.epoch = mark.epoch
        WHERE highest > coalesce(taken, 0) ORDER BY mark.epoch, mark.edge LIMIT $2";
    pub(in crate::store) const RUN: &str = "SELECT min(sequence) AS first, max(sequence) AS last FROM (
            SELECT sequence, sequence - row_number() OVER (ORDER BY sequence) AS run, min(sequence) OVER () AS start
            FROM (SELECT sequence FROM {}audit WHERE edge = $1 AND epoch = $2 AND sequence > $3
                ORDER BY sequence LIMIT 10000) AS next
        ) AS runs WHERE run = start - 1";
    pub(in crate::store) const TAKE: &str =
        "INSERT INTO {}audit_sink_cursors AS held (sink, edge, epoch, taken) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sink, edge, epoch) DO UPDATE SET taken = excluded.taken WHERE held.taken < excluded.taken";
    pub(in crate::store) const TOOK: &str = "UPDATE {}audit_sinks SET attempts = 0, due_us = 0, error = NULL,
        taken_us = coalesce($2, taken_us), missing = missing + $3, rejected = rejected + $4
        WHERE sink = $1";
    pub(in crate::store) const REFUSED: &str =
        "UPDATE {}audit_sinks SET attempts = $2, due_us = $3, error = $4 WHERE sink = $1";
    pub(in crate::store) const WAITING: &str = "SELECT count(*) AS rows, min(time_us) AS oldest_us FROM (
            SELECT time_us FROM {}audit_watermarks AS mark
            LEFT JOIN {}audit_sink_cursors AS place
                ON sink = $1 AND place.edge = mark.edge AND place.epoch = mark.epoch
            JOIN {}audit AS kept
                ON kept.edge = mark.edge AND kept.epoch = mark.epoch AND kept.sequence > coalesce(taken, 0)
            WHERE highest > coalesce(taken, 0) AND (tenant = $2 OR tenant = $3) AND time_us >= $4
            LIMIT $5) AS found";
    /// Before the same rows are deleted, in the same transaction; `[]` names the rows.
    pub(in crate::store) const REMOVED: &str = "UPDATE {}audit_sinks AS told SET removed = removed + (
        SELECT count(*) FROM {}audit AS gone LEFT JOIN {}audit_sink_cursors AS place
            ON place.sink = told.sink AND place.edge = gone.edge AND place.epoch = gone.epoch
        WHERE gone.edge = $1 AND gone.epoch = $2 AND gone.sequence BETWEEN $3 AND $4
            AND (gone.tenant = told.tenant OR (gone.tenant = '' AND told.tenant = 'platform'))
            AND gone.time_us >= told.since_us AND gone.sequence > coalesce(place.taken, 0) [])";
    pub(in crate::store) const FORGET: &str = "DELETE FROM {}audit_sinks WHERE sink = $1";
    pub(in crate::store) const FORGET_CURSORS: &str = "DELETE FROM {}audit_sink_cursors WHERE sink = $1";
    pub(in crate::store) const KNOWN: &str = "SELECT sink FROM {}audit_sinks WHERE sink <= $1";

    pub(in crate::store) fn of(statement: &str, schema: &str) -> String {
        statement.replace("{}", schema)
    }
}

/// Whose rows a tenant's sinks take: nobody's are the operators'.
pub(in crate::store) fn tenants(tenant: &Name) -> (String, String) {
    let also = match *tenant == Name::platform() {
        true => "",
        false => tenant.as_str(),
    };
    (tenant.to_string(), also.to_owned())
}

/// The smallest number stands for no bound.
pub(in crate::store) fn since(since: Option<Timestamp>) -> i64 {
    since.map_or(i64::MIN, Timestamp::as_micros)
}

pub(in crate::store) fn rows<DB>(
    table: &str,
    tenant: &Name,
    (edge, epoch): (&str, u64),
    (after, through): (u64, u64),
    limit: u32,
) -> QueryBuilder<DB>
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let (tenant, also) = tenants(tenant);
    let mut query = QueryBuilder::new("");
    select::columns(&mut query);
    query
        .push(format_args!(" FROM {table} WHERE edge = "))
        .push_bind(edge.to_owned());
    query.push(" AND epoch = ").push_bind(epoch.cast_signed());
    query.push(" AND sequence > ").push_bind(after.cast_signed());
    query.push(" AND sequence <= ").push_bind(through.cast_signed());
    query.push(" AND (tenant = ").push_bind(tenant);
    query.push(" OR tenant = ").push_bind(also);
    query
        .push(") ORDER BY sequence LIMIT ")
        .push_bind(i64::from(limit));
    query
}

pub(in crate::store) fn progress<R>(row: &R) -> Result<Progress, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<i64, _>(name);
    let due = number("due_us")?;
    let taken: Option<i64> = row.try_get("taken_us")?;
    Ok(Progress {
        attempts: u32::try_from(number("attempts")?).unwrap_or(u32::MAX),
        due: (due > 0).then(|| Timestamp::from_micros(due)),
        error: row.try_get("error")?,
        taken: taken.map(Timestamp::from_micros),
        removed: number("removed")?.cast_unsigned(),
        missing: number("missing")?.cast_unsigned(),
        rejected: number("rejected")?.cast_unsigned(),
    })
}

pub(in crate::store) fn pending<R>(row: &R) -> Result<Pending, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    Ok(Pending {
        edge: row.try_get("edge")?,
        epoch: number("epoch")?,
        taken: number("taken")?,
        contiguous: number("contiguous")?,
        highest: number("highest")?,
    })
}

pub(in crate::store) fn run<R>(row: &R) -> Result<Option<(u64, u64)>, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<Option<i64>, _>(name);
    let run = number("first")?.zip(number("last")?);
    Ok(run.map(|(first, last)| (first.cast_unsigned(), last.cast_unsigned())))
}

pub(in crate::store) fn waiting<R>(row: &R) -> Result<Waiting, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let oldest: Option<i64> = row.try_get("oldest_us")?;
    Ok(Waiting {
        rows: row.try_get::<i64, _>("rows")?.cast_unsigned(),
        oldest: oldest.map(Timestamp::from_micros),
    })
}
