//! How far behind sinks are, as metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};
use tokio::time::Instant;
use turnpike_access::id::{Name, Timestamp};
use turnpike_runtime::telemetry::metrics;

use super::age;
use crate::store::sink::Waiting;

/// How often rows that wait are counted.
const EVERY: Duration = Duration::from_secs(15);
/// Sinks that are told apart: those of further ones are only in `turnpike audit sink list`.
const MOST: usize = 200;

pub(super) struct Told {
    rows: Gauge<u64>,
    age: Gauge<f64>,
    refusals: Counter<u64>,
    last: Mutex<BTreeMap<u64, (Instant, Vec<KeyValue>)>>,
}

impl Told {
    pub(super) fn new() -> Self {
        Self {
            rows: metrics::audit_sink_waiting(),
            age: metrics::audit_sink_age(),
            refusals: metrics::audit_sink_refusals(),
            last: Mutex::default(),
        }
    }

    /// Whether it is time to count what waits for a sink.
    pub(super) fn is_due(&self, sink: u64) -> bool {
        let Ok(last) = self.last.lock() else {
            return false;
        };
        match last.get(&sink) {
            Some((counted, _)) => counted.elapsed() >= EVERY,
            None => last.len() < MOST,
        }
    }

    pub(super) fn waiting(&self, sink: u64, tenant: &Name, name: &Name, waiting: Waiting, now: Timestamp) {
        let labels = labels(tenant, name);
        self.rows.record(waiting.rows, &labels);
        let oldest = waiting.oldest.map_or(0.0, |oldest| age(oldest, now));
        self.age.record(oldest, &labels);
        if let Ok(mut last) = self.last.lock() {
            last.insert(sink, (Instant::now(), labels));
        }
    }

    pub(super) fn refused(&self, tenant: &Name, name: &Name) {
        let known = self.last.lock().is_ok_and(|last| last.len() < MOST);
        if known {
            self.refusals.add(1, &labels(tenant, name));
        }
    }

    /// Of sinks that are no more nothing waits.
    pub(super) fn keep(&self, sinks: &[u64]) {
        let there: BTreeSet<u64> = sinks.iter().copied().collect();
        self.drop_but(|sink| there.contains(sink));
    }

    /// Another control plane tells from now on.
    pub(super) fn nothing(&self) {
        self.drop_but(|_| false);
    }

    fn drop_but(&self, stays: impl Fn(&u64) -> bool) {
        if let Ok(mut last) = self.last.lock() {
            last.retain(|sink, (_, labels)| {
                let stays = stays(sink);
                if !stays {
                    self.rows.record(0, labels);
                    self.age.record(0.0, labels);
                }
                stays
            });
        }
    }
}

fn labels(tenant: &Name, sink: &Name) -> Vec<KeyValue> {
    vec![
        KeyValue::new("tenant", tenant.to_string()),
        KeyValue::new("sink", sink.to_string()),
    ]
}
