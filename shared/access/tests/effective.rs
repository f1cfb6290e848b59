//! Effective access says the same as the decision: whoever is listed may, and whoever is not may not.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use turnpike_access::{
    authenticate::Caller,
    choose::INFERENCE_ACTIONS,
    command::Command,
    decide::{Request, decide},
    effective::{Givers, Row, what, who},
    event::Event,
    grant::{AuthMethod, Circumstances, Conditions, Subject},
    id::Name,
    log::Position,
    pattern::Selector,
    resolve,
    snapshot::Snapshot,
};

use crate::{
    commands::{Step, create_grant, steps},
    history::History,
    world::{ACTIONS, Dice, GROUPS, MODELS, PRINCIPALS, cases, model},
};

type Groups = Vec<(Name, Arc<str>)>;

/// Every set of groups that a token may carry.
fn carried() -> Vec<Groups> {
    let group = |(issuer, value): &(&str, &str)| (issuer.parse().unwrap(), Arc::from(*value));
    let groups: Groups = GROUPS.iter().map(group).collect();
    vec![
        Vec::new(),
        vec![groups[0].clone()],
        vec![groups[1].clone()],
        groups,
    ]
}

/// Circumstances of all kinds, at one moment.
fn tried(now: &Circumstances<'static>) -> Vec<Circumstances<'static>> {
    let mut all = Vec::new();
    for method in 0..3 {
        for client in 0..5 {
            for age in [1, 30] {
                let mut one = Dice::new(&[0, client, method, 0]).circumstances();
                one.now = now.now;
                one.issued = one.issued.map(|_| now.now.plus_seconds(-age));
                all.push(one);
            }
        }
    }
    all
}

fn listed<'r>(rows: &'r [Row<'_, '_>], subject: &Subject) -> Option<&'r Row<'r, 'r>> {
    rows.iter().find(|row| row.subject == *subject)
}

/// Grants, memberships and deactivations, more than other commands.
fn much_granting() -> impl Strategy<Value = Vec<Step>> {
    let grant = (vec(any::<u8>(), 40), 0..6_u8).prop_map(|(bytes, wide)| {
        let tenant: Name = "acme".parse().unwrap();
        let mut command = create_grant(&mut Dice::new(&bytes), &tenant);
        // Most random grants match nothing that is asked about.
        if let Command::CreateGrant(grant) = &mut command {
            if wide > 0 {
                grant.selector = Selector::default();
            }
            if wide > 2 {
                grant.conditions = Conditions::default();
            }
        }
        Step { tenant, command }
    });
    (steps(20), vec(grant, 0..12)).prop_map(|(others, grants)| [others, grants].concat())
}

