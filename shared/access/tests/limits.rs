//! Budgets: whom they bind, until when, and what is served to those who have spent theirs.

use std::sync::Arc;

use proptest::prelude::*;
use turnpike_access::{
    choose::{Choice, ModelRequest, choose},
    command::Command,
    decide::Reason,
    grant::{AuthMethod, Circumstances, Effect, Grant},
    id::{Id, Name, Timestamp},
    ledger::Refusal,
    limit::{Limit, Period},
    model::{Catalogue, Fallback, ProviderKind, ProviderProfile},
};

use crate::{
    commands::Step,
    history::{History, caller},
    world::model,
};

const UNTIL: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn perform(history: &mut History, command: Command) -> Result<usize, Refusal> {
    let tenant: Name = "acme".parse().unwrap();
    history.perform(&Step { tenant, command })
}

fn limit(name: &str, subject: Option<&str>) -> Limit {
    Limit {
        name: name.parse().unwrap(),
        subject: subject.map(|text| text.parse().unwrap()),
        budget: 5_000_000,
        per: Period::Month,
    }
}

/// Alice and the bot may use every model of `near`.
fn world() -> History {
    let mut history = History::of(&[]);
    let profile = ProviderProfile {
        kind: ProviderKind::Openai,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: None,
        catalogue: Catalogue::Open,
        tags: Default::default(),
        identity: None,
    };
    let name = "near".parse().unwrap();
    perform(&mut history, Command::CreateProvider { name, profile }).unwrap();
    for (number, subject) in [(1, "user:alice"), (2, "virtual-account:bot")] {
        let grant = Grant {
            id: Id::from_random(7_500 + number),
            subject: subject.parse().unwrap(),
            role: "developer".parse().unwrap(),
            effect: Effect::Allow,
            selector: Default::default(),
            conditions: Default::default(),
            reason: None,
            owner: None,
        };
        perform(&mut history, Command::CreateGrant(grant)).unwrap();
    }
    history
}

fn asked<'s>(history: &'s History, who: &str, now: Timestamp, accepts_fallback: bool) -> Choice<'s> {
    let tenant = history.tenant("acme").unwrap();
    let request = ModelRequest {
        action: "inference.chat",
        requested: "near/dear",
        provider: None,
        circumstances: Circumstances {
            now,
            method: AuthMethod::ApiKey,
            issuer: None,
            issued: None,
            client: None,
        },
        accepts_fallback,
    };
    choose(&history.snapshot, &caller(tenant, who), &request).unwrap()
}

fn spend(history: &mut History, limit: &Limit) -> usize {
    let (limit, until) = (limit.clone(), UNTIL);
    perform(history, Command::SpendLimit { limit, until }).unwrap()
}

#[test]
fn who_has_spent_a_budget_is_refused_until_its_period_is_over_and_nobody_else_is() {
    let before = UNTIL.plus_seconds(-1);
    for (subject, binds_alice, binds_bot) in [
        (Some("user:alice"), true, false),
        (Some("virtual-account:bot"), false, true),
        (Some("team:payments"), true, false),
        (None, true, true),
    ] {
        let mut history = world();
        let team = "payments".parse::<Name>().unwrap();
        let [alice, bot] = ["user:alice", "virtual-account:bot"].map(|who| who.parse().unwrap());
        let (joined, left) = (team.clone(), team);
        let join = Command::AddTeamMember {
            team: joined,
            principal: alice,
        };
        let leave = Command::RemoveTeamMember {
            team: left,
            principal: bot,
        };
        for command in [join, leave] {
            perform(&mut history, command).unwrap();
        }
        let limit = limit("monthly", subject);
        perform(&mut history, Command::CreateLimit(limit.clone())).unwrap();
        assert!(asked(&history, "user:alice", before, true).decision.allowed());
        assert_eq!(
            (spend(&mut history, &limit), spend(&mut history, &limit)),
            (1, 0),
            "it is said once"
        );
        for (who, binds) in [("user:alice", binds_alice), ("virtual-account:bot", binds_bot)] {
            let reason = asked(&history, who, before, true).decision.reason;
            assert_eq!(reason == Reason::OverBudget, binds, "{subject:?} {who}");
            assert!(
                asked(&history, who, UNTIL, true).decision.allowed(),
                "the next period has begun"
            );
        }
    }
}

