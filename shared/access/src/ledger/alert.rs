//! Commands about alerts: one anomaly is one alert, whoever raises it.

use std::sync::Arc;

use super::{Handled, Refusal, check_text, not_found};
use crate::{
    alert::{
        Alert, HeldAlert, LONGEST_SILENCE, MAX_OPEN, MAX_SILENCES, destination::MAX_DESTINATIONS,
        own::MAX_RULES,
    },
    command::Command,
    credential::Credential,
    event::Event,
    id::{Id, Timestamp},
    snapshot::{Snapshot, Tenant},
};

/// The most audit ids that an alert names.
const AUDIT_LIMIT: usize = 20;

pub(super) fn handle(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp, command: Command) -> Handled {
    let open = |id: Id| {
        let held = tenant.alerts().find(id);
        held.ok_or_else(|| not_found("open alert", id))
    };
    match command {
        Command::RaiseAlert(alert) => {
            let about = alert.credential.map(|id| {
                let held = snapshot.credential(id).filter(|held| held.tenant == tenant.name);
                held.ok_or_else(|| not_found("credential", id))
            });
            raise(tenant, about.transpose()?.map(AsRef::as_ref), alert)
        }
        Command::AcknowledgeAlert { id, note } => {
            check_text(Some(&note), "note")?;
            Ok(match open(id)?.acknowledged {
                Some(_) => Vec::new(),
                None => vec![Event::AlertAcknowledged { id, note }],
            })
        }
        Command::SilenceAlert { id, until, reason } => silence(tenant, open(id)?, now, until, reason),
        Command::ResolveAlert { id, count, reason } => {
            check_text(Some(&reason), "reason")?;
            let position = open(id)?.position;
            Ok(vec![Event::AlertResolved {
                id,
                position,
                count,
                reason,
            }])
        }
        other => choose(tenant, other),
    }
}

/// Where alerts go, and by which rules of the tenant's own they are raised.
fn choose(tenant: &Tenant, command: Command) -> Handled {
    match command {
        Command::SetAlertDestination { name, destination } => {
            destination
                .check()
                .map_err(|invalid| Refusal::Invalid(invalid.to_string()))?;
            let held = &tenant.alerts().destinations;
            if !held.contains_key(&name) && held.len() >= MAX_DESTINATIONS {
                return Err(Refusal::NotNow(format!(
                    "there are {MAX_DESTINATIONS} destinations already; delete one first"
                )));
            }
            Ok(match held.get(&name) == Some(&*destination) {
                true => Vec::new(),
                false => vec![Event::AlertDestinationSet { name, destination }],
            })
        }
        Command::SetAlertRule { name, rule } => {
            rule.check()
                .map_err(|invalid| Refusal::Invalid(invalid.to_string()))?;
            let held = &tenant.alerts().rules;
            if !held.contains_key(&name) && held.len() >= MAX_RULES {
                return Err(Refusal::NotNow(format!(
                    "there are {MAX_RULES} rules already; delete one first"
                )));
            }
            Ok(match held.get(&name) == Some(&rule) {
                true => Vec::new(),
                false => vec![Event::AlertRuleSet { name, rule }],
            })
        }
        Command::DeleteAlertRule { name } => match tenant.alerts().rules.get(&name) {
            Some(_) => Ok(vec![Event::AlertRuleDeleted { name }]),
            None => Err(not_found("rule", name)),
        },
        Command::DeleteAlertDestination { name } => match tenant.alerts().destinations.get(&name) {
            Some(_) => Ok(vec![Event::AlertDestinationDeleted { name }]),
            None => Err(not_found("destination", name)),
        },
        _ => Err(Refusal::Invalid("not a command about an alert".to_owned())),
    }
}

/// A decoy tells its tale once, and an anomaly is told once while it is open, however many control planes hear of it.
fn raise(tenant: &Tenant, about: Option<&Credential>, alert: Alert) -> Handled {
    check_text(Some(&alert.summary), "summary")?;
    check_text(alert.subject.as_ref(), "subject")?;
    if alert.audit.len() > AUDIT_LIMIT {
        return Err(Refusal::Invalid(format!(
            "an alert names at most {AUDIT_LIMIT} audit records"
        )));
    }
    let decoy = about.and_then(|held| held.decoy.as_ref());
    let told = match &alert.subject {
        _ if decoy.is_some_and(|decoy| decoy.used.is_some()) => true,
        Some(subject) => {
            let alerts = tenant.alerts();
            alerts.about(&alert.kind, subject).is_some() || alerts.of_kind(&alert.kind) >= MAX_OPEN
        }
        None => false,
    };
    Ok(match told {
        true => Vec::new(),
        false => vec![Event::AlertRaised(alert)],
    })
}

fn silence(tenant: &Tenant, held: &HeldAlert, now: Timestamp, until: Timestamp, reason: Arc<str>) -> Handled {
    check_text(Some(&reason), "reason")?;
    if until > now.plus_seconds(LONGEST_SILENCE) {
        return Err(Refusal::Invalid(format!(
            "a silence lasts at most {} days; turn the rule off instead",
            LONGEST_SILENCE / 86_400
        )));
    }
    let lasting = tenant.alerts().silences.iter().filter(|one| one.until > now);
    if lasting.count() >= MAX_SILENCES {
        return Err(Refusal::NotNow(format!(
            "{MAX_SILENCES} silences last already; choose other limits for the rule instead"
        )));
    }
    Ok(vec![Event::AlertSilenced {
        id: held.id,
        kind: held.kind.clone(),
        subject: held.subject.clone(),
        until,
        reason,
    }])
}
