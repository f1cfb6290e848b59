//! Committing a group: one append, tried again while the store is away, and never a guess about the outcome.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use turnpike_runtime::retry::Backoff;

use super::stage::Stage;
use crate::store::{AppendError, EventStore, StoreError};

#[cfg(test)]
mod tests;

/// What became of a group.
pub(super) enum Outcome {
    /// It is in the log.
    Committed,
    /// Others committed first; nothing of the group is in the log.
    Conflict,
    /// The store could not be reached; nothing of the group is in the log.
    Unavailable(String),
    /// It may or may not be in the log, and the store could not be asked.
    Unknown(String),
}

/// Commits a group, or finds out why not, until `deadline`.
///
/// A group without events commits too, if the log still ends where it was judged: a refusal, and an "it is so
/// already", is only true of the newest state.
pub(super) async fn commit(store: &dyn EventStore, stage: &Stage, deadline: Instant) -> Outcome {
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
    let mut in_doubt = false;
    loop {
        let why = match attempt(store, stage).await {
            Ok(()) => return Outcome::Committed,
            // If it is our own event that took the place, the attempt whose answer was lost went through.
            Err(AppendError::Conflict { .. }) if in_doubt => match is_there(store, stage).await {
                Ok(true) => return Outcome::Committed,
                Ok(false) => return Outcome::Conflict,
                Err(error) => error.to_string(),
            },
            Err(AppendError::Conflict { .. }) => return Outcome::Conflict,
            Err(AppendError::Unknown(error)) => {
                in_doubt = true;
                error.to_string()
            }
            Err(AppendError::Unavailable(error)) if error.is_transient() => error.to_string(),
            // Trying again would not help: a right is missing, say.
            Err(error) if !in_doubt => return Outcome::Unavailable(error.to_string()),
            Err(error) => return Outcome::Unknown(error.to_string()),
        };
        let again = Instant::now() + backoff.next_delay();
        if again >= deadline {
            return if in_doubt {
                Outcome::Unknown(why)
            } else {
                Outcome::Unavailable(why)
            };
        }
        tracing::warn!(reason = %why, "the store did not take a commit; trying again");
        sleep_until(again).await;
    }
}

/// Appending the very same events again is harmless: their positions can be taken only once.
async fn attempt(store: &dyn EventStore, stage: &Stage) -> Result<(), AppendError> {
    match stage.events() {
        [] => match store.head().await.map_err(AppendError::Unavailable)? {
            head if head == stage.base() => Ok(()),
            head => Err(AppendError::Conflict { head }),
        },
        events => store.append(stage.base(), events).await,
    }
}

/// A group is appended whole or not at all, so its last event tells.
async fn is_there(store: &dyn EventStore, stage: &Stage) -> Result<bool, StoreError> {
    match stage.events().last() {
        Some(last) => store.committed(last).await,
        None => Ok(false),
    }
}
