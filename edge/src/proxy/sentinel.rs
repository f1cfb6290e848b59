//! Ends answers under way whose credential was revoked, for tenants that chose so.
//!
//! One task looks after all of them, whenever the state has changed and a few times a second at most, so that a request
//! of anybody else pays nothing and many changes cost no more than few.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use turnpike_access::{
    authenticate::{AuthFailure, admit},
    id::{Id, Timestamp},
    log::Position,
    snapshot::Snapshot,
    token::{self, VerifiedToken},
};
use turnpike_runtime::{clock, shutdown::Shutdown};

use super::authenticate::Presented;
use crate::current::Current;

/// The least time from one look to the next. An answer ends well within a second of the change.
const PAUSE: Duration = Duration::from_millis(100);

/// What a request was let through by.
#[derive(Debug, Clone)]
pub(super) enum OpenedBy {
    Key(Id),
    Token(Arc<VerifiedToken>),
}

impl OpenedBy {
    pub(super) fn of(presented: &Presented<'_>) -> Self {
        match presented {
            Presented::Key(key) => Self::Key(key.id()),
            Presented::Token(_, token) => Self::Token(token.clone()),
        }
    }

    /// Why it opens nothing any more, where it was taken away. What runs out by itself was known to end.
    fn revoked(&self, snapshot: &Snapshot, now: Timestamp) -> Option<AuthFailure> {
        let admitted = match self {
            Self::Key(id) => match snapshot.credential(*id) {
                Some(held) => admit(snapshot, held, now),
                None => Err(AuthFailure::Unknown),
            },
            Self::Token(token) => token::admit(snapshot, token, now),
        };
        admitted.err().filter(|failure| *failure != AuthFailure::Expired)
    }
}

/// Everybody who is watched.
#[derive(Debug, Default)]
pub(super) struct Sentinel {
    watched: Mutex<BTreeMap<u64, Watched>>,
    next: AtomicU64,
    overtaken: Notify,
}

#[derive(Debug)]
struct Watched {
    by: OpenedBy,
    ends: CancellationToken,
    why: Arc<OnceLock<AuthFailure>>,
}

/// One answer that is watched, until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    number: u64,
    sentinel: Arc<Sentinel>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    why: Arc<OnceLock<AuthFailure>>,
}

impl Sentinel {
    /// Watches an answer to a request that was judged at a position.
    pub(super) fn watch(self: &Arc<Self>, by: OpenedBy, judged_at: u64, current: &Current) -> Watch {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (ends, why) = (CancellationToken::new(), Arc::new(OnceLock::new()));
        let ended = Box::pin(ends.clone().cancelled_owned());
        let watched = Watched {
            by,
            ends,
            why: why.clone(),
        };
        self.watched().insert(number, watched);
        // What came in between was looked at without it.
        if current.position() > Some(Position::new(judged_at)) {
            self.overtaken.notify_one();
        }
        Watch {
            number,
            sentinel: self.clone(),
            ended,
            why,
        }
    }

    /// Looks until the shutdown.
    pub(super) async fn run(&self, current: &Current, shutdown: &Shutdown) {
        let mut positions = current.positions();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = positions.changed() => if changed.is_err() { return },
                () = self.overtaken.notified() => {}
            }
            if let Some(snapshot) = current.load() {
                self.look(&snapshot, clock::now());
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
        }
    }

    fn look(&self, snapshot: &Snapshot, now: Timestamp) {
        self.watched().retain(|_, watched| {
            let Some(failure) = watched.by.revoked(snapshot, now) else {
                return true;
            };
            // Set once: it is forgotten right away.
            watched.why.get_or_init(|| failure);
            watched.ends.cancel();
            false
        });
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<u64, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Ready, with the reason, once what opened the answer is revoked. Not to be asked again then.
    pub(super) fn poll_revoked(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let why = &self.why;
        let reason = |()| why.get().map_or("credential_revoked", |failure| failure.as_str());
        self.ended.as_mut().poll(cx).map(reason)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.sentinel.watched().remove(&self.number);
    }
}
