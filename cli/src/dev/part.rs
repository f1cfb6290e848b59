//! Something that runs beside others until it is told to stop, or fails.

use std::{future::Future, time::Duration};

use turnpike_runtime::{shutdown::Shutdown, task::Tasks};

use super::progress::say;

/// A running part. Its own signal stops it alone, so that the parts can be stopped one after the other.
pub(super) struct Part {
    name: &'static str,
    shutdown: Shutdown,
    running: Tasks,
}

impl Part {
    /// Lets `work` run until it ends; `shutdown` is what tells it to.
    pub(super) fn run(
        name: &'static str,
        shutdown: Shutdown,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let running = Tasks::new(shutdown.clone());
        running.spawn_essential(name, work);
        Self {
            name,
            shutdown,
            running,
        }
    }

    /// Resolves when the part has failed, with its name and why.
    pub(super) async fn failed(&self) -> String {
        self.shutdown.cancelled().await;
        format!(
            "the {} stopped: {}",
            self.name,
            self.shutdown.reason().unwrap_or("it does not say why")
        )
    }

    /// Tells the part to stop, and waits for it.
    pub(super) async fn stop(self, bound: Duration) {
        self.shutdown.trigger("turnpike dev stops");
        if self.running.join(bound).await.is_err() {
            say(&format!(
                "the {} did not stop within {} s",
                self.name,
                bound.as_secs()
            ));
        }
    }
}
