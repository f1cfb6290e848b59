//! Access beside its use, and the narrower policy that follows from it.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use turnpike_access::{
    audit::{AuditRecord, TokenFacts},
    policy::replay::{Replay, Report},
    review::{Finding, Proposal, Review},
    role::BUILT_IN,
    snapshot::Snapshot,
};

use super::{
    acme,
    example::after,
    planned,
    rehearsal::{asked, listed, rights},
};
use crate::{
    commands::steps,
    history::History,
    world::{ACTIONS, Dice, MODELS, PRINCIPALS, SPAN, START, cases},
};

/// What the administration is: all that a viewer sees, and two things that change it.
fn administration() -> Vec<Arc<str>> {
    let (.., seen) = BUILT_IN[2];
    let all = seen.iter().chain(&["grants.write", "teams.write"]);
    all.map(|action| Arc::from(*action)).collect()
}

fn random_record(dice: &mut Dice<'_>) -> AuditRecord {
    let mut record = asked(dice.pick(&PRINCIPALS), dice.pick(&MODELS));
    record.time = dice.moment();
    record.action = Some(Arc::from(dice.pick(&ACTIONS)));
    if record.action.as_deref() == Some("prompts.edit") {
        record.resource = Some(Arc::from("team:open"));
    }
    if dice.one_in(3) {
        record.auth_method = Some(Arc::from("jwt"));
        record.token = Some(Arc::new(TokenFacts {
            issuer: Arc::from("okta"),
            claim: Arc::from("1"),
            groups: vec![Arc::from(dice.pick(&["okta/engineers", "okta/a/b"]))],
            groups_cut: false,
            id: None,
        }));
    }
    record.client = dice.one_in(2).then(|| "10.1.2.3".parse().unwrap());
    record
}

/// A review of all that there is, after everything that was granted.
fn reviewed(history: &History, records: &[AuditRecord]) -> Review {
    let since = START.plus_seconds(i64::try_from(SPAN).unwrap());
    let snapshot = Arc::new(history.snapshot.clone());
    let mut review = Review::new(snapshot, acme(), (since, START), administration());
    records.iter().for_each(|record| review.take(record));
    let own = history.log.iter().filter(|event| event.origin.tenant == acme());
    own.for_each(|event| review.see(event));
    review
}

fn replayed(now: &Snapshot, then: &Arc<Snapshot>, records: &[AuditRecord]) -> Report {
    let mut replay = Replay::new(Arc::new(now.clone()), then.clone());
    records.iter().for_each(|record| replay.take(record));
    replay.report
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_recorded_request_would_have_gone_otherwise_by_what_a_review_proposes(
        steps in steps(40),
        bytes in prop::collection::vec(any::<u8>(), 300),
    ) {
        let history = History::of(&steps);
        let mut dice = Dice::new(&bytes);
        let records: Vec<AuditRecord> = (0..40).map(|_| random_record(&mut dice)).collect();
        let Proposal { policy, notes } = reviewed(&history, &records).propose();
        if history.tenant("acme").is_none() {
            return Ok(());
        }
        let plan = planned(&history.snapshot, &policy, true);
        let plan = plan.map_err(|refusal| TestCaseError::fail(format!("{refusal}: {notes:?}")))?;
        let report = replayed(&history.snapshot, &plan.after, &records);
        prop_assert!(report.otherwise.is_empty(), "{:?} by {:?}", report.otherwise, notes);
        let models = listed(&history.snapshot);
        let (before, after) = (rights(&history.snapshot, &models), rights(&plan.after, &models));
        prop_assert!(after.is_subset(&before), "{:?}", after.difference(&before));
    }
}

/// An administrator, a developer who chats, one who has left off, somebody who only looks, and a virtual account of nobody.
const GRANTED: &str = "teams: [{name: payments, members: ['user:bob']}], \
    users: [{name: root}, {name: alice}, {name: bob}], \
    virtual-accounts: [{name: bot}, {name: owned, owner: 'team:payments'}, {name: left, owner: 'user:gone'}], \
    roles: [{name: callers, actions: [inference.chat, inference.embeddings]}], \
    grants: [{id: root00000000, subject: 'user:root', role: admin}, \
        {id: alice0000000, subject: 'user:alice', role: developer}, \
        {id: team00000000, subject: 'team:payments', role: developer}, \
        {id: looks0000000, subject: 'user:bob', role: viewer}, \
        {id: bot000000000, subject: 'virtual-account:bot', role: callers}]";

