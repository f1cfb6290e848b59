//! The writer task: takes requests in groups, commits them, and follows what other control planes commit.
//!
//! It is the only one that moves the projection, so that what readers see is always a prefix of the log.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use turnpike_access::fold::FoldError;
use turnpike_runtime::{clock, readiness::Condition};

use super::{
    ExecuteError, Executed, Executor, Request,
    commit::{Outcome, commit},
    recent::Recent,
    stage::Stage,
};
use crate::{
    projection::Projection,
    store::{EventStore, StoreError},
};

/// The most requests that share one commit.
const GROUP_LIMIT: usize = 256;
/// How long a group may wait for an absent store before its callers are told.
const PATIENCE: Duration = Duration::from_secs(5);
/// Events read at a time while catching up.
const READ_LIMIT: u32 = 1000;
/// The hint of the store only shortens this.
const POLL: Duration = Duration::from_secs(1);

/// Why the newest events could not be taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatchUpError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event that this build cannot take in: it stops before it, and never skips.
    #[error("this control plane stands still: {0}")]
    Halted(#[from] FoldError),
}

/// Carries out what [`Executor`]s ask for.
pub(crate) struct Writer {
    store: Arc<dyn EventStore>,
    projection: Arc<Projection>,
    waiting: mpsc::Receiver<Request>,
    recent: Recent,
}

impl Writer {
    /// A writer on top of a projection, and the executor that reaches it.
    pub(crate) fn new(store: Arc<dyn EventStore>, projection: Arc<Projection>) -> (Executor, Self) {
        let (executor, waiting) = Executor::new(projection.clone());
        let writer = Self {
            store,
            projection,
            waiting,
            recent: Recent::default(),
        };
        (executor, writer)
    }

    /// Runs until `stop`; what was waiting by then is still carried out. `condition` tells whether the log can be
    /// followed.
    pub(crate) async fn run(mut self, condition: Condition, stop: CancellationToken) {
        let mut hints = self.store.watch();
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut group = Vec::with_capacity(GROUP_LIMIT);
        // Before anything is asked for: what was made under which key is known from then on.
        self.follow(&condition).await;
        loop {
            tokio::select! {
                taken = self.waiting.recv_many(&mut group, GROUP_LIMIT) => match taken {
                    0 => break,
                    _ => self.carry_out(std::mem::take(&mut group)).await,
                },
                // What this writer itself has committed is told of as well.
                told = hints.changed() => if told.is_none_or(|at| at > self.projection.position()) {
                    self.follow(&condition).await;
                },
                _ = poll.tick() => self.follow(&condition).await,
                () = stop.cancelled(), if !self.waiting.is_closed() => self.waiting.close(),
            }
        }
    }

    /// One group, for tests that decide when the writer works.
    #[cfg(test)]
    pub(crate) async fn turn(&mut self) {
        let mut group = Vec::new();
        self.waiting.recv_many(&mut group, GROUP_LIMIT).await;
        self.carry_out(group).await;
    }

    /// Carries a group out and answers it. A lost race for the log is run again on the newer state.
    async fn carry_out(&mut self, mut group: Vec<Request>) {
        let deadline = Instant::now() + PATIENCE;
        // Whoever went away before the work began has not been told anything, and need not be served.
        group.retain(|request| !request.answer.is_closed());
        loop {
            let mut stage = Stage::on(&self.projection.snapshot());
            let (now, begun) = (clock::now(), Instant::now());
            let results: Vec<_> = group
                .iter()
                .map(|request| stage.take(request, &self.recent, now))
                .collect();
            match commit(self.store.as_ref(), &stage, deadline).await {
                Outcome::Committed => {
                    if !stage.events().is_empty() {
                        self.recent.follow(stage.events());
                        let (state, events) = stage.into_parts();
                        self.projection.publish(Arc::new(state), &events);
                    }
                    // It could follow only because nothing else had come by then.
                    self.projection.is_complete_as_of(begun);
                    return answer(group, results);
                }
                Outcome::Conflict => {
                    if let Err(failure) = self.catch_up_past(&stage, deadline).await {
                        let results = group.iter().map(|_| Err(failure.clone())).collect();
                        return answer(group, results);
                    }
                }
                Outcome::Unavailable(why) => {
                    let results = group.iter().map(|_| Err(unreachable(&why))).collect();
                    return answer(group, results);
                }
                Outcome::Unknown(why) => return answer(group, in_doubt(results, &why)),
            }
        }
    }

    /// Takes in what others committed; what cannot be taken in now is tried again at the next poll.
    async fn follow(&mut self, condition: &Condition) {
        match self.catch_up().await {
            Ok(()) => condition.ready(),
            Err(error) => condition.waiting(error.to_string()),
        }
    }

    /// After a conflict: takes in what came first, so that the group can be judged again.
    async fn catch_up_past(&mut self, stage: &Stage, deadline: Instant) -> Result<(), ExecuteError> {
        let failed = |error: CatchUpError| ExecuteError::Unavailable(error.to_string());
        self.catch_up().await.map_err(failed)?;
        if self.projection.position() <= stage.base().position {
            return Err(ExecuteError::Unavailable(
                "the event log is shorter than it was, as if an old backup had been restored".to_owned(),
            ));
        }
        if Instant::now() >= deadline {
            return Err(ExecuteError::Overloaded);
        }
        Ok(())
    }

    async fn catch_up(&mut self) -> Result<(), CatchUpError> {
        let position = self.projection.position();
        self.recent.look_back(self.store.as_ref(), position).await?;
        loop {
            let mut state = self.projection.snapshot().as_ref().clone();
            let asked = Instant::now();
            let events = self.store.read(state.position(), READ_LIMIT).await?;
            if events.is_empty() {
                self.projection.is_complete_as_of(asked);
                return Ok(());
            }
            let folded = events.iter().try_for_each(|event| state.fold(event));
            let taken = events.partition_point(|event| event.position <= state.position());
            let taken = events.get(..taken).unwrap_or_default();
            self.recent.follow(taken);
            // What could be folded is committed, whatever comes after it.
            self.projection.publish(Arc::new(state), taken);
            folded?;
        }
    }
}

fn unreachable(why: &str) -> ExecuteError {
    ExecuteError::Unavailable(format!("the database cannot be reached: {why}"))
}

/// What was refused has changed nothing, but may have been refused for what is itself in doubt.
fn in_doubt(results: Vec<Result<Executed, ExecuteError>>, why: &str) -> Vec<Result<Executed, ExecuteError>> {
    let doubt = |result: Result<Executed, ExecuteError>| match result {
        Ok(_) => Err(ExecuteError::OutcomeUnknown(why.to_owned())),
        Err(_) => Err(unreachable(why)),
    };
    results.into_iter().map(doubt).collect()
}

fn answer(group: Vec<Request>, results: Vec<Result<Executed, ExecuteError>>) {
    for (request, result) in group.into_iter().zip(results) {
        // A caller that went away meanwhile has nobody to tell.
        let _ = request.answer.send(result);
    }
}
