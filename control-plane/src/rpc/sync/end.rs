//! Where the log ends, for edges that ask: one question to the store for all who wait.
//!
//! An edge is told nothing older than its own question. A question that began after an edge came answers that edge as well, so
//! that very many who come at once cost as many questions as fit one after the other, and leave the store to those who write.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Mutex, time::timeout};
use tonic::Status;
use turnpike_access::log::Head;

use crate::{rpc::wire::unavailable, store::EventStore};

/// How long an edge waits for the answer before it is told to ask again, or somebody else.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells where the log ends.
pub(super) struct LogEnd {
    store: Arc<dyn EventStore>,
    answers: Answers,
}

/// The last answer, and when its question began. Who holds the lock is asking.
#[derive(Default)]
struct Answers(Mutex<Option<(Instant, Head)>>);

impl LogEnd {
    pub(super) fn of(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            answers: Answers::default(),
        }
    }

    /// All that was committed before this was called lies before it.
    ///
    /// # Errors
    /// The store does not answer: another control plane may do better.
    pub(super) async fn now(&self) -> Result<Head, Status> {
        let question = async || self.store.head().await.map_err(unavailable);
        timeout(PATIENCE, self.answers.now(question))
            .await
            .unwrap_or_else(|_| {
                Err(Status::unavailable(
                    "the database does not answer in time; ask again",
                ))
            })
    }
}

impl Answers {
    /// An answer to a question that began after this was called, whoever asked it.
    async fn now(&self, question: impl AsyncFnOnce() -> Result<Head, Status>) -> Result<Head, Status> {
        let called = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((_, head)) = last.filter(|(began, _)| *began > called) {
            return Ok(head);
        }
        let began = Instant::now();
        let head = question().await?;
        *last = Some((began, head));
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use futures::future::join_all;
    use turnpike_access::log::Position;

    use super::*;

    /// A log that grows, which is asked for its end across a slow network.
    #[derive(Default)]
    struct Log {
        end: AtomicU64,
        questions: AtomicU64,
    }

    impl Log {
        async fn head(&self) -> Result<Head, Status> {
            self.questions.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            let position = Position::new(self.end.load(SeqCst));
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Head {
                position,
                ..Head::default()
            })
        }

        /// Something is committed, and then somebody asks.
        async fn commit_and_ask(&self, answers: &Answers, later: u64) {
            tokio::time::sleep(Duration::from_micros(later * 10)).await;
            let committed = Position::new(self.end.fetch_add(1, SeqCst) + 1);
            let told = answers.now(async || self.head().await).await.unwrap().position;
            assert!(told >= committed, "told of {told} after {committed}");
        }
    }

    #[tokio::test]
    async fn a_thousand_who_ask_at_once_share_questions_and_none_is_told_of_less_than_was_committed_before() {
        let (log, answers) = (Log::default(), Answers::default());
        join_all((0..1000).map(|number| log.commit_and_ask(&answers, number))).await;
        let questions = log.questions.load(SeqCst);
        assert!(questions < 100, "{questions} questions");
    }

    #[tokio::test]
    async fn what_could_not_be_answered_is_asked_again_by_the_next() {
        let answers = Answers::default();
        let failed = answers.now(async || Err(Status::unavailable("gone"))).await;
        assert!(failed.is_err());
        assert!(answers.now(async || Ok(Head::default())).await.is_ok());
    }
}
