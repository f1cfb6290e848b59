//! Who administers a team lends what it has itself, and widens nothing.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};
use turnpike_access::{
    command::Command,
    contain,
    decide::{Request, decide},
    delegate::{self, Delegated},
    grant::{Effect, Grant},
    id::{Id, Name},
    pattern::{Resource, Tags},
    role::Role,
    snapshot::Tenant,
};

use crate::{
    commands::{Step, create_grant, steps},
    history::{History, caller},
    world::{ACTIONS, Dice, MODELS, PRINCIPALS, TEAMS, cases},
};

const LEAD: &str = "user:alice";
const ADMINISTRATION: [&str; 2] = ["teams.write", "grants.write"];

/// In which circumstances, which action, on which thing.
type Rights = BTreeSet<(usize, &'static str, &'static str)>;

fn acme() -> Name {
    "acme".parse().unwrap()
}

/// All that a principal may do, in some circumstances.
fn rights(history: &History, tenant: &Tenant, principal: &str) -> Rights {
    let mut all = Rights::new();
    if tenant.account(&principal.parse().unwrap()).is_none() {
        return all;
    }
    let asking = caller(tenant, principal);
    let models: Vec<_> = tenant.models();
    for number in 0..4_u8 {
        let circumstances = Dice::new(&[number * 15, number, number, 7]).circumstances();
        let mut ask = |action: &'static str, name: &'static str, resource: Resource<'_>| {
            let request = Request {
                action,
                resource,
                circumstances,
            };
            if decide(&history.snapshot, &asking, &request).allowed() {
                all.insert((usize::from(number), action, name));
            }
        };
        for action in ACTIONS {
            for name in MODELS {
                let listed = models.iter().find(|model| model.id.as_str() == name);
                let profile = listed.map(|model| &model.profile);
                let resource = Resource {
                    family: profile.and_then(|profile| profile.family.as_ref()),
                    environment: profile.and_then(|profile| profile.environment.as_ref()),
                    tags: profile.map(|profile| &profile.tags),
                    ..Resource::named("model", name)
                };
                ask(action, name, resource);
            }
        }
        for action in ADMINISTRATION {
            TEAMS
                .into_iter()
                .for_each(|team| ask(action, team, Resource::named("team", team)));
        }
    }
    all
}

fn perform(history: &mut History, command: Command) {
    let step = Step {
        tenant: acme(),
        command,
    };
    history.perform(&step).unwrap();
}

/// alice leads payments, and has what chance gave her besides.
fn led(steps: &[Step]) -> Option<History> {
    let mut history = History::of(steps);
    let tenant = history.tenant("acme")?;
    tenant.account(&LEAD.parse().unwrap())?;
    tenant.team("payments")?;
    let actions = ["teams.*", "virtual-accounts.*", "credentials.*", "grants.*"];
    let role = Role {
        name: "lead".parse().unwrap(),
        actions: actions.iter().map(|action| action.parse().unwrap()).collect(),
        description: None,
    };
    perform(&mut history, Command::CreateRole(role));
    let mut grant = Grant {
        id: Id::from_random(1 << 41),
        subject: LEAD.parse().unwrap(),
        role: "lead".parse().unwrap(),
        effect: Effect::Allow,
        selector: Default::default(),
        conditions: Default::default(),
        reason: None,
        owner: None,
    };
    grant
        .selector
        .resources
        .push(turnpike_access::pattern::ResourcePattern {
            kind: "team".parse().unwrap(),
            name: "payments".parse().unwrap(),
        });
    perform(&mut history, Command::CreateGrant(grant));
    Some(history)
}

