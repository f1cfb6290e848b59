//! What a plan would change is what the decision function says before and after.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use turnpike_access::{
    audit::{AuditRecord, Ending, Outcome, TokenFacts, Usage},
    authenticate::Caller,
    choose::INFERENCE_ACTIONS,
    decide::{Request, decide},
    grant::{AuthMethod, Circumstances},
    id::{ModelId, Timestamp},
    policy::{
        judge::failing,
        replay::{Otherwise, Replay, Report},
        survey::{Change, Survey},
    },
    resolve,
    snapshot::Snapshot,
};

use super::{
    acme,
    example::{after, policy},
    planned,
};
use crate::{
    commands::steps,
    history::History,
    world::{START, cases},
};

/// Who may do what with which model, by key.
pub(super) type Rights = BTreeSet<(String, String, String)>;

fn by_key(now: Timestamp) -> Circumstances<'static> {
    Circumstances {
        now,
        method: AuthMethod::ApiKey,
        issuer: None,
        issued: None,
        client: None,
    }
}

pub(super) fn rights(snapshot: &Snapshot, models: &BTreeSet<ModelId>) -> Rights {
    let mut rights = Rights::new();
    let Some(tenant) = snapshot.tenant("acme") else {
        return rights;
    };
    let accounts = tenant.accounts().into_iter();
    let living = accounts.filter(|held| !held.account.profile.deactivated && !tenant.settings().suspended);
    for held in living {
        let caller = Caller::of(tenant, held, AuthMethod::ApiKey);
        for (action, id) in INFERENCE_ACTIONS
            .iter()
            .flat_map(|action| models.iter().map(move |id| (*action, id)))
        {
            let Some(model) = resolve::by_id(snapshot, tenant, id) else {
                continue;
            };
            let request = Request {
                action,
                resource: model.resource(),
                circumstances: by_key(START),
            };
            if decide(snapshot, &caller, &request).allowed() {
                let who = held.account.principal.to_string();
                rights.insert((who, action.to_owned(), id.to_string()));
            }
        }
    }
    rights
}

pub(super) fn listed(snapshot: &Snapshot) -> BTreeSet<ModelId> {
    let models = snapshot.tenant("acme").map(|tenant| tenant.models());
    models
        .into_iter()
        .flatten()
        .map(|model| model.id.clone())
        .collect()
}

fn surveyed(before: &Snapshot, after: &Snapshot, at_once: usize) -> Vec<Change> {
    let states = (Arc::new(before.clone()), Arc::new(after.clone()));
    let survey = Survey::new(states, acme(), START, Vec::new());
    let parts = (0..survey.everybody()).step_by(at_once);
    parts.flat_map(|from| survey.part(from, at_once)).collect()
}

/// What accounts gain, or lose, by key, on listed models.
fn told(changes: &[Change], gains: bool, models: &BTreeSet<ModelId>) -> Rights {
    let usual = changes
        .iter()
        .filter(|change| change.gains == gains && change.way.is_none());
    let each = usual.flat_map(|change| {
        let pairs = change
            .actions
            .iter()
            .flat_map(|action| change.models.iter().map(move |model| (action, model)));
        pairs.map(|(action, model)| (change.who.clone(), action.to_string(), model.to_string()))
    });
    let known = |right: &(String, String, String)| models.iter().any(|id| id.as_str() == right.2);
    each.filter(|right| known(right) && !right.0.starts_with("group:"))
        .collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn who_gains_and_who_loses_is_what_the_decision_says_before_and_after(
        before in steps(30),
        more in steps(20),
        at_once in 1_usize..4,
    ) {
        let mut history = History::of(&before);
        let was = history.snapshot.clone();
        for step in &more {
            let _ = history.perform(step);
        }
        let is = &history.snapshot;
        let models: BTreeSet<ModelId> = listed(&was).union(&listed(is)).cloned().collect();
        let (had, has) = (rights(&was, &models), rights(is, &models));
        let changes = surveyed(&was, is, at_once);
        prop_assert_eq!(told(&changes, true, &models), has.difference(&had).cloned().collect::<Rights>());
        prop_assert_eq!(told(&changes, false, &models), had.difference(&has).cloned().collect::<Rights>());
    }

    #[test]
    fn a_plan_that_changes_nothing_widens_and_narrows_nothing(steps in steps(30)) {
        let history = History::of(&steps);
        prop_assert_eq!(surveyed(&history.snapshot, &history.snapshot, 10), []);
    }
}

