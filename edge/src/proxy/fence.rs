//! The fence: a tenant that asked for it is not served by a state that may lack changes for too long.

use turnpike_access::{snapshot::Tenant, tenant::Staleness};

use super::{handle::unavailable, reject::Refusal, state::State};

/// What is about to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// Anything that the state says.
    Answer,
    /// A model that is still to be found.
    SomeModel,
    /// This model, `provider/name`.
    Model(&'a str),
}

/// Refuses where the edge may be further behind than the tenant accepts. It says nothing about the caller.
pub(super) fn check(state: &State, tenant: &Tenant, wanted: Wanted<'_>) -> Result<(), Refusal> {
    let staleness = &tenant.settings().staleness;
    let Some(most) = staleness.max_seconds else {
        return Ok(());
    };
    if state.current.freshness().within(most) || spared(staleness, wanted) {
        return Ok(());
    }
    Err(unavailable("fenced"))
}

fn spared(staleness: &Staleness, wanted: Wanted<'_>) -> bool {
    match wanted {
        Wanted::Answer => false,
        Wanted::SomeModel => !staleness.models.is_empty(),
        Wanted::Model(model) => staleness.spares(model),
    }
}
