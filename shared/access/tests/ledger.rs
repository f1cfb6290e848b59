//! What commands may lead to: events that fold, nothing when refused, and names that come back empty.

use std::sync::Arc;

use proptest::prelude::*;
use turnpike_access::{
    command::Command,
    decide::{Request, decide},
    grant::{Effect, Grant, Subject},
    id::{Id, Name, Principal},
    ledger::Refusal,
    pattern::Resource,
    snapshot::Snapshot,
    tenant::{AccountProfile, TeamProfile, TenantSettings},
};

use crate::{
    commands::{Step, credential, steps},
    history::{History, caller, lines, render},
    world::{ACTIONS, Dice, MODELS, PRINCIPALS, TEAMS, cases},
};

fn acme() -> Name {
    "acme".parse().unwrap()
}

fn perform(history: &mut History, command: Command) -> Result<usize, Refusal> {
    history.perform(&Step {
        tenant: acme(),
        command,
    })
}

fn may_do_anything(snapshot: &Snapshot, principal: &str) -> bool {
    let tenant = snapshot.tenant("acme").unwrap();
    ACTIONS
        .iter()
        .flat_map(|action| MODELS.map(|name| (action, name)))
        .any(|(action, name)| {
            let request = Request {
                action,
                resource: Resource::named("model", name),
                circumstances: Dice::new(&[30, 1]).circumstances(),
            };
            decide(snapshot, &caller(tenant, principal), &request).allowed()
        })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_refused_command_changes_nothing_and_an_accepted_one_folds(steps in steps(60)) {
        let mut history = History::of(&[]);
        for step in &steps {
            let (before, length) = (render(&history.snapshot), history.log.len());
            match history.perform(step) {
                Ok(events) => prop_assert_eq!(history.log.len(), length + events),
                Err(_) => {
                    prop_assert_eq!(history.log.len(), length);
                    prop_assert_eq!(render(&history.snapshot), before);
                }
            }
        }
    }

    #[test]
    fn a_command_that_was_carried_out_is_refused_or_changes_nothing_when_it_comes_again(steps in steps(40)) {
        let mut history = History::of(&steps);
        for step in steps.iter().rev().take(5) {
            if history.perform(step).is_err() { continue }
            let before = render(&history.snapshot);
            let rotates = matches!(step.command, Command::RotateCredential { .. });
            let again = history.perform(step);
            prop_assert!(rotates || again.is_err() || again == Ok(0) || matches!(step.command, Command::DeleteTenant));
            prop_assert!(rotates || render(&history.snapshot) == before);
        }
    }

    #[test]
    fn whoever_gets_the_name_of_a_deleted_principal_inherits_nothing(steps in steps(60), who in 0usize..4) {
        let mut history = History::of(&steps);
        let principal: Principal = PRINCIPALS[who].parse().unwrap();
        if perform(&mut history, Command::DeleteAccount { principal: principal.clone() }).is_err() {
            return Ok(());
        }
        let create = Command::CreateAccount {
            principal: principal.clone(),
            profile: AccountProfile::default(),
            teams: Vec::new(),
        };
        perform(&mut history, create).unwrap();
        let held = history.tenant("acme").unwrap().account(&principal).unwrap();
        prop_assert!(held.account.teams.is_empty() && held.account.credentials.is_empty());
        prop_assert!(!may_do_anything(&history.snapshot, PRINCIPALS[who]));
    }

    #[test]
    fn whoever_joins_a_team_with_the_name_of_a_deleted_one_inherits_nothing(steps in steps(60), which in 0usize..3) {
        let mut history = History::of(&steps);
        let name: Name = TEAMS[which].parse().unwrap();
        if perform(&mut history, Command::DeleteTeam { name: name.clone() }).is_err() {
            return Ok(());
        }
        let create = Command::CreateTeam { name: name.clone(), profile: TeamProfile::default() };
        perform(&mut history, create).unwrap();
        let tenant = history.tenant("acme").unwrap();
        for held in tenant.accounts() {
            prop_assert!(!held.account.teams.contains(&name));
        }
        for rule in tenant.fallbacks() {
            prop_assert!(!rule.teams.contains(&name), "{:?}", rule);
        }
        let granted = tenant.grants().iter().any(|held| held.grant.subject == Subject::Team(name.clone()));
        prop_assert!(!granted);
    }

    #[test]
    fn a_tenant_with_the_name_of_a_deleted_one_begins_empty(steps in steps(60)) {
        let mut history = History::of(&steps);
        if perform(&mut history, Command::DeleteTenant).is_err() {
            return Ok(());
        }
        perform(&mut history, Command::CreateTenant(TenantSettings::default())).unwrap();
        let left: Vec<_> = lines(&history.snapshot).into_iter().filter(|line| line.contains(r#""acme""#)).collect();
        prop_assert_eq!(left.len(), 1, "{:?}", left);
    }
}

#[test]
fn a_key_of_another_tenant_is_refused() {
    let mut history = History::of(&[]);
    let foreign = credential(
        &"bolt".parse().unwrap(),
        "user:alice".parse().unwrap(),
        Id::from_random(77),
    );
    let refused = perform(&mut history, Command::IssueCredential(foreign));
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
}

#[test]
fn a_grant_that_names_nobody_is_refused() {
    let mut history = History::of(&[]);
    for subject in ["user:nobody", "virtual-account:bob", "team:nobody"] {
        let grant = Grant {
            id: Id::from_random(77),
            subject: subject.parse().unwrap(),
            role: "developer".parse().unwrap(),
            effect: Effect::Allow,
            selector: Default::default(),
            conditions: Default::default(),
            reason: None,
            owner: None,
        };
        let refused = perform(&mut history, Command::CreateGrant(grant));
        assert!(
            matches!(refused, Err(Refusal::NotFound { .. })),
            "{subject}: {refused:?}"
        );
    }
}

#[test]
fn where_the_tenant_wants_to_know_a_grant_says_what_it_is_for_and_who_answers_for_it() {
    let mut history = History::of(&[]);
    let settings = TenantSettings {
        justified_grants: true,
        ..TenantSettings::default()
    };
    let wants = Command::UpdateTenant {
        from: TenantSettings::default(),
        to: settings,
    };
    let mut grant = Grant {
        id: Id::from_random(1 << 41),
        subject: "group:okta/engineers".parse().unwrap(),
        role: "developer".parse().unwrap(),
        effect: Effect::Allow,
        selector: Default::default(),
        conditions: Default::default(),
        reason: None,
        owner: None,
    };
    let team = Command::CreateTeam {
        name: "payments".parse().unwrap(),
        profile: TeamProfile::default(),
    };
    let _there_already = perform(&mut history, team);
    perform(&mut history, wants).unwrap();
    let asked = |history: &History, grant: &Grant| {
        let command = Command::CreateGrant(grant.clone());
        turnpike_access::ledger::handle(&history.snapshot, &acme(), history.now(), command)
    };
    for reason in [None, Some(Arc::from(" ")), Some(Arc::from("incident 42"))] {
        grant.reason = reason;
        let refused = asked(&history, &grant);
        assert!(matches!(refused, Err(Refusal::Invalid(text)) if text.contains("--owner")));
    }
    grant.owner = Some("team:payments".parse().unwrap());
    assert!(asked(&history, &grant).is_ok());
    grant.reason = None;
    assert!(asked(&history, &grant).is_err());
}

#[test]
fn an_update_based_on_what_is_no_longer_so_is_refused() {
    let history = History::of(&[]);
    let update = Command::UpdateTenant {
        from: TenantSettings {
            suspended: true,
            ..TenantSettings::default()
        },
        to: TenantSettings {
            hide_models: true,
            ..TenantSettings::default()
        },
    };
    let refused = turnpike_access::ledger::handle(&history.snapshot, &acme(), history.now(), update);
    assert_eq!(refused, Err(Refusal::Changed));
}
