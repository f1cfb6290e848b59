//! Trying a plan out on a copy of the state, as the one write path would carry it out.

use std::sync::Arc;

use super::Step;
use crate::{
    event::Event,
    id::{Name, Timestamp},
    ledger::{self, Refusal},
    log::{Origin, Recorded},
    snapshot::Snapshot,
};

/// The steps that change something, with their events, and the state after them.
pub(super) fn rehearse(
    snapshot: &Snapshot,
    tenant: &Name,
    steps: Vec<Step>,
    now: Timestamp,
    actor: &Arc<str>,
) -> Result<(Vec<Step>, Snapshot), Refusal> {
    let origin = Origin {
        time: now,
        tenant: tenant.clone(),
        actor: actor.clone(),
        correlation: Arc::from("plan"),
    };
    let mut state = snapshot.clone();
    let mut kept = Vec::with_capacity(steps.len());
    for mut step in steps {
        let name = step.to_string();
        let impossible = |why: String| Refusal::NotNow(format!("{name}: {why}"));
        step.events = ledger::handle(&state, tenant, now, step.command.clone())
            .map_err(|refusal| impossible(refusal.to_string()))?;
        for event in &step.events {
            fold(&mut state, &origin, event).map_err(impossible)?;
        }
        if !step.events.is_empty() {
            kept.push(step);
        }
    }
    Ok((kept, state))
}

fn fold(state: &mut Snapshot, origin: &Origin, event: &Event) -> Result<(), String> {
    let encoded = event.encode().map_err(|error| error.to_string())?;
    let recorded = Recorded::after(
        state.head(),
        origin.clone(),
        encoded.kind,
        encoded.version,
        encoded.payload,
    );
    state.fold(&recorded).map_err(|error| error.to_string())
}
