//! Which edges are known, and what it takes to become one.

use std::sync::Arc;

use turnpike_access::{
    command::Command,
    edge::{Duty, EdgeChange, LONGEST_INVITATION},
    id::{Id, Name},
    ledger::Refusal,
};

use crate::{
    commands::{Step, invitation},
    history::History,
};

const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const OTHER: &str = "2xqYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn edge() -> Name {
    "edge-eu".parse().unwrap()
}

fn perform(history: &mut History, change: EdgeChange) -> Result<usize, Refusal> {
    let (tenant, edge) = (Name::platform(), edge());
    let command = Command::ChangeEdge { edge, change };
    history.perform(&Step { tenant, command })
}

fn invite(history: &mut History, id: u128, seconds: i64) -> Result<usize, Refusal> {
    let invitation = invitation(id, history.now().plus_seconds(seconds));
    perform(history, EdgeChange::Invite(invitation))
}

fn enrol(history: &mut History, id: u128, key: &str) -> Result<usize, Refusal> {
    let change = EdgeChange::Enrol {
        invitation: Id::from_random(id),
        key: Arc::from(key),
    };
    perform(history, change)
}

fn revoke(history: &mut History) -> Result<usize, Refusal> {
    let change = EdgeChange::Revoke {
        reason: Arc::from("stolen"),
    };
    perform(history, change)
}

fn is_known_by(history: &History, key: &str) -> bool {
    let edge = history.snapshot.edges().known_by(key);
    edge.is_some_and(|edge| edge.duty != Duty::Revoked)
}

#[test]
fn a_token_lets_one_key_in_until_it_expires_and_may_be_shown_again_with_that_key() {
    let mut history = History::of(&[]);
    assert!(matches!(enrol(&mut history, 1, KEY), Err(Refusal::NotNow(_))));
    assert_eq!(invite(&mut history, 1, 10), Ok(1));
    assert!(matches!(enrol(&mut history, 2, KEY), Err(Refusal::NotNow(_))));
    assert!(matches!(
        enrol(&mut history, 1, "short"),
        Err(Refusal::Invalid(_))
    ));
    assert_eq!(enrol(&mut history, 1, KEY), Ok(1));
    assert_eq!(enrol(&mut history, 1, KEY), Ok(0), "the answer was lost");
    assert!(matches!(enrol(&mut history, 1, OTHER), Err(Refusal::NotNow(_))));
    assert!(is_known_by(&history, KEY) && !is_known_by(&history, OTHER));
    while history.now()
        < history
            .snapshot
            .edges()
            .get("edge-eu")
            .unwrap()
            .enrolment
            .as_ref()
            .unwrap()
            .invitation
            .expires
    {
        let _ = perform(&mut history, EdgeChange::Resume);
    }
    assert!(matches!(enrol(&mut history, 1, KEY), Err(Refusal::NotNow(_))));
    assert!(is_known_by(&history, KEY), "it came in before");
}

#[test]
fn a_token_that_has_expired_or_would_live_too_long_lets_nobody_in() {
    let mut history = History::of(&[]);
    for seconds in [0, LONGEST_INVITATION + 2] {
        assert!(matches!(
            invite(&mut history, 1, seconds),
            Err(Refusal::Invalid(_))
        ));
    }
    assert_eq!(invite(&mut history, 1, 2), Ok(1));
    assert_eq!(perform(&mut history, EdgeChange::Drain), Ok(1));
    assert!(matches!(enrol(&mut history, 1, KEY), Err(Refusal::NotNow(_))));
}

#[test]
fn an_edge_that_is_enrolled_anew_is_known_by_its_new_key_alone() {
    let mut history = History::of(&[]);
    invite(&mut history, 1, 100).unwrap();
    enrol(&mut history, 1, KEY).unwrap();
    invite(&mut history, 2, 100).unwrap();
    assert!(is_known_by(&history, KEY), "until the token is shown");
    assert_eq!(enrol(&mut history, 2, OTHER), Ok(1));
    assert!(!is_known_by(&history, KEY) && is_known_by(&history, OTHER));
    assert!(matches!(enrol(&mut history, 1, KEY), Err(Refusal::NotNow(_))));
}

#[test]
fn a_revoked_edge_is_known_by_no_key_and_its_tokens_are_withdrawn_until_it_is_enrolled_anew() {
    let mut history = History::of(&[]);
    assert!(
        matches!(revoke(&mut history), Err(Refusal::NotNow(_))),
        "the keyring lets it in"
    );
    invite(&mut history, 1, 100).unwrap();
    enrol(&mut history, 1, KEY).unwrap();
    invite(&mut history, 2, 100).unwrap();
    assert_eq!(revoke(&mut history), Ok(1));
    assert_eq!(revoke(&mut history), Ok(0));
    assert_eq!(history.snapshot.edges().duty("edge-eu"), Duty::Revoked);
    for (token, key) in [(1, KEY), (2, KEY), (2, OTHER)] {
        assert!(matches!(enrol(&mut history, token, key), Err(Refusal::NotNow(_))));
        assert!(!is_known_by(&history, key));
    }
    for change in [EdgeChange::Drain, EdgeChange::Resume] {
        assert!(matches!(perform(&mut history, change), Err(Refusal::NotNow(_))));
    }
    invite(&mut history, 3, 100).unwrap();
    assert_eq!(history.snapshot.edges().duty("edge-eu"), Duty::Revoked);
    enrol(&mut history, 3, OTHER).unwrap();
    assert_eq!(history.snapshot.edges().duty("edge-eu"), Duty::Serve);
    assert_eq!(perform(&mut history, EdgeChange::Forget), Ok(1));
    assert!(!is_known_by(&history, OTHER));
}

#[test]
fn edges_are_drained_and_resumed_whether_or_not_they_have_enrolled() {
    let mut history = History::of(&[]);
    let duty = |history: &History| history.snapshot.edges().duty("edge-eu");
    for expected in [1, 0] {
        assert_eq!(perform(&mut history, EdgeChange::Drain), Ok(expected));
        assert_eq!(duty(&history), Duty::Drain);
    }
    for expected in [1, 0] {
        assert_eq!(perform(&mut history, EdgeChange::Resume), Ok(expected));
        assert_eq!(duty(&history), Duty::Serve);
    }
    let (edge, change) = (edge(), EdgeChange::Drain);
    let command = Command::ChangeEdge { edge, change };
    let tenant = "acme".parse().unwrap();
    assert!(matches!(
        history.perform(&Step { tenant, command }),
        Err(Refusal::Invalid(_))
    ));
}
