//! The part of the fold that is about limits.

use std::sync::Arc;

use super::Missing;
use crate::{event::Event, id::Name, limit::HeldLimit, snapshot::Tenant};

impl Tenant {
    pub(super) fn apply_to_limits(&mut self, event: Event) -> Result<(), Missing> {
        match event {
            Event::LimitCreated(limit) => self.restore_limit(HeldLimit {
                limit,
                spent_until: None,
            }),
            // What was spent is counted anew against what it is now.
            Event::LimitUpdated(limit) => {
                let held = self.limit_mut(&limit.name)?;
                *held = HeldLimit {
                    limit,
                    spent_until: None,
                };
            }
            Event::LimitDeleted { name } => {
                self.limit_mut(&name)?;
                Arc::make_mut(&mut self.limits).retain(|held| held.limit.name != name);
            }
            Event::LimitSpent { name, until } => self.limit_mut(&name)?.spent_until = Some(until),
            _ => return Err(Missing("limit")),
        }
        Ok(())
    }

    pub(crate) fn restore_limit(&mut self, held: HeldLimit) {
        Arc::make_mut(&mut self.limits).push(held);
    }

    fn limit_mut(&mut self, name: &Name) -> Result<&mut HeldLimit, Missing> {
        let mut limits = Arc::make_mut(&mut self.limits).iter_mut();
        limits
            .find(|held| held.limit.name == *name)
            .ok_or(Missing("limit"))
    }
}
