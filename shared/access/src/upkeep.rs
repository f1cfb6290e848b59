//! What a tenant's policy says is to be done about a credential, without anybody asking. Says it; others do it.

use crate::{
    credential::{Credential, CredentialStatus, Warning},
    id::{Principal, Timestamp},
    tenant::{AutomaticRotation, CredentialPolicy},
};

/// Something that is to be done about a credential now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due<'p> {
    /// Its owner is warned; what of happens at the moment that is named, unless something is done.
    Warn(Warning, Timestamp),
    /// It stops working until it is resumed. Why, in words.
    Suspend(String),
    /// It stops working for ever. Why, in words.
    Revoke(String),
    /// It gets another secret.
    Rotate(&'p AutomaticRotation),
}

/// The last sign of life of a credential: its last use, or that somebody made, rotated or resumed it.
pub fn last_used(held: &Credential, used: Option<Timestamp>) -> Timestamp {
    let resumed = held.suspension.as_ref().and_then(|last| last.resumed);
    let signs = [used, resumed].into_iter().flatten();
    signs.fold(held.secret_since(), Timestamp::max)
}

/// What is due, the gravest alone, or several warnings. Nobody is suspended unwarned, nor revoked without having been
/// suspended where the policy has both: each is due after what comes before it was done.
///
/// `last_used` is absent where it is not known: then what is about unused credentials rests. A decoy is left alone.
pub fn due<'p>(
    policy: &'p CredentialPolicy,
    held: &Credential,
    last_used: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Due<'p>> {
    let end = held.end(policy);
    let is_over =
        matches!(held.status, CredentialStatus::Revoked { .. }) || end.is_some_and(|end| now >= end);
    if is_over || held.decoy.is_some() {
        return Vec::new();
    }
    let unused = last_used.and_then(|last_used| unused(policy, held, last_used, now));
    let rotation = rotation(policy, held, now);
    let grave = |one: &Due<'_>| !matches!(one, Due::Warn(..));
    let mut all: Vec<_> = [unused, rotation, expiring(policy, held, end, now)]
        .into_iter()
        .flatten()
        .collect();
    if let Some(first) = all.iter().position(grave) {
        all.swap(0, first);
        all.truncate(1);
    }
    all
}

fn unused<'p>(
    policy: &CredentialPolicy,
    held: &Credential,
    last_used: Timestamp,
    now: Timestamp,
) -> Option<Due<'p>> {
    let after = |seconds: Option<u32>| seconds.map(|seconds| last_used.plus_seconds(seconds.into()));
    let past = |moment: &Timestamp| now >= *moment;
    let active = held.status == CredentialStatus::Active;
    let (warn, suspend, revoke) = (
        after(policy.warn_unused_seconds),
        after(policy.suspend_unused_seconds),
        after(policy.revoke_unused_seconds),
    );
    if warn.as_ref().is_some_and(past) && !held.warnings.contains(&Warning::Unused) {
        let next = if active { suspend.or(revoke) } else { revoke };
        return Some(Due::Warn(Warning::Unused, next.unwrap_or(now)));
    }
    let why = |seconds: Option<u32>| {
        format!(
            "the tenant's policy: unused for {}",
            duration(seconds.unwrap_or_default())
        )
    };
    if active && suspend.as_ref().is_some_and(past) {
        return Some(Due::Suspend(why(policy.suspend_unused_seconds)));
    }
    revoke
        .as_ref()
        .is_some_and(past)
        .then(|| Due::Revoke(why(policy.revoke_unused_seconds)))
}

fn rotation<'p>(policy: &'p CredentialPolicy, held: &Credential, now: Timestamp) -> Option<Due<'p>> {
    if held.status != CredentialStatus::Active {
        return None;
    }
    let age = policy.rotate_after_seconds?;
    let due = held.secret_since().plus_seconds(age.into());
    if let (Some(automatic), Principal::VirtualAccount(_)) = (&policy.automatic_rotation, &held.owner) {
        return (now >= due).then_some(Due::Rotate(automatic));
    }
    let notice = policy.warn_before_seconds.unwrap_or_default();
    if !held.warnings.contains(&Warning::RotationDue) {
        return (now >= due.plus_seconds(-i64::from(notice))).then_some(Due::Warn(Warning::RotationDue, due));
    }
    let why = || {
        format!(
            "the tenant's policy: not rotated for {}; rotate it, then resume it",
            duration(age)
        )
    };
    (now >= due && policy.suspend_overdue).then(|| Due::Suspend(why()))
}

fn expiring<'p>(
    policy: &CredentialPolicy,
    held: &Credential,
    end: Option<Timestamp>,
    now: Timestamp,
) -> Option<Due<'p>> {
    let (notice, end) = (policy.warn_before_seconds?, end?);
    let near = now >= end.plus_seconds(-i64::from(notice));
    (near && !held.warnings.contains(&Warning::Expiring)).then_some(Due::Warn(Warning::Expiring, end))
}

/// In the largest unit that leaves nothing over.
pub(crate) fn duration(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let fits = units
        .into_iter()
        .find(|(length, _)| seconds.is_multiple_of(*length));
    let (length, unit) = fits.unwrap_or((1, "second"));
    match seconds / length {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    }
}
