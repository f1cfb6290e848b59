//! Commands about where the audit is sent on to.

use super::{Handled, Refusal, not_found};
use crate::{audit::sink::MAX_SINKS, command::Command, event::Event, snapshot::Tenant};

pub(super) fn handle(tenant: &Tenant, command: Command) -> Handled {
    let held = tenant.sinks();
    match command {
        Command::SetAuditSink { name, sink } => {
            sink.check()
                .map_err(|invalid| Refusal::Invalid(invalid.to_string()))?;
            if !held.contains_key(&name) && held.len() >= MAX_SINKS {
                return Err(Refusal::NotNow(format!(
                    "there are {MAX_SINKS} sinks already; delete one first"
                )));
            }
            Ok(match held.get(&name).is_some_and(|held| held.sink == *sink) {
                true => Vec::new(),
                false => vec![Event::AuditSinkSet { name, sink }],
            })
        }
        Command::DeleteAuditSink { name } => match held.contains_key(&name) {
            true => Ok(vec![Event::AuditSinkDeleted { name }]),
            false => Err(not_found("sink", name)),
        },
        _ => Err(Refusal::Invalid("not a command about a sink".to_owned())),
    }
}
