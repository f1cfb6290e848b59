//! A group of requests worked out in memory: what each leads to, and the events to commit for all of them.
//!
//! Nothing here is visible to anybody until it is committed; to give up a stage is to drop it.

use std::sync::Arc;

use turnpike_access::{
    command::Command,
    event::Event,
    id::Timestamp,
    ledger::{self, Refusal},
    log::{Head, Origin, Recorded},
    snapshot::Snapshot,
};

use super::{
    ExecuteError, Executed, Request, Work,
    judge::judge,
    recent::{Known, Recent},
};

/// Why a change under an idempotency key is not made yet.
const STARTING: &str = "the log is being looked through for idempotency keys; try again in a moment";

/// A group of requests on top of a committed state.
pub(super) struct Stage {
    base: Head,
    state: Snapshot,
    events: Vec<Recorded>,
}

impl Stage {
    /// An empty group on top of a committed state.
    pub(super) fn on(snapshot: &Snapshot) -> Self {
        Self {
            base: snapshot.head(),
            state: snapshot.clone(),
            events: Vec::new(),
        }
    }

    /// Where the log must end for the events to follow.
    pub(super) fn base(&self) -> Head {
        self.base
    }

    /// What is to be committed, in order.
    pub(super) fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// The state after the whole group, and what led to it.
    pub(super) fn into_parts(self) -> (Snapshot, Vec<Recorded>) {
        (self.state, self.events)
    }

    /// Adds a request: all of it, or on an error nothing.
    pub(super) fn take(
        &mut self,
        request: &Request,
        recent: &Recent,
        now: Timestamp,
    ) -> Result<Executed, ExecuteError> {
        if request.correlation.contains('\0') {
            // No database keeps it, and one such text would fail the whole group.
            return Err(Refusal::Invalid("the correlation id holds a NUL character".to_owned()).into());
        }
        let mut next = self.state.clone();
        let mut events = Vec::new();
        let commands = match &request.work {
            Work::Commands(commands) => commands.clone(),
            Work::Planned(planner) => planner(&next, now)?,
        };
        for command in commands {
            let actor = judge(&next, &request.authority, &request.tenant, &command, now)?;
            match recent.known(&request.tenant, &actor, &request.correlation, &self.events) {
                Known::New => {}
                Known::Made(position) => return Err(ExecuteError::AlreadyDone(position)),
                Known::NotYet => return Err(ExecuteError::Unavailable(STARTING.to_owned())),
            }
            let origin = Origin {
                time: now,
                tenant: request.tenant.clone(),
                actor: Arc::from(actor),
                correlation: request.correlation.clone(),
            };
            fold_command(&mut next, &mut events, &origin, command)?;
        }
        self.state = next.clone();
        self.events.append(&mut events);
        Ok(Executed {
            position: next.position(),
            snapshot: Arc::new(next),
        })
    }
}

/// What would not fold is refused before anybody else could have to fold it.
fn fold_command(
    state: &mut Snapshot,
    events: &mut Vec<Recorded>,
    origin: &Origin,
    command: Command,
) -> Result<(), ExecuteError> {
    for event in ledger::handle(state, &origin.tenant, origin.time, command)? {
        let recorded = record(state.head(), origin.clone(), &event)?;
        state
            .fold(&recorded)
            .map_err(|error| Refusal::Invalid(format!("the change cannot be applied: {error}")))?;
        events.push(recorded);
    }
    Ok(())
}

fn record(head: Head, origin: Origin, event: &Event) -> Result<Recorded, Refusal> {
    let encoded = event
        .encode()
        .map_err(|error| Refusal::Invalid(format!("the change cannot be written down: {error}")))?;
    Ok(Recorded::after(
        head,
        origin,
        encoded.kind,
        encoded.version,
        encoded.payload,
    ))
}
