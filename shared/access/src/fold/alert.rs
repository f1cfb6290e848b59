//! What becomes of alerts. The state holds what is open and what is silenced, and forgets the rest.

use std::sync::Arc;

use super::Missing;
use crate::{
    alert::{HeldAlert, MAX_OPEN, Silence},
    event::Event,
    log::{Origin, Position},
    snapshot::Tenant,
};

impl Tenant {
    pub(super) fn apply_to_alerts(
        &mut self,
        origin: &Origin,
        position: Position,
        event: Event,
    ) -> Result<(), Missing> {
        let alerts = Arc::make_mut(&mut self.alerts);
        match event {
            Event::AlertRaised(alert) => {
                // Of what is like no other, or was raised before this was counted, the oldest makes room.
                if alerts.of_kind(&alert.kind) >= MAX_OPEN
                    && let Some(oldest) = alerts.open.iter().position(|held| held.kind == alert.kind)
                {
                    alerts.open.remove(oldest);
                }
                alerts.open.push(HeldAlert {
                    id: alert.id,
                    position: position.get(),
                    kind: alert.kind,
                    subject: alert.subject,
                    raised: origin.time,
                    acknowledged: None,
                });
            }
            // One that made room may still be acknowledged and resolved by those who read of it in the log.
            Event::AlertAcknowledged { id, note: _ } => {
                if let Some(held) = alerts.open.iter_mut().find(|held| held.id == id) {
                    held.acknowledged = Some((origin.actor.clone(), origin.time));
                }
            }
            Event::AlertSilenced {
                id: _,
                kind,
                subject,
                until,
                reason: _,
            } => {
                let alike = |one: &Silence| one.kind == kind && one.subject == subject;
                alerts
                    .silences
                    .retain(|one| one.until > origin.time && !alike(one));
                if until > origin.time {
                    alerts.silences.push(Silence { kind, subject, until });
                }
            }
            Event::AlertResolved { id, .. } => alerts.open.retain(|held| held.id != id),
            Event::AlertDestinationSet { name, destination } => {
                alerts.destinations.insert(name, *destination);
            }
            Event::AlertDestinationDeleted { name } => {
                alerts.destinations.remove(&name).ok_or(Missing("destination"))?;
            }
            Event::AlertRuleSet { name, rule } => {
                alerts.rules.insert(name, rule);
            }
            Event::AlertRuleDeleted { name } => {
                alerts.rules.remove(&name).ok_or(Missing("rule"))?;
            }
            _ => return Err(Missing("alert")),
        }
        Ok(())
    }
}
