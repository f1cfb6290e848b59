//! Tasks: each has a name, is watched, and is joined before the process ends.
//!
//! The only place that starts tasks, so that none is forgotten and no panic goes unheard.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::shutdown::Shutdown;

/// The tasks of a process, or of one part of it. Clonable; clones share the tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    shutdown: Shutdown,
    tracker: TaskTracker,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// Tasks that had not ended by the deadline, by name, with how many of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("still running at the deadline: {0:?}")]
pub struct Unfinished(pub Vec<(&'static str, usize)>);

impl Tasks {
    /// No tasks yet. They end when `shutdown` starts, each by watching it.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            tracker: TaskTracker::new(),
            running: Arc::default(),
        }
    }

    /// The signal that the tasks are to watch.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Starts a task. Cheap enough for one for each connection. A panic is logged and ends this task alone.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let entry = Running::enter(&self.running, name);
        self.start(async move {
            let _entry = entry;
            watched(name, future).await;
        });
    }

    /// Starts a task without which the process is no use: if it ends before the shutdown, by a panic or
    /// otherwise, the shutdown starts.
    pub fn spawn_essential(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let entry = Running::enter(&self.running, name);
        let shutdown = self.shutdown.clone();
        self.start(async move {
            let _entry = entry;
            let how = if watched(name, future).await {
                "ended"
            } else {
                "panicked"
            };
            if !shutdown.is_triggered() {
                shutdown.trigger(format!("essential task {name} {how}"));
            }
        });
    }

    /// Runs work that blocks on a thread where it may, and gives its result, or none if it panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let entry = Running::enter(&self.running, name);
        let done = self.tracker.spawn_blocking(move || {
            let _entry = entry;
            work()
        });
        match done.await {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::error!(task = name, %error, "blocking work panicked");
                None
            }
        }
    }

    /// Waits until all tasks have ended.
    ///
    /// # Errors
    /// The names of those still running at the deadline; they are not stopped.
    pub async fn join(&self, deadline: Duration) -> Result<(), Unfinished> {
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        Err(Unfinished(
            running.iter().map(|(name, count)| (*name, *count)).collect(),
        ))
    }

    fn start(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.tracker.spawn(future.in_current_span()));
    }
}

/// For what lives as long as the process, and would never let it be joined.
pub(crate) fn detach(name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
    #[expect(clippy::disallowed_methods, reason = "this module is where tasks are started")]
    drop(tokio::spawn(async move {
        watched(name, future).await;
    }));
}

/// Runs a future to its end; false when it panicked.
async fn watched(name: &'static str, future: impl Future<Output = ()>) -> bool {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(()) => true,
        Err(panic) => {
            tracing::error!(task = name, panic = said(panic.as_ref()), "task panicked");
            false
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Counts a task under its name for as long as it lives, also when it is dropped half-way.
#[derive(Debug)]
struct Running {
    all: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    name: &'static str,
}

impl Running {
    fn enter(all: &Arc<Mutex<BTreeMap<&'static str, usize>>>, name: &'static str) -> Self {
        *all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name)
            .or_default() += 1;
        Self {
            all: Arc::clone(all),
            name,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                all.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_panic_ends_its_own_task_alone() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("bad", async { panic!("on purpose") });
        tasks.spawn("good", async {});
        tasks.join(SOON).await.unwrap();
        assert!(!tasks.shutdown().is_triggered());
    }

    #[tokio::test]
    async fn a_panic_in_an_essential_task_starts_the_shutdown() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn_essential("relay", async { panic!("on purpose") });
        tasks.shutdown().cancelled().await;
        assert_eq!(tasks.shutdown().reason(), Some("essential task relay panicked"));
        tasks.join(SOON).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_do_not_end_are_named() {
        let tasks = Tasks::new(Shutdown::new());
        for _ in 0..2 {
            tasks.spawn("stubborn", std::future::pending());
        }
        let polite = tasks.shutdown().clone();
        tasks.spawn("polite", async move { polite.cancelled().await });
        tasks.shutdown().trigger("test");
        let unfinished = tasks.join(SOON).await.unwrap_err();
        assert_eq!(unfinished, Unfinished(vec![("stubborn", 2)]));
    }

    #[tokio::test]
    async fn blocking_work_gives_its_result_and_survives_a_panic() {
        let tasks = Tasks::new(Shutdown::new());
        assert_eq!(tasks.blocking("sum", || 1 + 1).await, Some(2));
        assert_eq!(tasks.blocking::<()>("bad", || panic!("on purpose")).await, None);
    }
}
