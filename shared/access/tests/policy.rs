//! Policies: what leads from any state to what a file says, and back.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use proptest::prelude::*;
use turnpike_access::{
    command::Command,
    grant::Subject,
    id::{Id, Name},
    issuer::PrincipalRule,
    ledger::Refusal,
    policy::{
        Policy,
        plan::{Plan, Secrets, Wanted, plan},
    },
    request::Outcome,
    resolve,
    snapshot::{Snapshot, Tenant},
    tenant::TenantSettings,
};

use crate::{
    commands::{Step, steps},
    history::History,
    world::{START, cases},
};

mod example;
mod limits;
mod rehearsal;
mod reviewed;

fn acme() -> Name {
    "acme".parse().unwrap()
}

pub(crate) fn planned(snapshot: &Snapshot, policy: &Policy, prune: bool) -> Result<Plan, Refusal> {
    with(snapshot, policy, (prune, prune))
}

/// What the file leaves out is ended, or what was approved for some time is kept of it.
fn with(
    snapshot: &Snapshot,
    policy: &Policy,
    (prune, prune_approved): (bool, bool),
) -> Result<Plan, Refusal> {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    let mut ids = || Id::from_random(NEXT.fetch_add(1, Ordering::Relaxed).into());
    let secrets = Secrets::default();
    let wanted = Wanted {
        policy,
        prune,
        prune_approved,
        secrets: &secrets,
    };
    let by: Arc<str> = Arc::from("user:root");
    plan(snapshot, &acme(), wanted, (START, &by), &mut ids)
}

/// The grants that are there because somebody was approved.
fn approved(snapshot: &Snapshot) -> BTreeSet<Id> {
    let requests = snapshot.tenant("acme").map(|tenant| tenant.access_requests());
    let decided = requests
        .into_iter()
        .flatten()
        .filter_map(|held| held.decided.as_ref());
    let granted = decided.filter_map(|decided| match decided.outcome {
        Outcome::Approved { grant, .. } => Some(grant),
        _ => None,
    });
    granted.collect()
}

fn exported(snapshot: &Snapshot) -> Option<Policy> {
    let mut policy = snapshot.tenant("acme").map(|tenant| Policy::of(tenant))?;
    // Those that were made in one change come in the order of their ids.
    policy
        .grants
        .iter_mut()
        .for_each(|grants| grants.sort_by_key(|entry| entry.id));
    Some(policy)
}

/// An installation with nothing in it but the tenant.
fn empty() -> History {
    let mut history = History::default();
    for tenant in [Name::platform(), acme()] {
        let command = Command::CreateTenant(TenantSettings::default());
        history.perform(&Step { tenant, command }).unwrap();
    }
    history
}

/// Whether everything that something points to is still there: what was taken from under it cannot be made again.
fn is_whole(snapshot: &Snapshot, tenant: &Tenant) -> bool {
    let there = |id| resolve::by_id(snapshot, tenant, id).is_some();
    let aliases = tenant.aliases().into_iter().all(|(_, target)| there(target));
    let rules = tenant.fallbacks().iter().all(|rule| there(&rule.to));
    let issuers = tenant.issuers().into_iter().all(|issuer| {
        let teams = issuer
            .profile
            .just_in_time
            .iter()
            .flat_map(|defaults| &defaults.teams);
        let fixed = match &issuer.profile.principal {
            PrincipalRule::Fixed { principal } => tenant.account(principal).is_some(),
            _ => true,
        };
        fixed && teams.into_iter().all(|team| tenant.team(team.as_str()).is_some())
    });
    let owners = tenant.grants().into_iter().all(|held| match &held.grant.owner {
        Some(Subject::Principal(principal)) => tenant.account(principal).is_some(),
        Some(Subject::Team(team)) => tenant.team(team.as_str()).is_some(),
        _ => true,
    });
    aliases && rules && issuers && owners
}

