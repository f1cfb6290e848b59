//! Commands about roles and grants.

use super::{Handled, Refusal, account, change, check_selector, check_text, exists, in_use, not_found};
use crate::{
    command::Command,
    event::Event,
    grant::{Grant, Subject},
    id::{Name, Timestamp},
    role,
    snapshot::Tenant,
};

pub(super) fn handle(tenant: &Tenant, now: Timestamp, command: Command) -> Handled {
    match command {
        Command::CreateRole(role) => match tenant.role(role.name.as_str()) {
            Some(_) => Err(exists("role", role.name)),
            None => Ok(vec![Event::RoleCreated(checked_role(role)?)]),
        },
        Command::UpdateRole { from, to } => {
            let current = tenant
                .roles
                .get(&to.name)
                .ok_or_else(|| custom_role_missing(&to.name))?;
            let to = checked_role(to)?;
            change(current.as_ref(), &from, &to, || Event::RoleUpdated(to.clone()))
        }
        Command::DeleteRole { name } => delete_role(tenant, name),
        Command::CreateGrant(grant) => create_grant(tenant, now, grant),
        Command::UpdateGrant { from, to } => update_grant(tenant, now, &from, *to),
        Command::DeleteGrant { id } => match tenant.grant(id) {
            Some(_) => Ok(vec![Event::GrantDeleted { id }]),
            None => Err(not_found("grant", id)),
        },
        _ => Err(Refusal::Invalid("not a command about rights".to_owned())),
    }
}

fn create_grant(tenant: &Tenant, now: Timestamp, grant: Grant) -> Handled {
    if tenant.grant(grant.id).is_some() {
        return Err(exists("grant", grant.id));
    }
    check_grant(tenant, &grant)?;
    if grant.conditions.expires.is_some_and(|end| end <= now) {
        return Err(Refusal::Invalid("the grant's expiry is in the past".to_owned()));
    }
    Ok(vec![Event::GrantCreated(grant)])
}

/// One that has expired may be changed otherwise; none is changed into one that has.
fn update_grant(tenant: &Tenant, now: Timestamp, from: &Grant, to: Grant) -> Handled {
    let held = tenant.grant(to.id).ok_or_else(|| not_found("grant", to.id))?;
    check_grant(tenant, &to)?;
    let end = to.conditions.expires;
    if end.is_some_and(|end| end <= now) && end != held.grant.conditions.expires {
        return Err(Refusal::Invalid("the grant's expiry is in the past".to_owned()));
    }
    change(&held.grant, from, &to, || Event::GrantUpdated(to.clone()))
}

fn check_grant(tenant: &Tenant, grant: &Grant) -> Result<(), Refusal> {
    is_there(tenant, &grant.subject)?;
    match &grant.owner {
        Some(Subject::Group { .. }) => {
            return Err(Refusal::Invalid(
                "a grant's owner is a user, a virtual account or a team".to_owned(),
            ));
        }
        Some(owner) => is_there(tenant, owner)?,
        None => {}
    }
    let unsaid = grant
        .reason
        .as_ref()
        .is_none_or(|reason| reason.trim().is_empty());
    if tenant.settings().justified_grants && (unsaid || grant.owner.is_none()) {
        return Err(Refusal::Invalid(
            "the tenant wants to know of every grant what it is for and who answers for it: give a reason (--reason) and an \
             owner (--owner)"
                .to_owned(),
        ));
    }
    check_selector(&grant.selector)?;
    tenant
        .role(grant.role.as_str())
        .ok_or_else(|| not_found("role", &grant.role))?;
    check_text(grant.reason.as_ref(), "reason")
}

fn is_there(tenant: &Tenant, subject: &Subject) -> Result<(), Refusal> {
    match subject {
        Subject::Principal(principal) => account(tenant, principal).map(|_| ()),
        Subject::Team(name) => match tenant.team(name.as_str()) {
            Some(_) => Ok(()),
            None => Err(not_found("team", name)),
        },
        Subject::Group { .. } => Ok(()),
    }
}

fn delete_role(tenant: &Tenant, name: Name) -> Handled {
    tenant
        .roles
        .get(&name)
        .ok_or_else(|| custom_role_missing(&name))?;
    let users = tenant
        .grants()
        .into_iter()
        .filter(|held| held.grant.role == name)
        .map(|held| held.grant.id);
    in_use("role", &name, "grants", users)?;
    Ok(vec![Event::RoleDeleted { name }])
}

fn custom_role_missing(name: &Name) -> Refusal {
    match role::built_in(name.as_str()) {
        Some(_) => Refusal::NotNow(format!(
            "role {name} is built in and cannot be changed; create another"
        )),
        None => not_found("role", name),
    }
}

fn checked_role(role: role::Role) -> Result<role::Role, Refusal> {
    check_text(role.description.as_ref(), "description")?;
    if role.actions.is_empty() {
        return Err(Refusal::Invalid(
            "a role needs at least one action, such as inference.chat".to_owned(),
        ));
    }
    Ok(role)
}
