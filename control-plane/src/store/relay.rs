//! Who publishes on the bus: one lease in the database, by the database's own clock.

use std::time::Duration;

use turnpike_access::log::Position;

/// Somebody who wants to publish, or to go on.
#[derive(Debug, Clone, Copy)]
pub struct RelayClaim<'c> {
    /// Who; no other control plane, and no other run of this one, has the same word.
    pub holder: &'c str,
    /// How far it has published.
    pub published: Position,
    /// For how long from now; nothing: whoever comes next may have it at once.
    pub lease: Duration,
}

/// One statement, which tells the position where the lease is the holder's, and nothing where it is another's. Whoever takes
/// it over learns how far the one before had come.
///
/// `now` is the database's clock in microseconds. Binds: holder, lease in microseconds, position.
pub(super) fn claim(table: &str, now: &str) -> String {
    format!(
        "INSERT INTO {table} AS held (one, holder, until_us, published) VALUES (1, $1, {now} + $2, $3)
        ON CONFLICT (one) DO UPDATE SET
            published = CASE WHEN held.holder = excluded.holder THEN excluded.published ELSE held.published END,
            holder = excluded.holder,
            until_us = excluded.until_us
        WHERE held.holder = excluded.holder OR held.until_us <= {now}
        RETURNING published"
    )
}

/// A lease as the statement takes it.
pub(super) fn micros(lease: Duration) -> i64 {
    i64::try_from(lease.as_micros()).unwrap_or(i64::MAX / 2)
}