/// What is in the file and has expired is not made anew.
fn without_the_expired(mut policy: Policy) -> Policy {
    let live = |end: Option<turnpike_access::id::Timestamp>| end.is_none_or(|end| end > START);
    policy
        .grants
        .iter_mut()
        .for_each(|grants| grants.retain(|entry| live(entry.grant.conditions.expires)));
    policy
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_was_exported_changes_nothing_where_it_came_from(steps in steps(40)) {
        let history = History::of(&steps);
        let Some(policy) = exported(&history.snapshot) else { return Ok(()) };
        for prune in [false, true] {
            let plan = planned(&history.snapshot, &policy, prune).unwrap();
            prop_assert!(plan.steps.is_empty(), "{:?}", plan.steps);
            prop_assert!(plan.unmanaged.is_empty(), "{:?}", plan.unmanaged);
        }
    }

    #[test]
    fn what_was_exported_makes_the_same_out_of_nothing(steps in steps(40)) {
        let history = History::of(&steps);
        let Some(policy) = exported(&history.snapshot) else { return Ok(()) };
        match planned(&empty().snapshot, &policy, false) {
            Ok(plan) => prop_assert_eq!(exported(&plan.after), Some(without_the_expired(policy))),
            Err(refusal) => {
                let tenant = history.tenant("acme").unwrap();
                prop_assert!(!is_whole(&history.snapshot, tenant), "{}", refusal);
            }
        }
    }

    #[test]
    fn with_pruning_any_state_becomes_what_the_file_says_and_then_nothing_is_left_to_do(
        before in steps(30),
        after in steps(30),
    ) {
        let (before, after) = (History::of(&before), History::of(&after));
        let Some(policy) = exported(&after.snapshot).map(without_the_expired) else { return Ok(()) };
        let Ok(plan) = planned(&before.snapshot, &policy, true) else { return Ok(()) };
        prop_assert_eq!(exported(&plan.after), Some(policy.clone()));
        let again = planned(&plan.after, &policy, true).unwrap();
        prop_assert!(again.steps.is_empty() && again.unmanaged.is_empty(), "{:?}", again.steps);
        prop_assert_eq!(planned(&before.snapshot, &policy, true).unwrap().digest(), plan.digest());
    }

    #[test]
    fn what_was_approved_for_some_time_is_kept_by_pruning_unless_that_is_asked_for(
        before in steps(60),
        after in steps(30),
    ) {
        let (before, after) = (History::of(&before), History::of(&after));
        let Some(policy) = exported(&after.snapshot).map(without_the_expired) else { return Ok(()) };
        let Ok(plan) = with(&before.snapshot, &policy, (true, false)) else { return Ok(()) };
        let named: BTreeSet<Id> = policy.grants.iter().flatten().filter_map(|entry| entry.id).collect();
        let approved = approved(&before.snapshot);
        let mut left = exported(&plan.after).unwrap();
        left.grants.iter_mut().for_each(|grants| {
            grants.retain(|entry| entry.id.is_some_and(|id| named.contains(&id) || !approved.contains(&id)));
        });
        prop_assert_eq!(left, policy.clone());
        for held in before.tenant("acme").unwrap().grants() {
            let gone = plan.steps.iter().any(|step| {
                matches!(step.command, Command::DeleteGrant { id } if id == held.grant.id)
            });
            let kept = approved.contains(&held.grant.id) && !named.contains(&held.grant.id);
            prop_assert!(!(gone && kept), "{}", held.grant.id);
        }
        let again = with(&plan.after, &policy, (true, false)).unwrap();
        prop_assert!(again.steps.is_empty() && again.unmanaged.is_empty(), "{:?}", again.steps);
    }

    #[test]
    fn without_pruning_nothing_is_ended_but_what_is_made_anew(before in steps(30), after in steps(30)) {
        let (before, after) = (History::of(&before), History::of(&after));
        let Some(policy) = exported(&after.snapshot) else { return Ok(()) };
        let Ok(plan) = planned(&before.snapshot, &policy, false) else { return Ok(()) };
        for step in &plan.steps {
            let moved = matches!(step.command, Command::DeleteFallback { .. });
            let ends = step.verb == turnpike_access::policy::plan::Verb::Delete;
            prop_assert!(!ends || moved, "{step}");
        }
    }
}
