//! Fallback rules: followed in their order, and passed over with a reason where the substitute is for others, not allowed,
//! spoken to differently, or can't do what the request needs.

use std::{cell::Cell, sync::Arc};

use turnpike_access::{
    authenticate::Caller,
    choose::{Choice, ModelRequest, choose, choose_for},
    command::Command,
    decide::Reason,
    grant::{Effect, Grant, Subject},
    id::{Id, Name},
    ledger::Refusal,
    model::{Catalogue, Fallback, ModelProfile, ProviderKind, ProviderProfile},
    needs::{Capability, Needs, Unfit},
};

use crate::{
    commands::Step,
    history::{History, caller},
    world::{Dice, model},
};

fn perform(history: &mut History, command: Command) -> Result<usize, Refusal> {
    let tenant: Name = "acme".parse().unwrap();
    history.perform(&Step { tenant, command })
}

fn rule(number: u128, to: &str) -> Fallback {
    Fallback {
        id: Id::from_random(7_000 + number),
        from: "near/dear".parse().unwrap(),
        to: model(to),
        teams: Vec::new(),
        groups: Vec::new(),
        over_budget: false,
    }
}

/// Providers `near` (as OpenAI speaks) and `far` (as Anthropic); the user may use everything but `near/dear` and
/// `near/secret`.
fn world() -> History {
    let mut history = History::of(&[]);
    for (name, kind) in [("near", ProviderKind::Openai), ("far", ProviderKind::Anthropic)] {
        let profile = ProviderProfile {
            kind,
            base_url: Arc::from("https://models.example/v1"),
            sealed_secret: None,
            api_version: None,
            catalogue: Catalogue::Open,
            tags: Default::default(),
            identity: None,
        };
        let name = name.parse().unwrap();
        perform(&mut history, Command::CreateProvider { name, profile }).unwrap();
    }
    for (id, capabilities, context_tokens) in [
        ("near/plain", &["streaming"][..], Some(1_000)),
        ("near/able", &["tools", "vision", "json"], Some(100_000)),
        ("near/silent", &[], None),
    ] {
        let profile = ModelProfile {
            capabilities: capabilities.iter().map(|name| name.parse().unwrap()).collect(),
            context_tokens,
            ..ModelProfile::default()
        };
        perform(
            &mut history,
            Command::CreateModel {
                id: model(id),
                profile,
            },
        )
        .unwrap();
    }
    for (number, models, effect) in [
        (1, "*", Effect::Allow),
        (2, "near/dear", Effect::Deny),
        (3, "near/secret", Effect::Deny),
    ] {
        let grant = Grant {
            id: Id::from_random(7_500 + number),
            subject: "user:alice".parse().unwrap(),
            role: "developer".parse().unwrap(),
            effect,
            selector: serde_json::from_value(serde_json::json!({
                "resources": [{"kind": "model", "name": models}]
            }))
            .unwrap(),
            conditions: Default::default(),
            reason: None,
            owner: None,
        };
        perform(&mut history, Command::CreateGrant(grant)).unwrap();
    }
    history
}

fn request(action: &str) -> ModelRequest<'_> {
    ModelRequest {
        action,
        requested: "near/dear",
        provider: None,
        circumstances: Dice::new(&[30, 1]).circumstances(),
        accepts_fallback: true,
    }
}

fn served<'s>(history: &'s History, asking: &Caller<'s>, needs: Needs) -> (Choice<'s>, Vec<Unfit>) {
    let choice = choose_for(&history.snapshot, asking, &request("inference.chat"), || needs).unwrap();
    let why = choice.passed_over.iter().map(|one| one.why).collect();
    (choice, why)
}

fn needing(capability: Capability) -> Needs {
    Needs {
        capabilities: vec![capability],
        context_tokens: None,
    }
}

