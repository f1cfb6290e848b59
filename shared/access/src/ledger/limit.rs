//! Commands about limits.

use super::{Handled, Refusal, change, exists, not_found};
use crate::{
    command::Command,
    event::Event,
    grant::Subject,
    id::Name,
    limit::{HeldLimit, Limit},
    snapshot::Tenant,
};

/// Every request of a caller looks through them.
const LIMITS: usize = 1000;

pub(super) fn handle(tenant: &Tenant, command: Command) -> Handled {
    match command {
        Command::CreateLimit(limit) => match find(tenant, &limit.name) {
            Ok(_) => Err(exists("limit", limit.name)),
            Err(_) if tenant.limits().len() >= LIMITS => {
                Err(Refusal::NotNow(format!("a tenant has at most {LIMITS} limits")))
            }
            Err(_) => {
                check(tenant, &limit)?;
                Ok(vec![Event::LimitCreated(limit)])
            }
        },
        Command::UpdateLimit { from, to } => {
            check(tenant, &to)?;
            let held = &find(tenant, &from.name)?.limit;
            change(held, &from, &to, || Event::LimitUpdated(to.clone()))
        }
        Command::DeleteLimit { name } => {
            find(tenant, &name)?;
            Ok(vec![Event::LimitDeleted { name }])
        }
        Command::SpendLimit { limit, until } => {
            let held = find(tenant, &limit.name)?;
            // It was raised meanwhile, or somebody else said so already.
            let known = held.limit != limit || held.spent_until == Some(until);
            Ok(match known {
                true => Vec::new(),
                false => vec![Event::LimitSpent {
                    name: limit.name,
                    until,
                }],
            })
        }
        _ => Err(Refusal::Invalid("not a command about limits".to_owned())),
    }
}

/// Limits of somebody who is deleted: whoever gets the name next has none.
pub(super) fn of<'t>(tenant: &'t Tenant, subject: &'t Subject) -> impl Iterator<Item = Event> + 't {
    let limits = tenant.limits().iter().map(|held| &held.limit);
    let theirs = limits.filter(move |limit| limit.subject.as_ref() == Some(subject));
    theirs.map(|limit| Event::LimitDeleted {
        name: limit.name.clone(),
    })
}

fn find<'t>(tenant: &'t Tenant, name: &Name) -> Result<&'t HeldLimit, Refusal> {
    let mut limits = tenant.limits().iter();
    limits
        .find(|held| held.limit.name == *name)
        .ok_or_else(|| not_found("limit", name))
}

fn check(tenant: &Tenant, limit: &Limit) -> Result<(), Refusal> {
    match &limit.subject {
        None => Ok(()),
        Some(Subject::Principal(principal)) => match tenant.account(principal) {
            Some(_) => Ok(()),
            None => Err(not_found(principal.kind(), principal.name())),
        },
        Some(Subject::Team(team)) => match tenant.team(team.as_str()) {
            Some(_) => Ok(()),
            None => Err(not_found("team", team)),
        },
        Some(Subject::Group { .. }) => Err(Refusal::Invalid(
            "a limit is of a user, a virtual account, a team, or the tenant: groups are known only while a token is".to_owned(),
        )),
    }
}
