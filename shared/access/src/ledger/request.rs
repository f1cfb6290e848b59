//! Commands about access that is asked for.

use std::sync::Arc;

use super::{Handled, Refusal, account, check_text, exists, not_found, rights};
use crate::{
    command::Command,
    event::Event,
    grant::Grant,
    id::{Id, Name, Principal, Timestamp},
    request::{AccessRequest, DEFAULT_MAX_SECONDS, HeldRequest, MAX_OPEN, Outcome, WAITS_SECONDS},
    snapshot::Tenant,
};

pub(super) fn handle(tenant: &Tenant, now: Timestamp, command: Command) -> Handled {
    match command {
        Command::RequestAccess(request) => ask(tenant, now, request),
        Command::ApproveAccess { id, grant } => approve(tenant, now, id, grant),
        Command::RefuseAccess { id, role, reason } => {
            open(tenant, now, id, &role)?;
            check_text(Some(&reason), "reason")?;
            Ok(vec![Event::AccessRefused { id, reason }])
        }
        Command::WithdrawAccess { id, role } => {
            open(tenant, now, id, &role)?;
            Ok(vec![Event::AccessWithdrawn { id, reason: None }])
        }
        _ => Err(Refusal::Invalid(
            "not a command about requested access".to_owned(),
        )),
    }
}

fn ask(tenant: &Tenant, now: Timestamp, request: AccessRequest) -> Handled {
    if tenant.access_request(request.id).is_some() {
        return Err(exists("request", request.id));
    }
    let held = account(tenant, &request.principal)?;
    if held.account.profile.deactivated {
        return Err(deactivated(&request.principal));
    }
    tenant
        .role(request.role.as_str())
        .ok_or_else(|| not_found("role", &request.role))?;
    check_text(Some(&request.reason), "reason")?;
    if request.reason.trim().is_empty() {
        return Err(Refusal::Invalid("say what the access is for".to_owned()));
    }
    let most = max_seconds(tenant);
    if !(1..=most).contains(&request.seconds) {
        return Err(Refusal::Invalid(format!(
            "access can be asked for from 1 second to {}",
            crate::upkeep::duration(most)
        )));
    }
    if request.lapses > now.plus_seconds(WAITS_SECONDS) || request.lapses <= now {
        return Err(Refusal::Invalid(
            "a request waits for at most seven days".to_owned(),
        ));
    }
    let before = tenant.access_requests_of(&request.principal);
    if before.iter().filter(|one| one.is_open(now)).count() >= MAX_OPEN {
        return Err(Refusal::NotNow(format!(
            "{MAX_OPEN} requests are waiting already; withdraw one first"
        )));
    }
    // What was granted before and has expired goes, so that asking again and again leaves nothing behind.
    let ended = before.iter().filter_map(|one| expired_grant(tenant, one, now));
    let ended = ended.map(|id| Event::GrantDeleted { id });
    Ok(ended.chain([Event::AccessRequested(request)]).collect())
}

fn max_seconds(tenant: &Tenant) -> u32 {
    tenant
        .settings()
        .max_access_seconds
        .unwrap_or(DEFAULT_MAX_SECONDS)
}

fn expired_grant(tenant: &Tenant, held: &HeldRequest, now: Timestamp) -> Option<Id> {
    match held.decided.as_ref().map(|decided| &decided.outcome) {
        Some(Outcome::Approved { grant, expires }) if now >= *expires => tenant.grant(*grant).map(|_| *grant),
        _ => None,
    }
}

fn approve(tenant: &Tenant, now: Timestamp, id: Id, grant: Grant) -> Handled {
    let held = open(tenant, now, id, &grant.role)?;
    let request = &held.request;
    if account(tenant, &request.principal)?.account.profile.deactivated {
        return Err(deactivated(&request.principal));
    }
    let expires = grant
        .conditions
        .expires
        .ok_or_else(|| Refusal::Invalid("what is approved expires".to_owned()))?;
    // The tenant may have come to allow less since it was asked for.
    let most = request.seconds.min(max_seconds(tenant));
    if expires > now.plus_seconds(most.into()) {
        return Err(Refusal::Invalid(format!(
            "the access would last longer than {}",
            crate::upkeep::duration(most)
        )));
    }
    let asked = request.grant(grant.id, now, None);
    let same = Grant {
        conditions: crate::grant::Conditions {
            expires: asked.conditions.expires,
            ..grant.conditions.clone()
        },
        ..grant.clone()
    };
    if same != asked {
        return Err(Refusal::Invalid(
            "what is approved is what was asked for, for no longer".to_owned(),
        ));
    }
    let approved = Event::AccessApproved {
        id,
        grant: grant.id,
        expires,
    };
    let granted = rights::handle(tenant, now, Command::CreateGrant(grant))?;
    Ok([approved].into_iter().chain(granted).collect())
}

fn open<'t>(tenant: &'t Tenant, now: Timestamp, id: Id, role: &Name) -> Result<&'t HeldRequest, Refusal> {
    let held = tenant
        .access_request(id)
        .filter(|held| held.request.role == *role)
        .ok_or_else(|| not_found("request", id))?;
    match held.is_open(now) {
        true => Ok(held),
        false => Err(Refusal::NotNow(format!(
            "request {id} is {}; it can no longer be decided",
            held.status(now)
        ))),
    }
}

/// The open requests of an account that is deactivated or deleted are nobody's any more.
pub(super) fn orphaned(tenant: &Tenant, principal: &Principal, why: &str) -> Vec<Event> {
    let undecided = tenant
        .access_requests_of(principal)
        .iter()
        .filter(|held| held.decided.is_none());
    undecided
        .map(|held| Event::AccessWithdrawn {
            id: held.request.id,
            reason: Some(Arc::from(format!("{principal} was {why}"))),
        })
        .collect()
}

fn deactivated(principal: &Principal) -> Refusal {
    Refusal::NotNow(format!("{principal} is deactivated"))
}
