//! Whether this edge is to serve: by what the log says of it. What the control plane says when it sends an edge away comes
//! from [`crate::sync`] and [`crate::enrolment`], and is final for this run.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnpike_access::{edge::Duty, snapshot::Snapshot};
use turnpike_runtime::readiness::Condition;

use crate::current::Current;

/// How often a drained edge looks whether all that it had has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Follows what the log says of this edge until `done`.
pub(crate) async fn follow(
    edge: Arc<str>,
    current: Arc<Current>,
    duty: Arc<watch::Sender<Duty>>,
    done: CancellationToken,
) {
    let mut positions = current.positions();
    loop {
        let said = current
            .load()
            .map(|snapshot| Snapshot::edges(&snapshot).duty(&edge));
        if let Some(said) = said {
            duty.send_if_modified(|duty| {
                let changed = *duty != said && *duty != Duty::Revoked;
                if changed {
                    *duty = said;
                }
                changed
            });
        }
        tokio::select! {
            () = done.cancelled() => return,
            changed = positions.changed() => if changed.is_err() { return },
        }
    }
}

/// An edge that is not to serve is not ready, and takes no requests.
pub(crate) struct Heeding {
    pub(crate) duty: watch::Receiver<Duty>,
    pub(crate) current: Arc<Current>,
    pub(crate) condition: Condition,
    /// How long it still takes requests once it is drained.
    pub(crate) drain_notice: Duration,
}

impl Heeding {
    /// Heeds what is decided until `done`.
    pub(crate) async fn run(mut self, done: CancellationToken) {
        loop {
            let now = *self.duty.borrow_and_update();
            self.say(now);
            let (current, notice) = (&self.current, self.drain_notice);
            let settled = async {
                if now == Duty::Drain {
                    drain(current, notice).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = settled => {}
                changed = self.duty.changed() => if changed.is_err() { return },
                () = done.cancelled() => return,
            }
        }
    }

    fn say(&self, duty: Duty) {
        match duty {
            Duty::Serve => {
                self.current.open();
                self.condition.ready();
            }
            Duty::Drain => {
                self.condition
                    .waiting("for an operator: this edge is drained (turnpike edge resume)");
            }
            Duty::Revoked => {
                self.current.close("revoked");
                self.condition
                    .waiting("for an operator: this edge was revoked (turnpike edge enrol)");
            }
        }
    }
}

/// Takes requests until those who send them have noticed, then no more, and ends when none is under way.
async fn drain(current: &Current, notice: Duration) {
    tokio::time::sleep(notice).await;
    current.close("drained");
    // One that was let in right before is counted by then.
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        if current.under_way() == 0 {
            break;
        }
    }
    current.rest();
    tracing::info!("drained: no request is under way, and none is taken");
}
