//! Whether the process can do its work, and if not, what it is waiting for.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use tokio::sync::watch;

/// One condition of being ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "lowercase")]
pub enum State {
    /// It holds.
    Ready,
    /// It does not hold yet, or no more, because of this.
    Waiting(String),
}

/// All conditions at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every condition holds.
    pub ready: bool,
    /// The conditions by name.
    pub conditions: BTreeMap<&'static str, State>,
}

/// The conditions of a process. Clonable; clones share them. Without any condition it is ready.
#[derive(Debug, Clone)]
pub struct Readiness {
    conditions: Arc<watch::Sender<BTreeMap<&'static str, State>>>,
}

/// Sets one condition. It stays as it was last set when this is dropped.
#[derive(Debug, Clone)]
pub struct Condition {
    name: &'static str,
    conditions: Arc<watch::Sender<BTreeMap<&'static str, State>>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            conditions: Arc::new(watch::Sender::new(BTreeMap::new())),
        }
    }
}

impl Readiness {
    /// No conditions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition, which waits until it is set.
    pub fn condition(&self, name: &'static str, waiting_for: impl Into<String>) -> Condition {
        let condition = Condition {
            name,
            conditions: Arc::clone(&self.conditions),
        };
        condition.waiting(waiting_for);
        condition
    }

    /// Whether every condition holds.
    pub fn is_ready(&self) -> bool {
        all_ready(&self.conditions.borrow())
    }

    /// The conditions as they are.
    pub fn report(&self) -> Report {
        let conditions = self.conditions.borrow().clone();
        Report {
            ready: all_ready(&conditions),
            conditions,
        }
    }

    /// Ends when every condition holds.
    pub async fn ready(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.conditions.subscribe().wait_for(all_ready).await;
    }

    /// Ends when the process is no longer ready.
    pub async fn not_ready(&self) {
        let _ = self.conditions.subscribe().wait_for(|all| !all_ready(all)).await;
    }
}

impl Condition {
    /// The condition holds.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// The condition does not hold, for a reason that an operator reads: no secrets in it.
    pub fn waiting(&self, reason: impl Into<String>) {
        self.set(State::Waiting(reason.into()));
    }

    fn set(&self, state: State) {
        self.conditions.send_if_modified(|all| {
            let changed = all.get(self.name) != Some(&state);
            if changed {
                tracing::info!(condition = self.name, ?state, "readiness");
                all.insert(self.name, state);
            }
            changed
        });
    }
}

fn all_ready(conditions: &BTreeMap<&'static str, State>) -> bool {
    conditions.values().all(|state| *state == State::Ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_ready_when_every_condition_is_and_says_what_it_waits_for() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let bus = readiness.condition("bus", "connecting");
        let store = readiness.condition("store", "connecting");
        bus.ready();
        assert!(!readiness.is_ready());
        store.waiting("the database refuses connections");
        let report = serde_json::to_value(readiness.report()).unwrap();
        assert_eq!(
            report,
            serde_json::json!({"ready": false, "conditions": {
                "bus": {"state": "ready"},
                "store": {"state": "waiting", "reason": "the database refuses connections"},
            }})
        );
        store.ready();
        readiness.ready().await;
        bus.waiting("disconnected");
        readiness.not_ready().await;
    }
}
