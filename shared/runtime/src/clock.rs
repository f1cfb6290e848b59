//! The wall clock, as the only place that reads it for the domain.

use std::time::{SystemTime, UNIX_EPOCH};

use turnpike_access::id::Timestamp;

/// The present moment. A clock set before 1970 reads as 1970, one beyond the year 292,000 as the last moment.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
