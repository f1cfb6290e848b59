//! What is to be sent about alerts, as a trait, and what became of it: made out once for each event and destination, taken by
//! one control plane at a time, and tried again until it was taken there or given up.

use async_trait::async_trait;
use sqlx::{ColumnIndex, Decode, Row, Type};
use turnpike_access::{
    id::{Name, Timestamp},
    log::Position,
};

use super::StoreError;

/// One message to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose alert it is.
    pub tenant: Name,
    /// Of the event that it tells of.
    pub position: Position,
    /// The destination's name.
    pub destination: Name,
    /// How often it was tried.
    pub attempts: u32,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is to be sent, again or for the first time.
    Waiting,
    /// It was taken.
    Sent,
    /// It was given up.
    Dead,
}

impl State {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }

    pub(super) fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Sent => 1,
            Self::Dead => 2,
        }
    }
}

/// A delivery, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// What goes where.
    pub delivery: Delivery,
    /// What became of it.
    pub state: State,
    /// When it was last settled, or is tried again.
    pub time: Timestamp,
    /// Why it was not taken the last time.
    pub error: Option<String>,
}

/// The outbox. Every method may be retried.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Up to which event deliveries were made out; where nobody ever did, from `first` on.
    async fn made_out(&self, first: Position) -> Result<Position, StoreError>;

    /// Notes deliveries for the events after `from` up to `to`, all or nothing. `false`: somebody else was first, and nothing
    /// was noted.
    async fn make_out(
        &self,
        from: Position,
        to: Position,
        deliveries: &[Delivery],
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes deliveries that are due, each for one caller until `until`; what is not settled by then is due again.
    async fn take(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Delivery>, StoreError>;

    /// Notes what became of a delivery: when it is due again where it waits, and when it was settled else.
    async fn settle(
        &self,
        delivery: &Delivery,
        state: State,
        time: Timestamp,
        error: Option<&str>,
    ) -> Result<(), StoreError>;

    /// A tenant's deliveries, in one state or all, of events before a position, the newest event first.
    async fn deliveries(
        &self,
        tenant: &Name,
        state: Option<State>,
        before: Position,
        limit: u32,
    ) -> Result<Vec<StoredDelivery>, StoreError>;

    /// Has a tenant's dead deliveries tried again, to one destination or all; tells how many.
    async fn revive(
        &self,
        tenant: &Name,
        destination: Option<&Name>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Forgets deliveries that were settled before a moment.
    async fn forget(&self, before: Timestamp) -> Result<(), StoreError>;
}

/// The statements, for tables whose names begin with this.
pub(super) mod sql {
    pub(in crate::store) const BEGIN: &str =
        "INSERT INTO {}outbox (one, position) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
    pub(in crate::store) const POSITION: &str = "SELECT position FROM {}outbox";
    pub(in crate::store) const ADVANCE: &str =
        "UPDATE {}outbox SET position = $2 WHERE one = 1 AND position = $1";
    pub(in crate::store) const NOTE: &str =
        "INSERT INTO {}deliveries (tenant, position, destination, attempts, state, time_us)
        VALUES ($1, $2, $3, 0, 0, $4) ON CONFLICT (tenant, position, destination) DO NOTHING";
    /// With what keeps two from taking the same, where the engine needs that said.
    pub(in crate::store) const TAKE: &str = "UPDATE {}deliveries SET attempts = attempts + 1, time_us = $2
        WHERE (tenant, position, destination) IN (
            SELECT tenant, position, destination FROM {}deliveries
            WHERE state = 0 AND time_us <= $1 ORDER BY time_us LIMIT $3 [])
        RETURNING tenant, position, destination, attempts, state, time_us, error";
    pub(in crate::store) const SETTLE: &str = "UPDATE {}deliveries SET state = $4, time_us = $5, error = $6
        WHERE tenant = $1 AND position = $2 AND destination = $3 AND state = 0";
    pub(in crate::store) const LIST: &str =
        "SELECT tenant, position, destination, attempts, state, time_us, error FROM {}deliveries
        WHERE tenant = $1 AND ($2 < 0 OR state = $2) AND position < $3
        ORDER BY position DESC, destination LIMIT $4";
    pub(in crate::store) const REVIVE: &str = "UPDATE {}deliveries SET state = 0, attempts = 0, time_us = $3
        WHERE tenant = $1 AND state = 2 AND ($2 = '' OR destination = $2)";
    pub(in crate::store) const FORGET: &str = "DELETE FROM {}deliveries WHERE state <> 0 AND time_us < $1";

    pub(in crate::store) fn of(statement: &str, schema: &str, lock: &str) -> String {
        statement.replace("{}", schema).replace("[]", lock)
    }
}

/// Reads a row.
pub(super) fn row<R>(row: &R) -> Result<StoredDelivery, StoreError>
where
    R: Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |name: &str| row.try_get::<i64, _>(name);
    let name = |column: &str| -> Result<Name, StoreError> { Ok(row.try_get::<String, _>(column)?.parse()?) };
    Ok(StoredDelivery {
        delivery: Delivery {
            tenant: name("tenant")?,
            position: Position::new(u64::try_from(number("position")?).unwrap_or_default()),
            destination: name("destination")?,
            attempts: u32::try_from(number("attempts")?).unwrap_or(u32::MAX),
        },
        state: match number("state")? {
            0 => State::Waiting,
            1 => State::Sent,
            _ => State::Dead,
        },
        time: Timestamp::from_micros(number("time_us")?),
        error: row.try_get("error")?,
    })
}
