//! Commands about credentials, and what the tenant's policy permits when one is made.

use std::sync::Arc;

use super::{Handled, Refusal, account, check_text, exists, is_revoked, not_found};
use crate::{
    command::{Command, Holders},
    credential::{Credential, CredentialStatus, Scope},
    event::Event,
    id::{Id, Timestamp},
    snapshot::{HeldAccount, Snapshot, Tenant},
    tenant::CredentialPolicy,
    upkeep::duration,
};

pub(super) fn handle(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp, command: Command) -> Handled {
    let find = |id: Id| {
        let held = snapshot.credential(id).filter(|held| held.tenant == tenant.name);
        held.ok_or_else(|| not_found("credential", id))
    };
    match command {
        Command::IssueCredential(credential) => issue(snapshot, tenant, now, credential),
        Command::RotateCredential {
            id,
            digest,
            previous_until,
            since,
            reason,
        } => {
            living(find(id)?, since, &reason)?;
            Ok(vec![Event::CredentialRotated {
                id,
                digest,
                previous_until,
                reason,
            }])
        }
        Command::SuspendCredential { id, reason } => suspend(find(id)?, reason),
        Command::ResumeCredential { id, reason } => match living(find(id)?, None, &reason)?.status {
            CredentialStatus::Suspended => Ok(vec![Event::CredentialResumed { id, reason }]),
            _ => Ok(Vec::new()),
        },
        Command::RevokeCredential { id, reason } => {
            check_text(Some(&reason), "reason")?;
            Ok(revocations(std::iter::once(find(id)?.as_ref()), &reason))
        }
        Command::RevokeCredentials { of, reason } => revoke_all(snapshot, tenant, &of, &reason),
        Command::NarrowCredential {
            id,
            scope,
            expires,
            reason,
        } => narrow(living(find(id)?, None, &reason)?, scope, expires, reason),
        Command::WarnOfCredential { id, warning, due } => {
            let held = find(id)?;
            let needed = !is_revoked(held) && !held.warnings.contains(&warning);
            let warned = needed.then_some(Event::CredentialWarned { id, warning, due });
            Ok(warned.into_iter().collect())
        }
        Command::HandOverCredential { id, by, since } => {
            match living(find(id)?, Some(since), &Arc::default())?.handed_over {
                true => Err(Refusal::Changed),
                false => Ok(vec![Event::CredentialHandedOver { id, by }]),
            }
        }
        _ => Err(Refusal::Invalid("not a command about a credential".to_owned())),
    }
}

fn dead() -> Refusal {
    Refusal::NotNow("the credential is revoked, and stays so; create another".to_owned())
}

/// A credential that is not revoked, and has the secret still that it got then; and that a reason can be written down.
fn living<'h>(
    held: &'h Credential,
    since: Option<Timestamp>,
    reason: &Arc<str>,
) -> Result<&'h Credential, Refusal> {
    check_text(Some(reason), "reason")?;
    if is_revoked(held) {
        return Err(dead());
    }
    match since.is_some_and(|since| since != held.secret_since()) {
        true => Err(Refusal::Changed),
        false => Ok(held),
    }
}

fn suspend(held: &Credential, reason: Arc<str>) -> Handled {
    match &held.status {
        CredentialStatus::Revoked { .. } => Err(dead()),
        CredentialStatus::Suspended => Ok(Vec::new()),
        CredentialStatus::Active => {
            check_text(Some(&reason), "reason")?;
            let id = held.id;
            Ok(vec![Event::CredentialSuspended { id, reason }])
        }
    }
}

fn issue(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp, credential: Credential) -> Handled {
    if snapshot.credential(credential.id).is_some() {
        return Err(exists("credential", credential.id));
    }
    if credential.tenant != tenant.name {
        return Err(Refusal::Invalid("the credential is of another tenant".to_owned()));
    }
    let owner = account(tenant, &credential.owner)?;
    check_text(credential.label.as_ref(), "label")?;
    check_text(credential.reason.as_ref(), "reason")?;
    if credential.expires.is_some_and(|end| end <= now) {
        return Err(Refusal::Invalid("the expiry is in the past".to_owned()));
    }
    // The policy bounds what opens something; a decoy lies and waits for as long as it takes.
    if credential.decoy.is_none() {
        permitted(&tenant.settings.credentials, snapshot, owner, now, &credential)?;
    }
    Ok(vec![Event::CredentialIssued(credential)])
}

