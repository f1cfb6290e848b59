//! The one signal that the process is to end, and what sends it.
//!
//! It only says so: joining the tasks is [`crate::task`], the order of things is each binary's own.

use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Clonable; every clone hears the same signal.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl Shutdown {
    /// Not yet shutting down.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown that SIGINT and SIGTERM trigger. A second signal ends the process at once, with status 130.
    ///
    /// # Errors
    /// When the operating system refuses to have the signals handled.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let heard = shutdown.clone();
        crate::task::detach("signals", async move {
            loop {
                let name = tokio::select! {
                    _ = interrupt.recv() => "SIGINT",
                    _ = terminate.recv() => "SIGTERM",
                };
                if heard.is_triggered() {
                    std::process::exit(130);
                }
                heard.trigger(name);
            }
        });
        Ok(shutdown)
    }

    /// Starts the shutdown. The first reason given is the one that is kept and logged.
    pub fn trigger(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.reason.set(reason.clone()).is_ok() {
            tracing::info!(reason, "shutting down");
        }
        self.token.cancel();
    }

    /// Ends when the shutdown starts; at once when it has.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Whether the shutdown has started.
    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Why, once it has started.
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// For libraries that want a token.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_it_and_the_first_reason_stays() {
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        assert!(!other.is_triggered());
        shutdown.trigger("first");
        shutdown.trigger("second");
        other.cancelled().await;
        assert_eq!(other.reason(), Some("first"));
    }
}
