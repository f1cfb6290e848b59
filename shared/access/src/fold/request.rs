//! Access that is asked for, and what becomes of it.

use std::sync::Arc;

use super::Missing;
use crate::{
    event::Event,
    id::{Id, Principal},
    log::Origin,
    request::{AccessRequest, Decided, HeldRequest, MAX_HELD, Outcome},
    snapshot::Tenant,
};

impl Tenant {
    pub(super) fn apply_to_requests(&mut self, origin: &Origin, event: Event) -> Result<(), Missing> {
        let (id, outcome, reason) = match event {
            Event::AccessRequested(request) => return self.ask(origin, request),
            Event::AccessApproved { id, grant, expires } => (id, Outcome::Approved { grant, expires }, None),
            Event::AccessRefused { id, reason } => (id, Outcome::Refused, Some(reason)),
            Event::AccessWithdrawn { id, reason } => (id, Outcome::Withdrawn, reason),
            _ => return Err(Missing("request")),
        };
        self.decide_request(
            id,
            Decided {
                outcome,
                time: origin.time,
                by: origin.actor.clone(),
                reason,
            },
        )
    }

    /// The oldest that nobody waits for make room: decided ones and those that lapsed.
    fn ask(&mut self, origin: &Origin, request: AccessRequest) -> Result<(), Missing> {
        self.account(&request.principal).ok_or(Missing("account"))?;
        let held = self.access_requests.get_or_default(request.principal.clone());
        let held = held.map(Arc::make_mut).ok_or(Missing("account"))?;
        while held.len() >= MAX_HELD {
            let Some(place) = held.iter().position(|one| !one.is_open(origin.time)) else {
                break;
            };
            held.remove(place);
        }
        held.push(HeldRequest {
            request,
            asked: origin.time,
            decided: None,
        });
        Ok(())
    }

    fn decide_request(&mut self, id: Id, decided: Decided) -> Result<(), Missing> {
        let found = self.access_request(id).ok_or(Missing("request"))?;
        let principal: Principal = found.request.principal.clone();
        let of = self.access_requests.get_mut(&principal).map(Arc::make_mut);
        let mut of = of.into_iter().flatten();
        let held = of.find(|held| held.request.id == id).ok_or(Missing("request"))?;
        held.decided = Some(decided);
        Ok(())
    }

    /// For [`crate::codec`]: a request as it was held, after those before it.
    pub(crate) fn restore_request(&mut self, held: HeldRequest) -> Result<(), Missing> {
        self.account(&held.request.principal).ok_or(Missing("account"))?;
        let of = self
            .access_requests
            .get_or_default(held.request.principal.clone());
        of.map(Arc::make_mut).ok_or(Missing("account"))?.push(held);
        Ok(())
    }
}
