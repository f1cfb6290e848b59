//! Whose turn it is to publish: one control plane's at a time, among all that share a database.
//!
//! A lease by the database's clock, so that a machine that has vanished holds it for seconds and not for as long as a TCP
//! connection takes to be given up. The holder counts from before it asked, by its own clock, and stops by itself where
//! the database does not answer; were two to publish for a moment all the same, edges would drop what they have.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use opentelemetry::metrics::Gauge;
use tokio::time::{Instant, timeout};
use turnpike_access::log::Position;
use turnpike_runtime::{random, telemetry::metrics};

use crate::store::{EventStore, RelayClaim, StoreError};

/// How long a turn lasts if it is not prolonged, which is tried with every heartbeat.
const LEASE: Duration = Duration::from_secs(3);
/// Publishing fails for so long: somebody else may come further.
const FAILING: Duration = Duration::from_secs(5);
/// So long the others come first.
const STAND_BACK: Duration = Duration::from_secs(5);

/// Longer than any process runs.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

type Answer = Result<Option<Position>, StoreError>;

/// Whether it is this control plane's turn.
pub(crate) struct Turn {
    /// `None`: nobody else could publish there.
    store: Option<Arc<dyn EventStore>>,
    holder: String,
    until: Option<Instant>,
    /// The question that is on its way, and when it was asked.
    asking: Option<(Instant, BoxFuture<'static, Answer>)>,
    failing_since: Option<Instant>,
    not_before: Option<Instant>,
    told: Gauge<u64>,
}

impl Turn {
    /// Every turn is ours: the bus ends in this process.
    pub(crate) fn always() -> Self {
        Self {
            store: None,
            holder: String::new(),
            until: Some(Instant::now() + FOR_EVER),
            asking: None,
            failing_since: None,
            not_before: None,
            told: metrics::relay_active(),
        }
    }

    /// Whoever comes first.
    pub(crate) fn shared(store: Arc<dyn EventStore>) -> Self {
        Self {
            store: Some(store),
            holder: random::id().to_string(),
            until: None,
            ..Self::always()
        }
    }

    /// Whether it is ours at this moment.
    pub(super) fn is_ours(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Until when it is ours, if it is; it may be prolonged meanwhile.
    pub(super) fn ours_until(&self) -> Option<Instant> {
        self.until
    }

    /// Asks for it, or for more of it, unless that is under way. `published`: how far we have come.
    pub(super) fn ask(&mut self, published: Position) {
        self.tell();
        let now = Instant::now();
        let (Some(store), None) = (&self.store, &self.asking) else {
            return;
        };
        if self.not_before.is_some_and(|moment| now < moment) {
            return;
        }
        let asked = claim(store.clone(), self.holder.clone(), published, LEASE);
        self.asking = Some((now, Box::pin(asked)));
    }

    /// The answer; nothing ever while nothing was asked. Where our turn begins, it says how far the one before had come. May
    /// be dropped and called again.
    pub(super) async fn answered(&mut self) -> Option<Position> {
        let Some((asked, answer)) = &mut self.asking else {
            return std::future::pending().await;
        };
        let (asked, answer) = (*asked, answer.await);
        self.asking = None;
        let before = self.is_ours();
        let from = match answer {
            Ok(Some(from)) => {
                self.until = Some(asked + LEASE);
                Some(from)
            }
            Ok(None) => {
                self.until = None;
                None
            }
            Err(error) => {
                tracing::debug!(%error, "could not ask whose turn it is to publish");
                None
            }
        };
        let from = from.filter(|_| !before && self.is_ours());
        match (from, before, self.is_ours()) {
            (Some(from), ..) => {
                tracing::info!(
                    from = from.get(),
                    "this control plane publishes on the bus from now on"
                );
            }
            (None, true, false) => tracing::warn!("another control plane publishes on the bus from now on"),
            _ => {}
        }
        self.tell();
        from
    }

    /// How publishing went. Where it has failed for long, somebody else may have the turn.
    pub(super) async fn went(&mut self, well: bool, published: Position) {
        let now = Instant::now();
        if well {
            self.failing_since = None;
            return;
        }
        let since = *self.failing_since.get_or_insert(now);
        if self.store.is_some() && self.is_ours() && now.duration_since(since) >= FAILING {
            tracing::warn!("the bus takes nothing from this control plane; another may publish");
            self.failing_since = None;
            self.not_before = Some(now + STAND_BACK);
            self.give_back(published).await;
        }
    }

    /// Lets somebody else have it at once, if it is ours.
    pub(super) async fn give_back(&mut self, published: Position) {
        // What was asked must not be answered after this.
        self.asking = None;
        let ours = self.is_ours();
        self.until = None;
        self.tell();
        if let Some(store) = self.store.clone().filter(|_| ours) {
            let given = claim(store, self.holder.clone(), published, Duration::ZERO);
            // Else it runs out.
            drop(given.await);
        }
    }

    fn tell(&self) {
        self.told.record(u64::from(self.is_ours()), &[]);
    }
}

async fn claim(
    store: Arc<dyn EventStore>,
    holder: String,
    published: Position,
    lease: Duration,
) -> Result<Option<Position>, StoreError> {
    let claim = RelayClaim {
        holder: &holder,
        published,
        lease,
    };
    timeout(LEASE, store.claim_relay(claim))
        .await
        .unwrap_or(Err(StoreError::TimedOut))
}