const BEFORE: &str = "roles: [{name: talkers, actions: [inference.chat]}], \
    grants: [{subject: 'user:alice', role: talkers, selector: {resources: [{kind: model, name: 'open/*'}]}}]";
/// Alice loses `open/small`, for which she gets `closed/small`; engineers get in by token, bob from one network.
const AFTER: &str = "roles: [{name: talkers, actions: [inference.chat]}], \
    fallbacks: [{from: open/small, to: closed/small}], \
    grants: [{subject: 'user:alice', role: talkers, selector: {resources: [{kind: model, name: open/large}, \
              {kind: model, name: closed/small}]}}, \
             {subject: 'group:okta/engineers', role: talkers}, \
             {subject: 'user:bob', role: talkers, conditions: {networks: [10.0.0.0/8]}, \
              selector: {resources: [{kind: model, name: open/small}]}}]";

#[test]
fn gains_and_losses_are_told_for_groups_and_for_ways_of_calling_too() {
    let history = after(&[BEFORE]);
    let plan = planned(&history.snapshot, &policy(AFTER), true).unwrap();
    let changes = surveyed(&history.snapshot, &plan.after, 10);
    let said = |who: &str, gains: bool| -> Vec<(Vec<&str>, Option<&str>)> {
        let these = changes.iter().filter(|one| one.who == who && one.gains == gains);
        let told = these.map(|one| {
            assert_eq!(one.actions, [Arc::from("inference.chat")], "{one:?}");
            (one.models.iter().map(AsRef::as_ref).collect(), one.way.as_deref())
        });
        told.collect()
    };
    assert_eq!(said("user:alice", true), [(vec!["closed/small"], None)]);
    assert_eq!(
        said("user:alice", false),
        [(vec!["open/*", "open/org/large", "open/small"], None)]
    );
    let all = vec![
        "closed/large",
        "closed/small",
        "open/*",
        "open/large",
        "open/org/large",
        "open/small",
    ];
    assert_eq!(said("group:okta/engineers", true), [(all, None)]);
    let way = Some("by api_key from 10.0.0.0");
    assert_eq!(said("user:bob", true), [(vec!["open/small"], way)]);
}

/// A request of somebody by key for a chat, as an edge records it.
pub(super) fn asked(principal: &str, model: &str) -> AuditRecord {
    AuditRecord {
        time: START,
        request_id: Arc::from(format!("req_{principal}_{model}")),
        decision_id: None,
        trace_id: None,
        tenant: Some(Arc::from("acme")),
        principal: Some(Arc::from(principal)),
        credential: None,
        auth_method: Some(Arc::from("api_key")),
        token: None,
        route: Arc::from("POST /v1/chat/completions"),
        action: Some(Arc::from("inference.chat")),
        subject: None,
        resource: None,
        model_requested: Some(Arc::from(model)),
        model_served: None,
        fallback_from: None,
        provider: model.split_once('/').map(|(provider, _)| Arc::from(provider)),
        environment: None,
        outcome: Outcome::Allowed,
        reason: Arc::from("granted"),
        grants: Vec::new(),
        status: 200,
        upstream_status: None,
        latency_us: 1,
        first_token_us: None,
        usage: Usage::default(),
        billing: Default::default(),
        streamed: false,
        ending: Ending::Complete,
        client: None,
        user_agent: None,
        metadata: Vec::new(),
        region: Arc::from("local"),
        position: 1,
    }
}

fn replayed(records: &[AuditRecord]) -> Report {
    let history = after(&[BEFORE]);
    let plan = planned(&history.snapshot, &policy(AFTER), true).unwrap();
    let mut replay = Replay::new(Arc::new(history.snapshot.clone()), plan.after);
    records.iter().for_each(|record| replay.take(record));
    replay.report
}

