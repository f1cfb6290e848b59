//! The part of the fold that is about edges.

use super::Missing;
use crate::{
    edge::{Duty, EdgeRecord, Enrolment},
    event::Event,
    id::Name,
    snapshot::Snapshot,
};

impl Snapshot {
    pub(super) fn apply_to_edges(&mut self, event: Event) -> Result<(), Missing> {
        match event {
            Event::EdgeInvited { edge, invitation } => {
                let mut record = self.record_of(edge);
                record.invitation = Some(invitation);
                self.edges.put(record);
            }
            Event::EdgeEnrolled {
                edge,
                invitation,
                key,
            } => {
                let mut record = self.record_of(edge);
                let taken = record.invitation.take_if(|open| open.id == invitation);
                record.enrolment = Some(Enrolment {
                    invitation: taken.ok_or(Missing("invitation"))?,
                    key,
                });
                if record.duty == Duty::Revoked {
                    record.duty = Duty::Serve;
                }
                self.edges.put(record);
            }
            Event::EdgeRevoked { edge, reason: _ } => {
                let mut record = self.record_of(edge);
                // Its key stays known as that of an edge that was sent away.
                record.invitation = None;
                record.duty = Duty::Revoked;
                self.edges.put(record);
            }
            Event::EdgeDrained { edge } => self.set_duty(edge, Duty::Drain),
            Event::EdgeResumed { edge } => self.set_duty(edge, Duty::Serve),
            Event::EdgeForgotten { edge } => drop(self.edges.remove(&edge)),
            _ => return Err(Missing("edge")),
        }
        Ok(())
    }

    fn set_duty(&mut self, edge: Name, duty: Duty) {
        let mut record = self.record_of(edge);
        record.duty = duty;
        self.edges.put(record);
    }

    fn record_of(&self, edge: Name) -> EdgeRecord {
        let held = self.edges.get(edge.as_str()).cloned();
        held.unwrap_or_else(|| EdgeRecord::new(edge))
    }
}
