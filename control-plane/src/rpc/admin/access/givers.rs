//! The events that gave what there is, remembered by tenant: a page of a list reads what is new in the log, not all of it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Mutex as Turn;
use turnpike_access::{
    effective::{Givers, Row},
    id::Name,
    log::Position,
};

use crate::store::{EventStore, StoreError};

#[cfg(test)]
mod tests;

/// Events read at a time.
const READ_LIMIT: u32 = 5_000;
/// Events that are remembered of all tenants together, some hundred bytes each; those of who asked longest ago are
/// forgotten. Of a tenant that has more, nothing is remembered: each page of its lists reads them.
const REMEMBERED: usize = 500_000;

/// What is remembered of the log, for those who ask since when somebody has what it has.
pub(in super::super) struct KnownGivers {
    events: Arc<dyn EventStore>,
    limit: usize,
    /// Who asked last comes first.
    recent: Mutex<VecDeque<Recent>>,
}

struct Recent {
    tenant: Name,
    /// How many events of it are remembered.
    size: usize,
    known: Arc<Turn<Known>>,
}

#[derive(Default)]
struct Known {
    givers: Givers,
    /// Up to here the log was read.
    through: Position,
    too_many: bool,
}

impl KnownGivers {
    /// Nothing remembered yet.
    pub(in super::super) fn new(events: Arc<dyn EventStore>) -> Self {
        Self {
            events,
            limit: REMEMBERED,
            recent: Mutex::default(),
        }
    }

    /// Looks at a tenant's events as of a position, as far as they gave what is in these rows. Who asks about the same
    /// tenant waits until the log is read for the one before.
    pub(super) async fn look<T>(
        &self,
        tenant: &Name,
        until: Position,
        rows: &[Row<'_, '_>],
        look: impl FnOnce(&Givers) -> T,
    ) -> Result<T, StoreError> {
        let known = self.of(tenant);
        let mut held = known.lock().await;
        while !held.too_many && held.through < until {
            held.through = self.read(tenant, (held.through, until), &mut held.givers).await?;
            if held.givers.kept() > self.limit {
                held.givers = Givers::default();
                held.too_many = true;
            }
        }
        if !held.too_many {
            let answer = look(&held.givers);
            self.forget_beyond(tenant, held.givers.kept());
            return Ok(answer);
        }
        drop(held);
        let (mut givers, mut through) = (Givers::of(rows), Position::ZERO);
        while through < until {
            through = self.read(tenant, (through, until), &mut givers).await?;
        }
        Ok(look(&givers))
    }

    /// Reads on in a tenant's log, and says how far: to `until` at least where nothing more came before it.
    async fn read(
        &self,
        tenant: &Name,
        (through, until): (Position, Position),
        givers: &mut Givers,
    ) -> Result<Position, StoreError> {
        let kinds = &Givers::KINDS;
        let found = self.events.of_kinds(tenant, kinds, through, READ_LIMIT).await?;
        found.iter().for_each(|event| givers.see(event));
        let last = found.last().map_or(until, |event| event.position);
        let whole = found.len() < usize::try_from(READ_LIMIT).unwrap_or(usize::MAX);
        Ok(if whole { last.max(until) } else { last })
    }

    /// What is known of a tenant, which has asked last now.
    fn of(&self, tenant: &Name) -> Arc<Turn<Known>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let place = recent.iter().position(|one| one.tenant == *tenant);
        let one = place.and_then(|place| recent.remove(place));
        let one = one.unwrap_or_else(|| Recent {
            tenant: tenant.clone(),
            size: 0,
            known: Arc::default(),
        });
        let known = one.known.clone();
        recent.push_front(one);
        known
    }

    /// Notes how much is remembered of a tenant, and forgets of others what is too much together.
    fn forget_beyond(&self, tenant: &Name, size: usize) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = recent.iter_mut().find(|one| one.tenant == *tenant) {
            one.size = size;
        }
        let mut all = 0;
        recent.retain(|one| {
            // What is remembered for nothing takes up room too.
            all += one.size.max(1);
            one.tenant == *tenant || all <= self.limit
        });
    }
}
