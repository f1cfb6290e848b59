//! Commands about teams, users and virtual accounts.

use std::sync::Arc;

use super::{
    Handled, Refusal, account, change, check_tags, check_text, exists, in_use, is_revoked, limit, not_found,
    request,
};
use crate::{
    command::Command,
    event::Event,
    grant::Subject,
    id::{Id, Name, Principal},
    snapshot::{Snapshot, Tenant},
    tenant::AccountProfile,
};

pub(super) fn handle(snapshot: &Snapshot, tenant: &Tenant, command: Command) -> Handled {
    match command {
        Command::CreateTeam { name, profile } => match tenant.team(name.as_str()) {
            Some(_) => Err(exists("team", name)),
            None => {
                check_text(profile.description.as_ref(), "description")?;
                Ok(vec![Event::TeamCreated { name, profile }])
            }
        },
        Command::UpdateTeam { name, from, to } => {
            let held = tenant.team(name.as_str());
            let current = &held.ok_or_else(|| not_found("team", &name))?.team.profile;
            check_text(to.description.as_ref(), "description")?;
            change(current, &from, &to, || Event::TeamUpdated {
                name: name.clone(),
                profile: to.clone(),
            })
        }
        Command::DeleteTeam { name } => delete_team(tenant, name),
        Command::AddTeamMember { team, principal } => set_membership(tenant, team, principal, true),
        Command::RemoveTeamMember { team, principal } => set_membership(tenant, team, principal, false),
        Command::CreateAccount {
            principal,
            profile,
            teams,
        } => create_account(tenant, principal, profile, teams),
        Command::UpdateAccount { principal, from, to } => {
            let current = &account(tenant, &principal)?.account.profile;
            check_profile(&to)?;
            check_identity(tenant, &principal, &to)?;
            let mut events = change(current, &from, &to, || Event::AccountUpdated {
                principal: principal.clone(),
                profile: to.clone(),
            })?;
            if to.deactivated {
                events.extend(request::orphaned(tenant, &principal, "deactivated"));
            }
            Ok(events)
        }
        Command::DeleteAccount { principal } => delete_account(snapshot, tenant, principal),
        _ => Err(Refusal::Invalid("not a command about people".to_owned())),
    }
}

fn create_account(
    tenant: &Tenant,
    principal: Principal,
    profile: AccountProfile,
    teams: Vec<Name>,
) -> Handled {
    if tenant.account(&principal).is_some() {
        return Err(exists(principal.kind(), principal.name()));
    }
    if let Some(missing) = teams.iter().find(|team| tenant.team(team.as_str()).is_none()) {
        return Err(not_found("team", missing));
    }
    check_profile(&profile)?;
    check_identity(tenant, &principal, &profile)?;
    let joins = teams.into_iter().map(|team| Event::TeamMemberAdded {
        team,
        principal: principal.clone(),
    });
    Ok([Event::AccountCreated {
        principal: principal.clone(),
        profile,
    }]
    .into_iter()
    .chain(joins)
    .collect())
}

fn check_profile(profile: &AccountProfile) -> Result<(), Refusal> {
    check_text(profile.description.as_ref(), "description")?;
    check_text(profile.email.as_ref(), "email")?;
    for subject in &profile.subjects {
        check_text(Some(subject), "subject")?;
        if subject
            .split_once('/')
            .is_none_or(|(issuer, rest)| issuer.is_empty() || rest.is_empty())
        {
            return Err(Refusal::Invalid(format!(
                "{subject:?} is not a subject: write ISSUER/SUBJECT"
            )));
        }
    }
    if let Some(Subject::Group { .. }) = profile.owner.as_deref() {
        return Err(Refusal::Invalid(
            "an account's owner is a user, a virtual account or a team".to_owned(),
        ));
    }
    check_tags(&profile.tags)
}

/// An address or a subject that tokens are mapped by means one account.
fn check_identity(tenant: &Tenant, principal: &Principal, profile: &AccountProfile) -> Result<(), Refusal> {
    let of_other = |held: Option<&Principal>| held.is_some_and(|other| other != principal);
    let email = profile.email.as_ref().map(|email| email.to_lowercase());
    if matches!(principal, Principal::User(_))
        && of_other(email.as_deref().and_then(|email| tenant.by_email(email)))
    {
        return Err(Refusal::NotNow("another user has this e-mail address".to_owned()));
    }
    match profile
        .subjects
        .iter()
        .find(|subject| of_other(tenant.by_subject(subject)))
    {
        Some(subject) => Err(Refusal::NotNow(format!("another account is {subject} already"))),
        None => Ok(()),
    }
}

/// A team of the same name made later has neither its grants nor its fallback rules.
fn delete_team(tenant: &Tenant, name: Name) -> Handled {
    let held = tenant
        .team(name.as_str())
        .ok_or_else(|| not_found("team", &name))?;
    let rules = tenant
        .fallbacks()
        .iter()
        .filter(|rule| rule.teams.contains(&name))
        .map(|rule| rule.id);
    in_use("team", &name, "fallback rules", rules)?;
    let grants = held
        .grants
        .iter()
        .map(|held| Event::GrantDeleted { id: held.grant.id });
    let subject = Subject::Team(name.clone());
    Ok(grants
        .chain(limit::of(tenant, &subject))
        .chain([Event::TeamDeleted { name: name.clone() }])
        .collect())
}

fn set_membership(tenant: &Tenant, team: Name, principal: Principal, member: bool) -> Handled {
    tenant
        .team(team.as_str())
        .ok_or_else(|| not_found("team", &team))?;
    let is_member = account(tenant, &principal)?.account.teams.contains(&team);
    Ok(match (is_member, member) {
        (false, true) => vec![Event::TeamMemberAdded { team, principal }],
        (true, false) => vec![Event::TeamMemberRemoved { team, principal }],
        _ => Vec::new(),
    })
}

/// Whoever gets the name next inherits nothing.
fn delete_account(snapshot: &Snapshot, tenant: &Tenant, principal: Principal) -> Handled {
    let held = account(tenant, &principal)?;
    let alive = |id: &&Id| snapshot.credential(**id).is_some_and(|held| !is_revoked(held));
    let reason: Arc<str> = Arc::from(format!("{principal} was deleted"));
    let keys = held.account.credentials.iter().filter(alive);
    let revoked = keys.map(|id| Event::CredentialRevoked {
        id: *id,
        reason: reason.clone(),
    });
    let ungranted = held
        .grants
        .iter()
        .map(|held| Event::GrantDeleted { id: held.grant.id });
    let subject = Subject::Principal(principal.clone());
    Ok(revoked
        .chain(ungranted)
        .chain(limit::of(tenant, &subject))
        .chain(request::orphaned(tenant, &principal, "deleted"))
        .chain([Event::AccountDeleted {
            principal: principal.clone(),
        }])
        .collect())
}
