//! From rows of the log's tables to values, the same for every engine.

use sqlx::{ColumnIndex, Decode, Row, Type};
use turnpike_access::{
    id::Timestamp,
    log::{Hash, Head, Position, Recorded},
};

use super::{EdgeReport, HeldKey, SealedKey, StoreError};
use turnpike_access::log::Origin;

/// A position as the databases have it.
pub(super) fn number(position: Position) -> i64 {
    // A log of 2^63 events is out of reach; past that, nothing matches.
    i64::try_from(position.get()).unwrap_or(i64::MAX)
}

/// Columns `position`, `hash`.
pub(super) fn head<R>(row: &R) -> Result<Head, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Head {
        position: Position::new(row.try_get::<i64, _>("position")?.cast_unsigned()),
        hash: hash(row, "hash")?,
    })
}

fn hash<R>(row: &R, column: &str) -> Result<Hash, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let bytes: Vec<u8> = row.try_get(column)?;
    <[u8; 32]>::try_from(bytes)
        .map(Hash::new)
        .map_err(|_| StoreError::Damaged(format!("an event's {column}")))
}

/// A row of `events`.
pub(super) fn event<R>(row: &R) -> Result<Recorded, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |name: &str| row.try_get::<String, _>(name);
    let Head { position, hash: own } = head(row)?;
    let version = row.try_get::<i64, _>("version")?;
    Ok(Recorded {
        position,
        origin: Origin {
            time: Timestamp::from_micros(row.try_get("time_us")?),
            tenant: text("tenant")?.parse()?,
            actor: text("actor")?.into(),
            correlation: text("correlation")?.into(),
        },
        kind: text("kind")?.into(),
        version: u16::try_from(version)
            .map_err(|_| StoreError::Damaged(format!("event {position}'s version")))?,
        payload: text("payload")?.into(),
        previous: hash(row, "previous")?,
        hash: own,
    })
}

/// A row of `signing_keys` or `token_keys`.
pub(super) fn key<R>(row: &R) -> Result<SealedKey, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(SealedKey {
        id: row.try_get("id")?,
        sealed: row.try_get("sealed")?,
        public_key: row.try_get("public_key")?,
        created: Timestamp::from_micros(row.try_get("created_us")?),
    })
}

/// A row of `held_keys`.
pub(super) fn held_key<R>(row: &R) -> Result<HeldKey, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |name: &str| row.try_get::<String, _>(name);
    Ok(HeldKey {
        id: text("id")?.parse()?,
        tenant: text("tenant")?.parse()?,
        credential: text("credential")?.parse()?,
        sealed: text("sealed")?,
        created: Timestamp::from_micros(row.try_get("created_us")?),
    })
}

/// A row of `edges`.
pub(super) fn edge<R>(row: &R) -> Result<EdgeReport, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<i64, _>(name);
    Ok(EdgeReport {
        name: row.try_get("name")?,
        region: row.try_get("region")?,
        version: row.try_get("version")?,
        epoch: number("epoch")?.cast_unsigned(),
        position: Position::new(number("position")?.cast_unsigned()),
        applied: Timestamp::from_micros(number("applied_us")?),
        halted: row.try_get("halted")?,
        last_seen: Timestamp::from_micros(number("last_seen_us")?),
        departed: row.try_get("departed")?,
        identity_key: row.try_get("identity_key")?,
        statement: row.try_get("statement")?,
        certain: row
            .try_get::<Option<i64>, _>("certain_us")?
            .map(Timestamp::from_micros),
    })
}
