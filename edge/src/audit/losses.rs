//! What is lost is recorded too: records that are dropped are counted by tenant, and each count is a record itself.
//!
//! The first is told at once, then one a second at most, so that a full spool does not fill with its own complaints, and the
//! rest where the upload makes room or ends. What was counted since the last is lost where the process is killed, and never the
//! fact that something was.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use turnpike_access::{
    audit::{AuditRecord, Billing, Ending, LOST, Outcome, Usage},
    id::Timestamp,
};

use super::Report;

/// How long between two records about the same kind of loss, in microseconds.
const EVERY: i64 = 1_000_000;
/// So many tenants are told apart; what is lost of further ones is nobody's, which the operators see.
const TENANTS: usize = 1000;

/// What was dropped and not yet recorded.
#[derive(Debug, Default)]
pub(super) struct Losses {
    counted: Mutex<BTreeMap<Option<Arc<str>>, Dropped>>,
    pending: AtomicBool,
    told_us: AtomicI64,
}

/// Of one tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropped {
    records: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Losses {
    /// Counts a record that is lost.
    pub(super) fn count(&self, tenant: Option<&Arc<str>>, time: Timestamp) {
        let one = Dropped {
            records: 1,
            first: time,
            last: time,
        };
        self.add(tenant.cloned(), one);
    }

    /// Counts again what could not be recorded.
    pub(super) fn add(&self, tenant: Option<Arc<str>>, dropped: Dropped) {
        let Ok(mut counted) = self.counted.lock() else {
            return;
        };
        let room = counted.len() < TENANTS || counted.contains_key(&tenant);
        let of = counted.entry(tenant.filter(|_| room)).or_insert(Dropped {
            records: 0,
            ..dropped
        });
        of.records = of.records.saturating_add(dropped.records);
        of.first = of.first.min(dropped.first);
        of.last = of.last.max(dropped.last);
        self.pending.store(true, Ordering::Release);
    }

    /// What is to be recorded now: nothing, mostly.
    pub(super) fn due(&self, now: impl FnOnce() -> Timestamp) -> BTreeMap<Option<Arc<str>>, Dropped> {
        if !self.pending.load(Ordering::Acquire) {
            return BTreeMap::new();
        }
        let (now, told) = (now().as_micros(), self.told_us.load(Ordering::Relaxed));
        let relaxed = Ordering::Relaxed;
        let mine = now.saturating_sub(told) >= EVERY
            && self.told_us.compare_exchange(told, now, relaxed, relaxed).is_ok();
        if mine { self.take() } else { BTreeMap::new() }
    }

    /// All that is not yet recorded, however lately the last was.
    pub(super) fn take(&self) -> BTreeMap<Option<Arc<str>>, Dropped> {
        if !self.pending.load(Ordering::Acquire) {
            return BTreeMap::new();
        }
        match self.counted.lock() {
            Ok(mut counted) => {
                self.pending.store(false, Ordering::Release);
                std::mem::take(&mut *counted)
            }
            Err(_) => BTreeMap::new(),
        }
    }
}

/// The record about dropped ones of a tenant.
pub(super) fn dropped(tenant: Option<Arc<str>>, dropped: Dropped) -> AuditRecord {
    let Dropped { records, first, last } = dropped;
    let facts = [
        ("records", records.to_string()),
        ("until_us", last.as_micros().to_string()),
    ];
    record(tenant, first, LOST.dropped, &facts)
}

/// Records about what an earlier process left damaged or unfinished.
pub(super) fn found(report: &Report, now: Timestamp) -> Vec<AuditRecord> {
    let Report {
        records: _,
        unfinished: _,
        torn_bytes,
        set_aside,
    } = report;
    let mut all = Vec::new();
    if *torn_bytes > 0 {
        all.push(record(None, now, LOST.torn, &[("bytes", torn_bytes.to_string())]));
    }
    if !set_aside.is_empty() {
        all.push(record(
            None,
            now,
            LOST.damaged,
            &[("files", set_aside.len().to_string())],
        ));
    }
    all
}

fn record(tenant: Option<Arc<str>>, time: Timestamp, reason: &str, facts: &[(&str, String)]) -> AuditRecord {
    let pair = |(key, value): &(&str, String)| (Arc::from(*key), Arc::from(value.as_str()));
    AuditRecord {
        time,
        request_id: Arc::default(),
        decision_id: None,
        trace_id: None,
        tenant,
        principal: None,
        credential: None,
        auth_method: None,
        token: None,
        route: Arc::from("audit"),
        action: Some(Arc::from(LOST.action)),
        subject: None,
        resource: None,
        model_requested: None,
        model_served: None,
        fallback_from: None,
        provider: None,
        environment: None,
        outcome: Outcome::Refused,
        reason: Arc::from(reason),
        grants: Vec::new(),
        status: 0,
        upstream_status: None,
        latency_us: 0,
        first_token_us: None,
        usage: Usage::default(),
        billing: Billing::default(),
        streamed: false,
        ending: Ending::Complete,
        client: None,
        user_agent: None,
        metadata: facts.iter().map(pair).collect(),
        region: Arc::default(),
        position: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn losses_are_told_at_once_then_once_a_second_and_by_tenant() {
        let losses = Losses::default();
        assert!(losses.due(|| at(10)).is_empty());
        let acme = Arc::<str>::from("acme");
        losses.count(Some(&acme), at(10));
        losses.count(None, at(11));
        losses.count(Some(&acme), at(12));
        let due = losses.due(|| at(12));
        let counts: Vec<_> = due
            .iter()
            .map(|(tenant, one)| (tenant.as_deref(), one.records))
            .collect();
        assert_eq!(counts, [(None, 1), (Some("acme"), 2)]);
        losses.count(None, at(12));
        assert!(losses.due(|| at(12)).is_empty(), "a second has not passed");
        assert_eq!(losses.due(|| at(13)).len(), 1);
        losses.count(None, at(13));
        assert!(losses.due(|| at(13)).is_empty(), "a second has not passed");
        assert_eq!(losses.take().len(), 1, "however lately the last was told");
        assert!(losses.due(|| at(20)).is_empty());
    }

    #[test]
    fn what_could_not_be_recorded_is_counted_on() {
        let losses = Losses::default();
        losses.count(None, at(1));
        for (tenant, dropped) in losses.due(|| at(5)) {
            losses.add(tenant, dropped);
        }
        losses.count(None, at(6));
        let due = losses.due(|| at(7));
        let told = dropped(None, due[&None]);
        assert_eq!((told.time, told.reason.as_ref()), (at(1), "records_dropped"));
        let facts: Vec<_> = told
            .metadata
            .iter()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
            .collect();
        assert_eq!(facts, [("records", "2"), ("until_us", "6000000")]);
    }
}
