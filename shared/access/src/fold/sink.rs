//! Where the audit is sent on to.

use std::sync::Arc;

use super::Missing;
use crate::{audit::sink::HeldSink, event::Event, log::Position, snapshot::Tenant};

impl Tenant {
    pub(super) fn apply_to_sinks(&mut self, position: Position, event: Event) -> Result<(), Missing> {
        let sinks = Arc::make_mut(&mut self.sinks);
        let set = position.get();
        match event {
            Event::AuditSinkSet { name, sink } => {
                let made = sinks.get(&name).map_or(set, |held| held.made);
                let sink = *sink;
                sinks.insert(name, HeldSink { sink, made, set });
            }
            Event::AuditSinkDeleted { name } => drop(sinks.remove(&name).ok_or(Missing("sink"))?),
            _ => return Err(Missing("sink")),
        }
        Ok(())
    }
}
