//! Tells, in the log and in metrics, that this edge may have missed changes, and which tenants it does not serve for that.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{id::Name, tenant::Staleness};
use turnpike_runtime::telemetry::metrics;

use crate::current::Current;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From here on the log tells of it; every few seconds something is heard of the control plane.
const WORTH_TELLING: Duration = Duration::from_secs(10);

/// What was told last.
#[derive(Debug, Default)]
struct Told {
    stale: bool,
    fenced: BTreeSet<Name>,
}

/// Tells until `done`.
pub(super) async fn tell(current: Arc<Current>, done: CancellationToken) {
    let fenced = Arc::new(AtomicU64::new(0));
    let watched = Arc::downgrade(&fenced);
    metrics::fenced_tenants(move || Some(watched.upgrade()?.load(Ordering::Relaxed)));
    let mut told = Told::default();
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = done.cancelled() => return,
            _ = look.tick() => {}
        }
        let freshness = current.freshness();
        told.tell(
            freshness.age().unwrap_or(freshness.since_start()),
            fenced_by(&current),
        );
        fenced.store(told.fenced.len() as u64, Ordering::Relaxed);
    }
}

/// The tenants that are not served now, or only some of their models.
fn fenced_by(current: &Current) -> BTreeSet<Name> {
    let freshness = current.freshness();
    let Some(snapshot) = current.load().filter(|_| !freshness.within(Staleness::SHORTEST)) else {
        return BTreeSet::new();
    };
    let tenants = snapshot.tenants().into_iter();
    tenants
        .filter(|tenant| {
            let most = tenant.settings().staleness.max_seconds;
            most.is_some_and(|most| !freshness.within(most))
        })
        .map(|tenant| tenant.name().clone())
        .collect()
}

impl Told {
    fn tell(&mut self, age: Duration, fenced: BTreeSet<Name>) {
        let stale = age >= WORTH_TELLING;
        match (self.stale, stale) {
            (false, true) => tracing::warn!(
                seconds = age.as_secs(),
                "this edge may have missed changes: the control plane has confirmed nothing for so long"
            ),
            (true, false) => tracing::info!("this edge is up to date again"),
            _ => {}
        }
        for tenant in fenced.difference(&self.fenced) {
            tracing::warn!(%tenant, seconds = age.as_secs(), "fenced: the tenant accepts no state that may be so old");
        }
        for tenant in self.fenced.difference(&fenced) {
            tracing::info!(%tenant, "served again");
        }
        (self.stale, self.fenced) = (stale, fenced);
    }
}
