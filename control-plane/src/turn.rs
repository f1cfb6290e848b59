//! Whose turn it is to do what one control plane does for all that share a database: one's at a time.
//!
//! A lease by the database's clock, so that a machine that has vanished holds it for seconds and not for as long as a TCP
//! connection takes to be given up. The holder counts from before it asked, by its own clock, and stops by itself where
//! the database does not answer; were two to have it for a moment all the same, what is done twice must do no harm.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use opentelemetry::metrics::Gauge;
use tokio::time::{Instant, timeout};
use turnpike_access::log::Position;
use turnpike_runtime::random;

use crate::store::{EventStore, LeaseClaim, StoreError};

/// How long a turn lasts if it is not prolonged, which is to be tried every second.
const LEASE: Duration = Duration::from_secs(3);
/// What is done fails for so long: somebody else may come further.
const FAILING: Duration = Duration::from_secs(5);
/// So long the others come first.
const STAND_BACK: Duration = Duration::from_secs(5);

/// Longer than any process runs.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What one control plane does for all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Duty {
    /// Of the lease.
    pub(crate) lease: &'static str,
    /// As logs have it: "publishes on the bus".
    pub(crate) what: &'static str,
}

type Answer = Result<Option<Position>, StoreError>;

/// Whether it is this control plane's turn.
pub(crate) struct Turn {
    duty: Duty,
    /// `None`: nobody else could do it.
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
    /// Every turn is ours. `told` is 1 while it is.
    pub(crate) fn always(duty: Duty, told: Gauge<u64>) -> Self {
        Self {
            duty,
            store: None,
            holder: String::new(),
            until: Some(Instant::now() + FOR_EVER),
            asking: None,
            failing_since: None,
            not_before: None,
            told,
        }
    }

    /// Whoever comes first.
    pub(crate) fn shared(duty: Duty, told: Gauge<u64>, store: Arc<dyn EventStore>) -> Self {
        Self {
            store: Some(store),
            holder: random::id().to_string(),
            until: None,
            ..Self::always(duty, told)
        }
    }

    /// Whether it is ours at this moment.
    pub(crate) fn is_ours(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Until when it is ours, if it is; it may be prolonged meanwhile.
    pub(crate) fn ours_until(&self) -> Option<Instant> {
        self.until
    }

    /// Asks for it, or for more of it, unless that is under way. `position`: how far we have come.
    pub(crate) fn ask(&mut self, position: Position) {
        self.tell();
        let now = Instant::now();
        let (Some(store), None) = (&self.store, &self.asking) else {
            return;
        };
        if self.not_before.is_some_and(|moment| now < moment) {
            return;
        }
        let asked = claim(self.duty, store.clone(), self.holder.clone(), position, LEASE);
        self.asking = Some((now, Box::pin(asked)));
    }

    /// The answer; nothing ever while nothing was asked. Where our turn begins, it says how far the one before had come. May
    /// be dropped and called again.
    pub(crate) async fn answered(&mut self) -> Option<Position> {
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
                tracing::debug!(%error, lease = self.duty.lease, "could not ask whose turn it is");
                None
            }
        };
        let from = from.filter(|_| !before && self.is_ours());
        match (from, before, self.is_ours()) {
            (Some(from), ..) => {
                let (from, what) = (from.get(), self.duty.what);
                tracing::info!(from, "this control plane {what} from now on");
            }
            (None, true, false) => tracing::warn!("another control plane {} from now on", self.duty.what),
            _ => {}
        }
        self.tell();
        from
    }

    /// How it went. Where it has failed for long, somebody else may have the turn.
    pub(crate) async fn went(&mut self, well: bool, position: Position) {
        let now = Instant::now();
        if well {
            self.failing_since = None;
            return;
        }
        let since = *self.failing_since.get_or_insert(now);
        if self.store.is_some() && self.is_ours() && now.duration_since(since) >= FAILING {
            tracing::warn!(
                "this control plane {}, but fails for long; another may try",
                self.duty.what
            );
            self.failing_since = None;
            self.not_before = Some(now + STAND_BACK);
            self.give_back(position).await;
        }
    }

    /// Lets somebody else have it at once, if it is ours.
    pub(crate) async fn give_back(&mut self, position: Position) {
        // What was asked must not be answered after this.
        self.asking = None;
        let ours = self.is_ours();
        self.until = None;
        self.tell();
        if let Some(store) = self.store.clone().filter(|_| ours) {
            let given = claim(self.duty, store, self.holder.clone(), position, Duration::ZERO);
            // Else it runs out.
            drop(given.await);
        }
    }

    fn tell(&self) {
        self.told.record(u64::from(self.is_ours()), &[]);
    }
}

async fn claim(
    duty: Duty,
    store: Arc<dyn EventStore>,
    holder: String,
    position: Position,
    lease: Duration,
) -> Result<Option<Position>, StoreError> {
    let claim = LeaseClaim {
        name: duty.lease,
        holder: &holder,
        position,
        lease,
    };
    timeout(LEASE, store.claim_lease(claim))
        .await
        .unwrap_or(Err(StoreError::TimedOut))
}