#[test]
fn rules_are_tried_in_their_order_and_each_that_is_passed_over_has_its_reason() {
    let mut history = world();
    let others = Fallback {
        teams: vec!["search".parse().unwrap()],
        ..rule(1, "near/able")
    };
    perform(&mut history, Command::CreateFallback(others)).unwrap();
    for (number, to) in [
        (2, "near/secret"),
        (3, "far/claude"),
        (4, "near/plain"),
        (5, "near/able"),
    ] {
        perform(&mut history, Command::CreateFallback(rule(number, to))).unwrap();
    }
    let tenant = history.tenant("acme").unwrap();
    let (choice, why) = served(
        &history,
        &caller(tenant, "user:alice"),
        needing(Capability::Tools),
    );
    assert_eq!(choice.model.id.as_str(), "near/able");
    let expected = [
        Unfit::OtherPeople,
        Unfit::Denied(Reason::DeniedByGrant),
        Unfit::Dialect,
        Unfit::Lacks(Capability::Tools),
    ];
    assert_eq!(why, expected);
    let (plain, why) = served(&history, &caller(tenant, "user:alice"), Needs::default());
    assert_eq!((plain.model.id.as_str(), why.len()), ("near/plain", 3));
    let anthropics = request("inference.messages");
    let choice = choose(&history.snapshot, &caller(tenant, "user:alice"), &anthropics).unwrap();
    assert_eq!(choice.model.id.as_str(), "far/claude");
}

#[test]
fn a_model_that_declares_nothing_is_tried_and_one_that_does_must_have_it_all() {
    for (to, tools, long) in [
        ("near/silent", true, true),
        ("near/unlisted", true, true),
        ("near/plain", false, false),
        ("near/able", true, true),
    ] {
        let mut history = world();
        perform(&mut history, Command::CreateFallback(rule(1, to))).unwrap();
        let tenant = history.tenant("acme").unwrap();
        let asking = caller(tenant, "user:alice");
        for capability in Capability::ALL {
            let (choice, _) = served(&history, &asking, needing(capability));
            assert_eq!(choice.decision.allowed(), tools, "{to} {capability:?}");
        }
        let many = Needs {
            capabilities: Vec::new(),
            context_tokens: Some(1_001),
        };
        let (choice, why) = served(&history, &asking, many);
        assert_eq!(choice.decision.allowed(), long, "{to}");
        let too_long = Unfit::TooLong {
            needed: 1_001,
            fits: 1_000,
        };
        assert_eq!(why, if long { vec![] } else { vec![too_long] });
    }
}

#[test]
fn a_rule_may_be_for_those_whose_token_carries_a_group() {
    let mut history = world();
    let (issuer, value): (Name, Arc<str>) = ("okta".parse().unwrap(), Arc::from("engineers"));
    let engineers = Fallback {
        groups: vec![Subject::Group {
            issuer: issuer.clone(),
            value: value.clone(),
        }],
        ..rule(1, "near/able")
    };
    let nonsense = Fallback {
        groups: vec!["team:payments".parse().unwrap()],
        ..rule(2, "near/able")
    };
    assert!(perform(&mut history, Command::CreateFallback(nonsense)).is_err());
    perform(&mut history, Command::CreateFallback(engineers)).unwrap();
    let tenant = history.tenant("acme").unwrap();
    let plain = caller(tenant, "user:alice");
    assert_eq!(served(&history, &plain, Needs::default()).1, [Unfit::OtherPeople]);
    let groups = [(issuer, value)];
    let engineer = Caller {
        groups: &groups,
        ..plain
    };
    assert!(served(&history, &engineer, Needs::default()).0.decision.allowed());
}

#[test]
fn needs_are_looked_for_once_and_only_where_a_substitute_is_considered() {
    let mut history = world();
    let looked = Cell::new(0);
    let ask = |history: &History, requested: &str| {
        let tenant = history.tenant("acme").unwrap();
        let request = ModelRequest {
            requested,
            ..request("inference.chat")
        };
        let needs = || {
            looked.set(looked.get() + 1);
            needing(Capability::Vision)
        };
        let choice = choose_for(&history.snapshot, &caller(tenant, "user:alice"), &request, needs);
        choice.unwrap().decision.allowed()
    };
    assert!(!ask(&history, "near/dear"));
    for (number, to) in [(1, "near/secret"), (2, "far/claude")] {
        perform(&mut history, Command::CreateFallback(rule(number, to))).unwrap();
    }
    assert!(!ask(&history, "near/dear"));
    assert!(ask(&history, "near/able"));
    assert_eq!(looked.get(), 0);
    for (number, to) in [(3, "near/plain"), (4, "near/able")] {
        perform(&mut history, Command::CreateFallback(rule(number, to))).unwrap();
    }
    assert!(ask(&history, "near/dear"));
    assert_eq!(looked.get(), 1);
}
