//! Who does what one control plane does for all: leases by name in the database, by the database's own clock.

use std::time::Duration;

use turnpike_access::log::Position;

/// Somebody who wants to do it, or to go on.
#[derive(Debug, Clone, Copy)]
pub struct LeaseClaim<'c> {
    /// What is done.
    pub name: &'c str,
    /// Who; no other control plane, and no other run of this one, has the same word.
    pub holder: &'c str,
    /// How far it has come, where that means anything.
    pub position: Position,
    /// For how long from now; nothing: whoever comes next may have it at once.
    pub lease: Duration,
}

/// One statement, which tells the position where the lease is the holder's, and nothing where it is another's. Whoever takes
/// it over learns how far the one before had come.
///
/// `now` is the database's clock in microseconds. Binds: name, holder, lease in microseconds, position.
pub(super) fn claim(table: &str, now: &str) -> String {
    format!(
        "INSERT INTO {table} AS held (name, holder, until_us, position) VALUES ($1, $2, {now} + $3, $4)
        ON CONFLICT (name) DO UPDATE SET
            position = CASE WHEN held.holder = excluded.holder THEN excluded.position ELSE held.position END,
            holder = excluded.holder,
            until_us = excluded.until_us
        WHERE held.holder = excluded.holder OR held.until_us <= {now}
        RETURNING position"
    )
}

/// A lease as the statement takes it.
pub(super) fn micros(lease: Duration) -> i64 {
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 2)
}