fn check(snapshot: &Snapshot, now: &Circumstances<'static>) -> Result<(), TestCaseError> {
    let Some(tenant) = snapshot.tenant("acme") else {
        return Ok(());
    };
    for (name, action) in MODELS.iter().zip(ACTIONS.iter().cycle()) {
        let Some(found) = resolve::by_id(snapshot, tenant, &model(name)) else {
            continue;
        };
        let resource = found.resource();
        let (rows, rest) = who(tenant, &[action], ("model", resource), now.now, (None, 1000));
        prop_assert!(rest.is_none());
        for held in tenant.accounts() {
            let principal = &held.account.principal;
            let row = listed(&rows, &Subject::Principal(principal.clone()));
            for groups in carried() {
                let through_groups = groups.iter().any(|group| listed(&rows, &group.into()).is_some());
                for circumstances in tried(now) {
                    let caller = Caller {
                        groups: &groups,
                        ..Caller::of(tenant, held, AuthMethod::ApiKey)
                    };
                    let request = Request {
                        action,
                        resource,
                        circumstances,
                    };
                    let allowed = decide(snapshot, &caller, &request).allowed()
                        && !held.account.profile.deactivated
                        && !tenant.settings().suspended;
                    let told = format!("{principal} {groups:?} {action} {name} {circumstances:?} {row:?}");
                    match row {
                        Some(row) if !row.access.is_conditional() => prop_assert!(allowed, "{}", told),
                        Some(_) => {}
                        None => prop_assert!(!allowed || through_groups, "{}", told),
                    }
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whoever_is_listed_without_conditions_may_whatever_the_request_and_whoever_is_not_may_not(
        steps in much_granting(), second in 0_u8..60
    ) {
        let history = History::of(&steps);
        let now = Dice::new(&[second]).circumstances();
        check(&history.snapshot, &now)?;
    }

    #[test]
    fn what_somebody_may_do_and_who_may_do_it_agree(steps in much_granting()) {
        let history = History::of(&steps);
        let Some(tenant) = history.tenant("acme") else {
            return Ok(());
        };
        for principal in PRINCIPALS {
            let subject: Subject = principal.parse().unwrap();
            let Some(rows) = what(&history.snapshot, tenant, &subject, &INFERENCE_ACTIONS, &[], history.now()) else {
                continue;
            };
            for listed in tenant.models() {
                let Some(found) = resolve::by_id(&history.snapshot, tenant, &listed.id) else {
                    continue;
                };
                let resource = ("model", found.resource());
                let (others, _) = who(tenant, &INFERENCE_ACTIONS, resource, history.now(), (None, 1000));
                let of_who: Vec<_> = others.iter().filter(|row| row.subject == subject).map(|row| &row.actions).collect();
                let of_what: Vec<_> = rows.iter().filter(|row| row.name == listed.id.as_str()).map(|row| &row.actions).collect();
                prop_assert_eq!(of_who, of_what);
            }
        }
    }

    #[test]
    fn a_list_read_in_parts_is_the_list(steps in much_granting(), size in 1_usize..4) {
        let history = History::of(&steps);
        let Some(tenant) = history.tenant("acme") else {
            return Ok(());
        };
        let Some(found) = resolve::by_id(&history.snapshot, tenant, &model(MODELS[0])) else {
            return Ok(());
        };
        let part = |after: Option<&Subject>, size| {
            who(tenant, &INFERENCE_ACTIONS, ("model", found.resource()), history.now(), (after, size))
        };
        let told = |rows: &[Row<'_, '_>]| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
        let (whole, _) = part(None, 1000);
        let (mut parts, mut after) = (Vec::new(), None);
        loop {
            let (rows, last) = part(after.as_ref(), size);
            parts.extend(told(&rows));
            after = last;
            if after.is_none() {
                break;
            }
        }
        prop_assert_eq!(told(&whole), parts);
    }

    #[test]
    fn what_gave_access_is_the_making_or_changing_of_the_grant_or_the_later_joining(steps in much_granting()) {
        let history = History::of(&steps);
        let Some(tenant) = history.tenant("acme") else {
            return Ok(());
        };
        let Some(found) = resolve::by_id(&history.snapshot, tenant, &model(MODELS[0])) else {
            return Ok(());
        };
        let resource = ("model", found.resource());
        let (rows, _) = who(tenant, &INFERENCE_ACTIONS, resource, history.now(), (None, 1000));
        let (mut few, mut all) = (Givers::of(&rows), Givers::default());
        let own = || history.log.iter().filter(|event| event.origin.tenant.as_str() == "acme");
        own().for_each(|event| few.see(event));
        own().for_each(|event| all.see(event));
        let end = history.snapshot.position();
        let half = Position::new(end.get() / 2);
        for row in &rows {
            for bearing in &row.access.allows {
                for (givers, until) in [(&few, end), (&all, end), (&all, half)] {
                    let expected = own().filter(|event| event.position <= until).rfind(|event| {
                        match Event::decode(&event.kind, event.version, &event.payload).unwrap() {
                            Event::GrantCreated(grant) | Event::GrantUpdated(grant) => {
                                grant.id == bearing.held.grant.id
                            }
                            Event::TeamMemberAdded { team, principal } => {
                                bearing.held.grant.subject == Subject::Team(team)
                                    && row.subject == Subject::Principal(principal)
                            }
                            _ => false,
                        }
                    });
                    let gave = givers.gave(bearing.held, &row.subject, until);
                    let expected = expected.map(|event| event.position);
                    prop_assert_eq!(gave.map(|given| given.position), expected, "{:?}", row);
                }
            }
        }
    }
}