/// What the tenant's policy says of a new credential.
fn permitted(
    policy: &CredentialPolicy,
    snapshot: &Snapshot,
    owner: &HeldAccount,
    now: Timestamp,
    credential: &Credential,
) -> Result<(), Refusal> {
    let invalid = |text: String| Err(Refusal::Invalid(text));
    if policy.expiry_required && credential.expires.is_none() {
        return invalid("the tenant's policy demands an expiry".to_owned());
    }
    if let (Some(life), Some(end)) = (policy.max_lifetime_seconds, credential.expires)
        && end > now.plus_seconds(life.into())
    {
        return invalid(format!(
            "the tenant's policy permits a lifetime of at most {}",
            duration(life)
        ));
    }
    let live = live_of(snapshot, owner)
        .filter(|held| held.decoy.is_none() && held.end(policy).is_none_or(|end| now < end))
        .count();
    match policy.max_live {
        Some(most) if live >= usize::try_from(most).unwrap_or(usize::MAX) => Err(Refusal::NotNow(format!(
            "{} has {live} live credentials, and the tenant's policy permits {most}; revoke one first",
            credential.owner
        ))),
        _ => Ok(()),
    }
}

fn live_of<'s>(snapshot: &'s Snapshot, owner: &'s HeldAccount) -> impl Iterator<Item = &'s Credential> {
    let ids = owner.account.credentials.iter();
    ids.filter_map(|id| snapshot.credential(*id))
        .map(AsRef::as_ref)
        .filter(|held| !is_revoked(held))
}

fn revoke_all(snapshot: &Snapshot, tenant: &Tenant, of: &Holders, reason: &Arc<str>) -> Handled {
    check_text(Some(reason), "reason")?;
    match of {
        Holders::Principal(principal) => drop(account(tenant, principal)?),
        Holders::Team(team) => drop(
            tenant
                .team(team.as_str())
                .ok_or_else(|| not_found("team", team))?,
        ),
        Holders::Tenant => {}
    }
    let accounts = tenant.accounts().into_iter();
    let theirs = accounts.filter(|held| of.include(&held.account));
    Ok(revocations(
        theirs.flat_map(|held| live_of(snapshot, held)),
        reason,
    ))
}

fn revocations<'s>(credentials: impl Iterator<Item = &'s Credential>, reason: &Arc<str>) -> Vec<Event> {
    let live = credentials.filter(|held| !is_revoked(held));
    live.map(|held| Event::CredentialRevoked {
        id: held.id,
        reason: reason.clone(),
    })
    .collect()
}

/// Only ever less: every part of the new scope must lie within the old one, and the end only comes nearer.
fn narrow(
    held: &Credential,
    scope: Option<Box<Scope>>,
    expires: Option<Timestamp>,
    reason: Arc<str>,
) -> Handled {
    let wider = |part: &str| {
        Err(Refusal::Invalid(format!(
            "the {part} would reach further than they do now; a credential can only be narrowed"
        )))
    };
    if let (Some(new), Some(old)) = (expires, held.expires)
        && new > old
    {
        return wider("expiry");
    }
    let mut next = scope.unwrap_or_default();
    if let Some(old) = &held.scope {
        let Scope {
            models,
            actions,
            environments,
            networks,
        } = old.as_ref();
        if !inherit(&mut next.models, models, |new, old| old.contains(new)) {
            return wider("models");
        }
        if !inherit(&mut next.actions, actions, |new, old| old.contains(new)) {
            return wider("actions");
        }
        if !inherit(&mut next.environments, environments, |new, old| new == old) {
            return wider("environments");
        }
        if !inherit(&mut next.networks, networks, |new, old| old.contains(new)) {
            return wider("networks");
        }
    }
    let scope = Some(next).filter(|next| **next != Scope::default());
    let expires = expires.or(held.expires);
    if scope == held.scope && expires == held.expires {
        return Ok(Vec::new());
    }
    Ok(vec![Event::CredentialNarrowed {
        id: held.id,
        scope,
        expires,
        reason,
    }])
}

/// A part that is not given stays as it is; whether one that is given lies within what was there.
fn inherit<T: Clone>(new: &mut Vec<T>, old: &[T], within: impl Fn(&T, &T) -> bool) -> bool {
    if new.is_empty() {
        *new = old.to_vec();
    }
    old.is_empty() || new.iter().all(|new| old.iter().any(|old| within(new, old)))
}
