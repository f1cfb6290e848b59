//! What must hold of every decision, in whatever state.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use turnpike_access::{
    authenticate::Caller,
    command::Command,
    credential::{Credential, Scope},
    decide::{Reason, Request, decide},
    explain::explain,
    grant::{Effect, Grant},
    id::{Id, Name},
    pattern::Resource,
    resolve,
};

use crate::{
    commands::{Step, create_grant, credential, steps},
    history::{History, answers_to, caller},
    naive,
    world::{ACTIONS, Dice, GROUPS, MODELS, PRINCIPALS, cases, model},
};

/// A request's random parts, so that it can be put to several states.
#[derive(Debug, Clone)]
struct Question {
    principal: &'static str,
    groups: Vec<(Name, Arc<str>)>,
    scope: Option<Scope>,
    action: &'static str,
    model: &'static str,
    rest: Vec<u8>,
}

fn questions() -> impl Strategy<Value = Question> {
    vec(any::<u8>(), 40).prop_map(|bytes| {
        let mut dice = Dice::new(&bytes);
        let groups = GROUPS.iter().filter(|_| dice.one_in(2));
        let groups = groups
            .map(|(issuer, value)| (issuer.parse().unwrap(), Arc::from(*value)))
            .collect();
        Question {
            principal: dice.pick(&PRINCIPALS),
            groups,
            scope: dice.scope(),
            action: dice.pick(&ACTIONS),
            model: dice.pick(&MODELS),
            rest: bytes[30..].to_vec(),
        }
    })
}

impl Question {
    fn credential(&self, scope: Option<&Scope>) -> Credential {
        Credential {
            scope: scope.cloned().map(Box::new),
            ..credential(
                &"acme".parse().unwrap(),
                self.principal.parse().unwrap(),
                Id::from_random(9),
            )
        }
    }

    /// The answer of the core, and of the naive evaluator; `None` where nobody or nothing is there to ask about.
    fn put(&self, history: &History, scope: Option<&Scope>) -> Option<(Reason, bool)> {
        let tenant = history.tenant("acme")?;
        let account = tenant.account(&self.principal.parse().unwrap())?;
        let resolved = resolve::by_id(&history.snapshot, tenant, &model(self.model))?;
        let key = self.credential(scope);
        let asking = Caller {
            credential: Some(&key),
            groups: &self.groups,
            ..caller(tenant, self.principal)
        };
        let request = Request {
            action: self.action,
            resource: resolved.resource(),
            circumstances: Dice::new(&self.rest).circumstances(),
        };
        let decision = decide(&history.snapshot, &asking, &request);
        assert_eq!(
            explain(&history.snapshot, &asking, &request).decision.reason,
            decision.reason
        );
        let facts = naive::Facts {
            tenant,
            principal: &account.account.principal,
            groups: &self.groups,
            scope,
        };
        Some((decision.reason, naive::allowed(&facts, &request)))
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_core_decides_as_the_design_says(steps in steps(40), questions in vec(questions(), 20)) {
        let history = History::of(&steps);
        for question in &questions {
            if let Some((reason, allowed)) = question.put(&history, question.scope.as_ref()) {
                prop_assert_eq!(reason == Reason::Granted, allowed, "{:?}: {:?}", question, reason);
            }
        }
    }

    #[test]
    fn a_scope_only_narrows(steps in steps(40), questions in vec(questions(), 20)) {
        let history = History::of(&steps);
        for question in &questions {
            let unscoped = question.put(&history, None);
            if let (Some((Reason::Granted, _)), Some((without, _))) =
                (question.put(&history, question.scope.as_ref()), unscoped)
            {
                prop_assert_eq!(without, Reason::Granted);
            }
        }
    }

    #[test]
    fn another_allow_takes_nothing_and_another_deny_gives_nothing(
        steps in steps(30), questions in vec(questions(), 10), bytes in vec(any::<u8>(), 40), deny: bool,
    ) {
        let before = History::of(&steps);
        let tenant: Name = "acme".parse().unwrap();
        let Command::CreateGrant(grant) = create_grant(&mut Dice::new(&bytes), &tenant) else { unreachable!() };
        let effect = if deny { Effect::Deny } else { Effect::Allow };
        let command = Command::CreateGrant(Grant { effect, id: Id::from_random(1 << 40), ..grant });
        let mut after = before.clone();
        let _ = after.perform(&Step { tenant, command });
        for question in &questions {
            let scope = question.scope.as_ref();
            if let (Some((then, _)), Some((now, _))) = (question.put(&before, scope), question.put(&after, scope)) {
                let (then, now) = (then == Reason::Granted, now == Reason::Granted);
                prop_assert!(if deny { then || !now } else { now || !then }, "{:?}", question);
            }
        }
    }

    #[test]
    fn what_is_granted_to_another_changes_no_answer(steps in steps(30), other in steps(30)) {
        let mut history = History::of(&steps);
        let Some(before) = history.tenant("acme").map(|tenant| answers_of_alice(&history, tenant)) else {
            return Ok(());
        };
        for step in other.iter().filter(|step| is_about_bob(&step.command)) {
            let _ = history.perform(step);
        }
        let tenant = history.tenant("acme").unwrap();
        prop_assert_eq!(before, answers_of_alice(&history, tenant));
    }
}

fn answers_of_alice(history: &History, tenant: &turnpike_access::snapshot::Tenant) -> Option<String> {
    let alice = "user:alice";
    tenant.account(&alice.parse().unwrap())?;
    Some(answers_to(&history.snapshot, &caller(tenant, alice)))
}

fn is_about_bob(command: &Command) -> bool {
    let bob = "user:bob".parse().unwrap();
    match command {
        Command::CreateGrant(grant) => grant.subject.to_string() == "user:bob",
        Command::IssueCredential(credential) => credential.owner == bob,
        Command::CreateAccount { principal, .. }
        | Command::UpdateAccount { principal, .. }
        | Command::DeleteAccount { principal }
        | Command::AddTeamMember { principal, .. }
        | Command::RemoveTeamMember { principal, .. } => *principal == bob,
        _ => false,
    }
}

#[test]
fn nothing_configured_means_no() {
    let history = History::of(&[]);
    let tenant = history.tenant("acme").unwrap();
    for principal in PRINCIPALS {
        let asking = caller(tenant, principal);
        for (action, name) in ACTIONS
            .iter()
            .flat_map(|action| MODELS.map(|name| (action, name)))
        {
            let request = Request {
                action,
                resource: Resource::named("model", name),
                circumstances: Dice::new(&[]).circumstances(),
            };
            assert_eq!(
                decide(&history.snapshot, &asking, &request).reason,
                Reason::NoGrant
            );
        }
    }
}