fn found(review: &Review, grant: &str) -> Vec<&'static str> {
    let rows = review.part(0, usize::MAX);
    let of = rows
        .iter()
        .filter(|row| row.held.is_some_and(|held| held.grant.id.as_str() == grant));
    of.flat_map(|row| row.findings.iter().map(Finding::as_str))
        .collect()
}

#[test]
fn a_review_tells_what_nobody_uses_what_is_wider_who_administers_and_what_nobody_answers_for() {
    let mut history = after(&[GRANTED]);
    history.log.clear();
    let chats = [
        asked("user:alice", "open/large"),
        asked("virtual-account:bot", "open/small"),
    ];
    let review = reviewed(&history, &chats);
    assert_eq!(found(&review, "alice0000000"), ["wider_than_use"]);
    assert_eq!(found(&review, "bot000000000"), ["wider_than_use", "no_owner"]);
    assert_eq!(found(&review, "team00000000"), ["unused"]);
    assert_eq!(
        found(&review, "looks0000000"),
        [""; 0],
        "looking leaves no record"
    );
    assert_eq!(found(&review, "root00000000"), ["unused", "standing_privilege"]);
    let rows = review.part(0, usize::MAX);
    let ownerless: Vec<String> = rows
        .iter()
        .filter(|row| row.findings.contains(&Finding::NoOwner))
        .map(|row| row.subject.to_string())
        .collect();
    assert_eq!(ownerless, ["virtual-account:bot", "virtual-account:left"]);
    let alice = rows
        .iter()
        .find(|row| row.subject.to_string() == "user:alice")
        .unwrap();
    assert_eq!((alice.used.times, alice.used.last), (1, Some(START)));

    let Proposal {
        policy: narrower,
        notes,
    } = review.propose();
    let plan = planned(&history.snapshot, &narrower, true).unwrap();
    let told: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "create role developer-used-1",
            "create role callers-used-1",
            "update grant alice0000000 user:alice as developer",
            "update grant bot000000000 virtual-account:bot as callers",
            "delete grant team00000000 team:payments as developer",
        ]
    );
    let role = plan
        .after
        .tenant("acme")
        .unwrap()
        .role("developer-used-1")
        .unwrap();
    assert!(role.covers("inference.chat") && role.covers("models.list") && !role.covers("inference.images"));
    assert_eq!(notes.len(), 4, "{notes:?}");
    let kept = |note: &String| note.starts_with("kept: root00000000");
    assert!(notes.iter().any(kept), "{notes:?}");
}

#[test]
fn a_grant_that_is_younger_than_what_was_looked_at_is_left_alone() {
    let history = after(&[GRANTED]);
    let since = START.plus_seconds(-1);
    let snapshot = Arc::new(history.snapshot.clone());
    let mut review = Review::new(snapshot, acme(), (since, START), administration());
    review.take(&asked("user:alice", "open/large"));
    for grant in ["alice0000000", "team00000000"] {
        assert_eq!(found(&review, grant), [""; 0]);
    }
    let plan = planned(&history.snapshot, &review.propose().policy, true).unwrap();
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
}

#[test]
fn whoever_changed_the_administration_used_what_allowed_it() {
    let mut history = after(&[GRANTED]);
    let command = turnpike_access::command::Command::CreateTeam {
        name: "new".parse().unwrap(),
        profile: Default::default(),
    };
    let step = crate::commands::Step {
        tenant: acme(),
        command,
    };
    history.perform(&step).unwrap();
    let mut made = history.log.pop().unwrap();
    made.origin.actor = Arc::from("user:root");
    history.log.clear();
    let mut review = reviewed(&history, &[]);
    assert_eq!(found(&review, "root00000000"), ["unused", "standing_privilege"]);
    review.see(&made);
    assert_eq!(found(&review, "root00000000"), ["standing_privilege"]);
}

#[test]
fn every_kind_of_event_but_the_first_is_a_change_that_somebody_was_allowed() {
    let source = include_str!("../../src/event.rs");
    let names = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#[serde(rename = \""));
    let kinds: BTreeSet<&str> = names
        .filter_map(|rest| rest.split_once(".v"))
        .map(|(kind, _)| kind)
        .collect();
    let known: BTreeSet<&str> = Review::kinds()
        .into_iter()
        .chain(["platform.bootstrapped"])
        .collect();
    assert_eq!(known, kinds);
}
