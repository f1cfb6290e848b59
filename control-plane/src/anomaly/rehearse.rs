//! What a rule would have raised: the same look, again and again at moments of the past.

use std::collections::BTreeMap;

use turnpike_access::{
    id::Timestamp,
    snapshot::{Snapshot, Tenant},
};

use super::{Anomaly, Looked, look};
use crate::store::{AuditStore, StoreError};

/// So often is looked at most, whatever the span.
const LOOKS: i64 = 3000;
const MICROS: i64 = 1_000_000;

/// An alert that would have been raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rehearsed {
    /// When.
    pub(crate) first: Timestamp,
    /// When it was last there.
    pub(crate) last: Timestamp,
    /// As it was first found; the count is the most that it came to.
    pub(crate) anomaly: Anomaly,
}

/// Looks from one moment to another, five times a window and at most every minute. The oldest first.
pub(crate) async fn rehearse(
    store: &dyn AuditStore,
    snapshot: &Snapshot,
    tenant: &Tenant,
    looked: Looked<'_>,
    (since, until): (Timestamp, Timestamp),
) -> Result<Vec<Rehearsed>, StoreError> {
    let span = until.as_micros().saturating_sub(since.as_micros()) / MICROS;
    let step = (looked.window() / 5).clamp(60, 600).max(span / LOOKS);
    let (mut now, mut all) = (since, Vec::<Rehearsed>::new());
    let mut going_on: BTreeMap<String, usize> = BTreeMap::new();
    while now <= until {
        for anomaly in look::find(store, snapshot, tenant, looked, now).await? {
            let held = going_on.get(&anomaly.key()).and_then(|place| all.get_mut(*place));
            match held.filter(|held| held.last.plus_seconds(anomaly.over_after) > now) {
                Some(held) => {
                    held.last = now;
                    held.anomaly.count = held.anomaly.count.max(anomaly.count);
                }
                None => {
                    going_on.insert(anomaly.key(), all.len());
                    all.push(Rehearsed {
                        first: now,
                        last: now,
                        anomaly,
                    });
                }
            }
        }
        now = now.plus_seconds(step);
    }
    Ok(all)
}