/// Requests of all kinds.
fn many_kinds() -> Vec<AuditRecord> {
    let token = TokenFacts {
        issuer: Arc::from("okta"),
        claim: Arc::from("carol"),
        groups: vec![Arc::from("okta/engineers")],
        groups_cut: false,
        id: None,
    };
    let by_token = AuditRecord {
        auth_method: Some(Arc::from("jwt")),
        token: Some(Arc::new(token)),
        ..asked("user:carol", "open/large")
    };
    let at_home = AuditRecord {
        client: Some("10.1.1.1".parse().unwrap()),
        ..asked("user:bob", "open/small")
    };
    let about_alice = AuditRecord {
        subject: Some(Arc::from("user:alice")),
        ..asked("virtual-account:bot", "open/org/large")
    };
    let unknown = AuditRecord {
        provider: None,
        status: 404,
        ..asked("user:alice", "closed/none")
    };
    let nobody = AuditRecord {
        provider: None,
        status: 401,
        ..asked("user:alice", "open/small")
    };
    vec![
        asked("user:alice", "open/large"),
        asked("user:alice", "open/small"),
        by_token,
        at_home,
        asked("user:bob", "open/small"),
        about_alice,
        unknown,
        nobody,
    ]
}

#[test]
fn recorded_requests_are_judged_by_who_asked_how_and_about_whom() {
    let report = replayed(&many_kinds());
    assert_eq!((report.seen, report.judged), (8, 7));
    let ids = |kind: Otherwise| -> Vec<String> {
        let kept = report.otherwise.get(&kind).map(|(_, examples)| examples);
        kept.into_iter()
            .flatten()
            .map(|one| one.request_id.to_string())
            .collect()
    };
    assert_eq!(ids(Otherwise::OtherModel), ["req_user:alice_open/small"]);
    assert_eq!(
        ids(Otherwise::Allowed),
        ["req_user:carol_open/large", "req_user:bob_open/small"]
    );
    assert_eq!(
        ids(Otherwise::Refused),
        ["req_virtual-account:bot_open/org/large"]
    );
    let counted = &report.principals["user:alice"];
    assert_eq!(
        counted.get(&Otherwise::Refused),
        Some(&1),
        "it is about her, whoever asked"
    );
}

#[test]
fn of_many_requests_that_would_go_otherwise_ten_are_shown_and_all_are_counted() {
    let records: Vec<AuditRecord> = (0..25).map(|_| asked("user:alice", "open/org/large")).collect();
    let report = replayed(&records);
    let (count, examples) = &report.otherwise[&Otherwise::Refused];
    assert_eq!((*count, examples.len()), (25, 10));
}

#[test]
fn tests_hold_or_fail_with_what_is_so_instead() {
    let text = format!(
        "{AFTER}, tests: [\
         {{may: {{principal: 'user:alice', action: inference.chat, model: open/large}}}}, \
         {{may: {{principal: 'user:alice', action: inference.chat, model: open/small, served: closed/small}}}}, \
         {{may: {{principal: 'user:alice', action: inference.chat, model: open/small, groups: [okta/engineers]}}}}, \
         {{may-not: {{principal: 'user:bob', action: inference.chat, model: open/small}}}}, \
         {{may: {{principal: 'user:bob', action: inference.chat, model: open/small, client: 10.2.3.4}}}}, \
         {{may-not: {{principal: 'user:alice', action: prompts.edit, resource: 'prompt:x'}}}}, \
         {{may: {{principal: 'user:alice', action: inference.chat, model: open/small}}}}, \
         {{may-not: {{principal: 'user:alice', action: inference.chat, model: open/large}}}}, \
         {{may: {{principal: 'user:alice', action: inference.chat, model: open/small, served: open/large}}}}, \
         {{may: {{principal: 'user:nobody', action: inference.chat, model: open/small}}}}]"
    );
    let wanted = policy(&text);
    let history = History::of(&[]);
    let plan = planned(&history.snapshot, &wanted, true).unwrap();
    let failed = failing(&plan.after, &acme(), &wanted.tests, START);
    let told: Vec<String> = failed
        .iter()
        .map(|one| format!("{} | {}", one.test, one.why))
        .collect();
    let expected = [
        (
            "may: user:alice inference.chat open/small",
            "no grant allows it; the nearest is grant",
        ),
        (
            "may-not: user:alice inference.chat open/large",
            "a grant allows it and none denies it: grant",
        ),
        (
            "may: user:alice inference.chat open/small, served open/large",
            "closed/small is served in its place",
        ),
        (
            "may: user:nobody inference.chat open/small",
            "there is no user:nobody",
        ),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (said, (test, why)) in told.iter().zip(expected) {
        assert!(said.starts_with(&format!("{test} | {why}")), "{said}");
    }
}
