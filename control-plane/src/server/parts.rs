//! The tasks of a control plane, in the groups in which they end.

use std::time::Duration;

use turnpike_runtime::{shutdown::Shutdown, task::Tasks};

/// How long calls that are being answered may take once the control plane stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long each part behind the listeners may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tasks, in the order in which they are told to end.
pub(super) struct Parts {
    /// The gRPC listener and the streams on it.
    pub(super) serving: Tasks,
    /// The writer.
    pub(super) writing: Tasks,
    /// What passes on what was written: relay, edges' reports, saved folds.
    pub(super) passing_on: Tasks,
    /// The operations listener, last, so that an operator can watch the rest end.
    pub(super) operations: Tasks,
}

impl Parts {
    pub(super) fn new() -> Self {
        let part = || Tasks::new(Shutdown::new());
        Self {
            serving: part(),
            writing: part(),
            passing_on: part(),
            operations: part(),
        }
    }

    /// Ends when a part has ended that the process cannot be without, and says why.
    pub(super) async fn failed(&self) -> String {
        let Self {
            serving,
            writing,
            passing_on,
            operations,
        } = self;
        let ended = tokio::select! {
            () = serving.shutdown().cancelled() => serving,
            () = writing.shutdown().cancelled() => writing,
            () = passing_on.shutdown().cancelled() => passing_on,
            () = operations.shutdown().cancelled() => operations,
        };
        ended.shutdown().reason().unwrap_or_default().to_owned()
    }

    /// Ends part after part, so that whatever was answered is also passed on.
    pub(super) async fn end(self) {
        // No new calls; those under way are answered; the streams of edges end.
        end("gRPC", &self.serving, DRAIN).await;
        // What was asked for is committed, and then nothing more.
        end("the writer", &self.writing, PATIENCE).await;
        // What was committed is told, and the fold is saved for a quick start.
        end("what passes changes on", &self.passing_on, PATIENCE).await;
        end("the operations listener", &self.operations, DRAIN).await;
    }
}

async fn end(part: &'static str, tasks: &Tasks, patience: Duration) {
    tasks.shutdown().trigger(format!("stopping {part}"));
    if let Err(unfinished) = tasks.join(patience).await {
        tracing::warn!(part, %unfinished, "did not end in time; going on without");
    }
}