/// Whether alice, by the team that she leads, may give a command.
fn may(history: &History, command: &Command) -> bool {
    let Some(tenant) = history.tenant("acme") else {
        return false;
    };
    if tenant.account(&LEAD.parse().unwrap()).is_none() {
        return false;
    }
    let asking = caller(tenant, LEAD);
    let circumstances = Dice::new(&[30, 1]).circumstances();
    let action = command.permission().unwrap().action;
    delegate::commanded(&history.snapshot, &asking, command, action, circumstances) == Delegated::Follows
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_a_contained_grant_gives_its_container_gives_too(bytes in vec(any::<u8>(), 400)) {
        let mut dice = Dice::new(&bytes);
        let (holder, other): (Tags, Tags) = (dice.tags(), dice.tags());
        let Command::CreateGrant(wide) = create_grant(&mut dice, &acme()) else { unreachable!() };
        for _ in 0..8 {
            let Command::CreateGrant(narrow) = create_grant(&mut dice, &acme()) else { unreachable!() };
            let tags = dice.tags();
            let resource = |name: &'static str| Resource { tags: Some(&tags), ..Resource::named("model", name) };
            for name in MODELS {
                let [of_wide, of_narrow] = [(&wide, &holder), (&narrow, &other)]
                    .map(|(grant, tags)| grant.selector.covers(&resource(name), Some(tags)).is_ok());
                if contain::selector(&wide.selector, &narrow.selector, Some(&holder)) {
                    prop_assert!(of_wide || !of_narrow, "{:?} {:?}", wide.selector, narrow.selector);
                }
                if contain::apart(&wide.selector, &narrow.selector) {
                    prop_assert!(!(of_wide && of_narrow), "{:?} {:?}", wide.selector, narrow.selector);
                }
            }
            let circumstances = dice.circumstances();
            if contain::conditions(&wide.conditions, &narrow.conditions) {
                let [of_wide, of_narrow] = [&wide, &narrow].map(|grant| grant.conditions.hold(&circumstances).is_ok());
                prop_assert!(of_wide || !of_narrow, "{:?} {:?}", wide.conditions, narrow.conditions);
            }
        }
    }

    #[test]
    fn who_leads_a_team_gives_nobody_more_than_it_has_and_itself_nothing(
        before in steps(30), tried in steps(60),
    ) {
        let Some(mut history) = led(&before) else { return Ok(()) };
        for step in tried.iter().filter(|step| step.tenant == acme()) {
            if !may(&history, &step.command) {
                continue;
            }
            let tenant = history.tenant("acme").unwrap().clone();
            let lead = rights(&history, &tenant, LEAD);
            let then = PRINCIPALS.map(|who| rights(&history, &tenant, who));
            if let Command::IssueCredential(key) = &step.command {
                let owner = rights(&history, &tenant, &key.owner.to_string());
                prop_assert!(owner.is_subset(&lead), "{:?} is given a key's rights", key.owner);
            }
            if history.perform(step).is_err() {
                continue;
            }
            let tenant = history.tenant("acme").unwrap().clone();
            for (who, then) in PRINCIPALS.into_iter().zip(then) {
                let now = rights(&history, &tenant, who);
                let gained: Vec<_> = now.difference(&then).filter(|one| !lead.contains(*one)).collect();
                prop_assert!(gained.is_empty(), "{} by {:?}: {:?}", who, step.command, gained);
            }
            let now = rights(&history, &tenant, LEAD);
            prop_assert!(now.is_subset(&lead), "{:?}", step.command);
        }
    }
}

#[test]
fn who_leads_a_team_may_give_it_what_it_has() {
    let mut history = led(&[]).unwrap();
    let grant = |number: u128, to: &str, models: &str| {
        let mut grant = Grant {
            id: Id::from_random(number),
            subject: to.parse().unwrap(),
            role: "developer".parse().unwrap(),
            effect: Effect::Allow,
            selector: Default::default(),
            conditions: Default::default(),
            reason: None,
            owner: None,
        };
        grant
            .selector
            .resources
            .push(turnpike_access::pattern::ResourcePattern {
                kind: "model".parse().unwrap(),
                name: models.parse().unwrap(),
            });
        Command::CreateGrant(grant)
    };
    let asked = grant(1 << 42, "team:payments", "open/small");
    assert!(!may(&history, &asked), "she has no such thing herself");
    perform(&mut history, grant(1 << 43, LEAD, "open/*"));
    assert!(may(&history, &asked));
    for (to, models) in [
        ("team:payments", "*"),
        ("team:search", "open/small"),
        (LEAD, "open/small"),
        ("user:bob", "open/small"),
    ] {
        assert!(!may(&history, &grant(1 << 44, to, models)), "{to} {models}");
    }
}
