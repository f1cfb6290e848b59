//! What is taken out of the audit, and what stands for it. The statements are the same for every engine but for the names of the
//! tables.

use async_trait::async_trait;
use sqlx::{ColumnIndex, Database, Decode, Encode, QueryBuilder, Row, Type};
use turnpike_access::{
    audit::{
        chain::{Checkpoint, Leaf, Link},
        retired::{Retired, StandIn},
    },
    id::{Name, Timestamp},
};

use crate::store::StoreError;

/// The part of the audit's store that forgets.
#[async_trait]
pub trait AuditRetention: Send + Sync + 'static {
    /// What was retired of an epoch, whole stretches and single records, in order.
    async fn retired(&self, edge: &str, epoch: u64) -> Result<Vec<Retired>, StoreError>;

    /// What edges said since a moment and before another, in the order of epochs, after such a statement.
    async fn said_between(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&Checkpoint>,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError>;

    /// Keeps what a control plane says, and deletes in the same transaction what it is said of. Said again it changes nothing.
    async fn retire(&self, said: &Retired) -> Result<(), StoreError>;

    /// What edges signed before this moment is gone, of a tenant.
    async fn retired_through(&self, tenant: &Name) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that what edges signed before a moment is gone, of a tenant.
    async fn keep_retired_through(&self, tenant: &Name, through: Timestamp) -> Result<(), StoreError>;

    /// Makes room for the weeks to come where each has its own, ahead of time, and answers how many were made.
    async fn add_weeks(&self) -> Result<u64, StoreError>;

    /// Drops the room of weeks that are over and of which nothing is kept any longer, and answers how many those were.
    async fn drop_weeks(&self) -> Result<u64, StoreError>;
}

/// The columns of the two parts of [`StandIn`].
pub(in crate::store) struct Parts {
    pub(in crate::store) links: Option<(Link, Link)>,
    pub(in crate::store) sequences: String,
    pub(in crate::store) hashes: Vec<u8>,
}

impl Parts {
    pub(in crate::store) fn of(stand_in: &StandIn) -> Self {
        match stand_in {
            StandIn::Links(before, after) => Self {
                links: Some((*before, *after)),
                sequences: "[]".to_owned(),
                hashes: Vec::new(),
            },
            StandIn::Leaves(leaves) => {
                let sequences: Vec<u64> = leaves.iter().map(|(sequence, _)| *sequence).collect();
                Self {
                    links: None,
                    sequences: serde_json::to_string(&sequences).unwrap_or_default(),
                    hashes: leaves.iter().flat_map(|(_, leaf)| leaf.0).collect(),
                }
            }
        }
    }
}

pub(in crate::store) fn of_epoch<DB>(table: &str, edge: &str, epoch: u64) -> QueryBuilder<DB>
where
    DB: Database,
    for<'q> String: Encode<'q, DB> + Type<DB>,
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(
        "SELECT edge, epoch, first, last, before, after, sequences, hashes, until_us, time_us, key, signature FROM ",
    );
    query
        .push(table)
        .push(" WHERE edge = ")
        .push_bind(edge.to_owned());
    query.push(" AND epoch = ").push_bind(epoch.cast_signed());
    query.push(" ORDER BY first, last");
    query
}

pub(in crate::store) fn between<DB>(
    table: &str,
    (since, until): (Timestamp, Timestamp),
    after: Option<&Checkpoint>,
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
        .push(" WHERE time_us >= ")
        .push_bind(since.as_micros());
    query.push(" AND time_us < ").push_bind(until.as_micros());
    if let Some(after) = after {
        query
            .push(" AND (edge, epoch, last, first) > (")
            .push_bind(after.edge.clone());
        for number in [after.epoch, after.last, after.first] {
            query.push(", ").push_bind(number.cast_signed());
        }
        query.push(")");
    }
    query
        .push(" ORDER BY edge, epoch, last, first LIMIT ")
        .push_bind(i64::from(limit));
    query
}

pub(in crate::store) fn read<R>(row: &R) -> Result<Retired, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
{
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of what was retired of the audit"));
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    let link = |name: &str| -> Result<Option<Link>, StoreError> {
        let bytes: Option<Vec<u8>> = row.try_get(name)?;
        let link = |bytes: Vec<u8>| bytes.try_into().map(Link).map_err(|_| damaged(name));
        bytes.map(link).transpose()
    };
    let stand_in = match (link("before")?, link("after")?) {
        (Some(before), Some(after)) => StandIn::Links(before, after),
        _ => {
            let sequences: String = row.try_get("sequences")?;
            let sequences: Vec<u64> = serde_json::from_str(&sequences).map_err(|_| damaged("sequences"))?;
            let hashes: Vec<u8> = row.try_get("hashes")?;
            let (hashes, rest) = hashes.as_chunks::<32>();
            if hashes.len() != sequences.len() || !rest.is_empty() {
                return Err(damaged("hashes"));
            }
            StandIn::Leaves(
                sequences
                    .into_iter()
                    .zip(hashes.iter().map(|hash| Leaf(*hash)))
                    .collect(),
            )
        }
    };
    Ok(Retired {
        edge: row.try_get("edge")?,
        epoch: number("epoch")?,
        first: number("first")?,
        last: number("last")?,
        stand_in,
        until: Timestamp::from_micros(row.try_get("until_us")?),
        time: Timestamp::from_micros(row.try_get("time_us")?),
        key: row.try_get("key")?,
        signature: row.try_get("signature")?,
    })
}
