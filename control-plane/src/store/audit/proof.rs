//! What the audit is proven by: the rows of an epoch in order, and what their edge signed. The statements are the same for
//! every engine but for the names of the tables.

use sqlx::{ColumnIndex, Database, Decode, Encode, QueryBuilder, Row, Type};
use turnpike_access::{
    audit::{
        AuditRecord,
        chain::{Checkpoint, Leaf, Link},
    },
    id::Timestamp,
};
use turnpike_proto::audit;

use super::{
    StoredRecord,
    columns::{COLUMNS, Value},
    select,
};
use crate::store::StoreError;

/// An epoch as it is known, whatever became of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEpoch {
    /// The edge.
    pub edge: String,
    /// The epoch.
    pub epoch: u64,
    /// The highest sequence that was ever stored.
    pub highest: u64,
    /// Up to here nothing was missing.
    pub contiguous: u64,
}

/// A row of an epoch, with the bytes that its edge wrote where they can't be made again from the row.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainedRecord {
    /// The row.
    pub stored: StoredRecord,
    /// The bytes.
    pub original: Option<Vec<u8>>,
}

impl ChainedRecord {
    /// What the row has to be in its edge's chain: what it reads like now, and not what it once was.
    pub fn leaf(&self) -> Leaf {
        let original = self.original.as_deref();
        match original.filter(|bytes| audit::record(bytes).is_ok_and(|read| same(&read, &self.stored.record)))
        {
            Some(bytes) => Leaf::of(bytes),
            None => Leaf::of(&audit::encoded(&self.stored.record)),
        }
    }
}

/// Those among the records of a batch whose bytes can't be made again from their rows: what is cleaned or cut when it is
/// stored, and what a newer edge knows of and this process does not.
pub fn originals<'b>(records: &[AuditRecord], bytes: &'b [Vec<u8>]) -> Vec<(usize, &'b [u8])> {
    let pairs = records.iter().zip(bytes).enumerate();
    pairs
        .filter(|(_, (record, bytes))| audit::encoded(record) != **bytes || !audit::is_storable(bytes))
        .map(|(index, (_, bytes))| (index, bytes.as_slice()))
        .collect()
}

/// Whether two records fill a row alike.
fn same(one: &AuditRecord, other: &AuditRecord) -> bool {
    COLUMNS.iter().all(|(_, value)| match value {
        Value::Text(get) | Value::Json(get) => get(one) == get(other),
        Value::Number(get) => get(one) == get(other),
        Value::Flag(get) => get(one) == get(other),
    })
}

/// The rows of an epoch after a sequence, in order, with `original`.
pub(in crate::store) fn rows<DB>(
    (audit, originals): (&str, &str),
    edge: &str,
    (epoch, after): (u64, u64),
    limit: u32,
) -> QueryBuilder<DB>
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new("SELECT * FROM (");
    select::columns(&mut query);
    query
        .push(format_args!(" FROM {audit} WHERE edge = "))
        .push_bind(edge.to_owned());
    query.push(" AND epoch = ").push_bind(epoch.cast_signed());
    query.push(" AND sequence > ").push_bind(after.cast_signed());
    query
        .push(" ORDER BY sequence LIMIT ")
        .push_bind(i64::from(limit));
    query.push(format_args!(
        ") AS page LEFT JOIN (SELECT edge AS of_edge, epoch AS of_epoch, sequence AS of_sequence, original FROM {originals})
            AS kept ON of_edge = edge AND of_epoch = epoch AND of_sequence = sequence ORDER BY sequence"
    ));
    query
}

/// Reads a row of the watermarks.
pub(in crate::store) fn known<R>(row: &R) -> Result<KnownEpoch, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    Ok(KnownEpoch {
        edge: row.try_get("edge")?,
        epoch: number("epoch")?,
        highest: number("highest")?,
        contiguous: number("contiguous")?,
    })
}

/// What an edge said of an epoch about records after a sequence, in the order of the last.
pub(in crate::store) fn said<DB>(
    table: &str,
    edge: &str,
    (epoch, after): (u64, (u64, u64)),
    limit: u32,
) -> QueryBuilder<DB>
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut query =
        QueryBuilder::new("SELECT edge, epoch, first, last, before, after, time_us, key, signature FROM ");
    query
        .push(table)
        .push(" WHERE edge = ")
        .push_bind(edge.to_owned());
    query.push(" AND epoch = ").push_bind(epoch.cast_signed());
    query
        .push(" AND (last, first) > (")
        .push_bind(after.0.cast_signed());
    query.push(", ").push_bind(after.1.cast_signed());
    query
        .push(") ORDER BY last, first LIMIT ")
        .push_bind(i64::from(limit));
    query
}

/// Reads a row of [`said`].
pub(in crate::store) fn checkpoint<R>(row: &R) -> Result<Checkpoint, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    let link = |name: &str| -> Result<Link, StoreError> {
        let bytes: Vec<u8> = row.try_get(name)?;
        let damaged = |_| StoreError::Damaged(format!("{name} of a checkpoint of the audit"));
        bytes.try_into().map(Link).map_err(damaged)
    };
    Ok(Checkpoint {
        edge: row.try_get("edge")?,
        epoch: number("epoch")?,
        first: number("first")?,
        last: number("last")?,
        before: link("before")?,
        after: link("after")?,
        time: Timestamp::from_micros(row.try_get("time_us")?),
        key: row.try_get("key")?,
        signature: row.try_get("signature")?,
    })
}
