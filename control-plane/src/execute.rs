//! The one write path: every change to the access state goes through [`Executor::execute`].
//!
//! A single writer task per control plane takes waiting requests together, judges and folds each on the state
//! that those before it lead to, and commits the whole group in one append. Readers see a change only once it is
//! committed. What the store means by "committed" is the store's to say; who may call is judged in [`judge`].

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use turnpike_access::{
    command::Command,
    decide,
    id::{Id, Name, Timestamp},
    ledger,
    log::Position,
    request::NotTheirs,
    snapshot::Snapshot,
    token::VerifiedToken,
};

use crate::projection::Projection;

mod commit;
pub(crate) mod judge;
pub(crate) mod recent;
mod stage;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use writer::Writer;

/// Requests that may wait for the writer. Beyond it callers are told [`ExecuteError::Overloaded`] at once.
const WAITING_LIMIT: usize = 1024;

/// On whose authority something is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// The owner of a credential whose secret was proven. It is admitted again when the command is committed.
    Credential(Id),
    /// Whoever a verified token speaks for. It is admitted again when the command is committed.
    Token(Arc<VerifiedToken>),
    /// Whoever presented the one-time bootstrap token; good for [`Command::Bootstrap`] alone.
    BootstrapToken,
    /// Turnpike itself; the text says which part of it, for the log of this process.
    System(&'static str),
}

/// A request that is committed.
#[derive(Debug, Clone)]
pub struct Executed {
    /// Of the request's last event; where it changed nothing, the position at which it was so already.
    pub position: Position,
    /// The state right after the request.
    pub snapshot: Arc<Snapshot>,
}

/// Why a request was not, or may not have been, carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The newest state does not permit it. Nothing changed.
    #[error(transparent)]
    Refused(#[from] ledger::Refusal),
    /// The credential, or the token, opens nothing any more. Nothing changed.
    #[error("the credential is not accepted")]
    Unauthenticated,
    /// The caller is not allowed to ask for it. Nothing changed.
    #[error("{action} on {resource} is not allowed: {}", reason.sentence())]
    Forbidden {
        /// `grants.write` …
        action: String,
        /// `grant 4hXk…`: type and name.
        resource: String,
        /// What the decision says.
        reason: decide::Reason,
    },
    /// The caller administers the teams that it is about, and would lend what it has not got itself. Nothing changed.
    #[error(
        "{action} on {resource} would give more than the caller has: whoever administers single teams lends what they have \
         themselves, all of it, and no more; `turnpike access what` shows what that is"
    )]
    Lends {
        /// `grants.write` …
        action: String,
        /// `grant 4hXk…`: type and name.
        resource: String,
    },
    /// Whatever is granted to the caller, this is not its own to ask for. Nothing changed.
    #[error("{}", _0.sentence())]
    NotTheirs(NotTheirs),
    /// The store could not be reached, or this control plane is stopping. Nothing changed; it may be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// The store went away while committing: the change may or may not have happened.
    #[error(
        "it is not known whether the change was made: {0}; ask again with the same idempotency key, or look before you try \
         again"
    )]
    OutcomeUnknown(String),
    /// It was made before, under the same idempotency key. Nothing changed now.
    #[error("it was done already, at position {0}, when it was asked for with this idempotency key before")]
    AlreadyDone(Position),
    /// Too many requests are waiting. Nothing changed; try again later.
    #[error("too many changes are waiting; try again in a moment")]
    Overloaded,
}

/// Commands that are made of the very state that they meet, when it is their turn.
pub type Planner = Arc<dyn Fn(&Snapshot, Timestamp) -> Result<Vec<Command>, ExecuteError> + Send + Sync>;

/// What is to be carried out.
#[derive(Clone)]
pub enum Work {
    /// These.
    Commands(Vec<Command>),
    /// What the planner says.
    Planned(Planner),
}

impl From<Vec<Command>> for Work {
    fn from(commands: Vec<Command>) -> Self {
        Self::Commands(commands)
    }
}

/// What the writer is asked to do, all of it or nothing.
struct Request {
    authority: Authority,
    tenant: Name,
    correlation: Arc<str>,
    work: Work,
    answer: oneshot::Sender<Result<Executed, ExecuteError>>,
}

/// Where changes are asked for and the newest committed state is read. Clones share one writer.
#[derive(Clone)]
pub struct Executor {
    requests: mpsc::Sender<Request>,
    projection: Arc<Projection>,
}

impl Executor {
    /// An executor and the other end of its queue, for the writer.
    fn new(projection: Arc<Projection>) -> (Self, mpsc::Receiver<Request>) {
        let (requests, waiting) = mpsc::channel(WAITING_LIMIT);
        (Self { requests, projection }, waiting)
    }

    /// The newest committed state that this control plane knows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.projection.snapshot()
    }

    /// Carries the commands out as one change: all of them are committed, or none.
    ///
    /// Each command is judged on the state that those before it lead to. Dropping the future neither stops nor
    /// undoes a change that the writer has begun.
    ///
    /// # Errors
    /// See [`ExecuteError`]; only [`ExecuteError::OutcomeUnknown`] leaves open whether anything changed.
    pub async fn execute(
        &self,
        authority: Authority,
        tenant: Name,
        correlation: Arc<str>,
        work: impl Into<Work>,
    ) -> Result<Executed, ExecuteError> {
        let (answer, answered) = oneshot::channel();
        let request = Request {
            authority,
            tenant,
            correlation,
            work: work.into(),
            answer,
        };
        self.requests.try_send(request).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => ExecuteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        // The writer answers whatever it takes, so a lost answer means that the request was never taken.
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}

fn stopping() -> ExecuteError {
    ExecuteError::Unavailable("the control plane is stopping; ask another one".to_owned())
}