#[test]
fn over_budget_a_rule_for_that_names_what_is_served_and_rules_for_the_denied_do_not() {
    let mut history = world();
    let limit = limit("all", None);
    perform(&mut history, Command::CreateLimit(limit.clone())).unwrap();
    for (number, to, over_budget) in [(1, "near/denied", false), (2, "near/cheap", true)] {
        let rule = Fallback {
            id: Id::from_random(7_000 + number),
            from: "near/d*".parse().unwrap(),
            to: model(to),
            teams: Vec::new(),
            groups: Vec::new(),
            over_budget,
        };
        perform(&mut history, Command::CreateFallback(rule)).unwrap();
    }
    let before = UNTIL.plus_seconds(-1);
    assert!(asked(&history, "user:alice", before, true).fallback.is_none());
    spend(&mut history, &limit);
    let choice = asked(&history, "user:alice", before, true);
    assert_eq!(
        (choice.model.id.as_str(), choice.decision.allowed()),
        ("near/cheap", true)
    );
    let declined = asked(&history, "user:alice", before, false);
    assert_eq!(declined.decision.reason, Reason::OverBudget);
}

#[test]
fn another_budget_is_counted_anew_and_what_was_counted_against_the_old_one_is_not_said() {
    let mut history = world();
    let old = limit("all", None);
    perform(&mut history, Command::CreateLimit(old.clone())).unwrap();
    spend(&mut history, &old);
    let (from, to) = (
        old.clone(),
        Limit {
            budget: 9_000_000,
            ..old.clone()
        },
    );
    perform(&mut history, Command::UpdateLimit { from, to }).unwrap();
    let before = UNTIL.plus_seconds(-1);
    assert!(asked(&history, "user:alice", before, true).decision.allowed());
    assert_eq!(spend(&mut history, &old), 0);
    assert!(asked(&history, "user:alice", before, true).decision.allowed());
}

#[test]
fn a_limit_is_of_somebody_who_is_there_and_goes_with_them() {
    let mut history = world();
    for nobody in ["user:nobody", "team:nobody", "group:okta/engineers"] {
        let refused = perform(&mut history, Command::CreateLimit(limit("odd", Some(nobody))));
        assert!(refused.is_err(), "{nobody}");
    }
    perform(
        &mut history,
        Command::CreateLimit(limit("bots", Some("virtual-account:bot"))),
    )
    .unwrap();
    assert!(perform(&mut history, Command::CreateLimit(limit("bots", None))).is_err());
    let principal = "virtual-account:bot".parse().unwrap();
    perform(&mut history, Command::DeleteAccount { principal }).unwrap();
    assert!(history.tenant("acme").unwrap().limits().is_empty());
}

#[test]
fn periods_begin_at_midnight_on_mondays_and_on_the_first() {
    let at = |text: &str| Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    for (period, now, start, end) in [
        (
            Period::Day,
            "2026-02-28T23:59:59Z",
            "2026-02-28T00:00:00Z",
            "2026-03-01T00:00:00Z",
        ),
        (
            Period::Week,
            "2026-11-30T00:00:00Z",
            "2026-11-30T00:00:00Z",
            "2026-12-07T00:00:00Z",
        ),
        (
            Period::Week,
            "2026-11-29T23:59:59Z",
            "2026-11-23T00:00:00Z",
            "2026-11-30T00:00:00Z",
        ),
        (
            Period::Month,
            "2024-02-29T12:00:00Z",
            "2024-02-01T00:00:00Z",
            "2024-03-01T00:00:00Z",
        ),
        (
            Period::Month,
            "2026-12-31T23:59:59Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
    ] {
        assert_eq!(
            period.around(at(now)),
            Some((at(start), at(end))),
            "{period:?} {now}"
        );
    }
}

proptest! {
    #[test]
    fn every_moment_is_in_its_period_and_the_next_one_begins_where_it_ends(seconds in 0_i64..4_000_000_000) {
        let now = Timestamp::from_micros(seconds * 1_000_000);
        for period in Period::ALL {
            let (start, end) = period.around(now).unwrap();
            prop_assert!(start <= now && now < end);
            prop_assert_eq!(period.around(end).map(|(start, _)| start), Some(end));
        }
    }
}
