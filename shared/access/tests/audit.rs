//! What is recorded of a verified token: whose it is and what it carries, within bounds.

use std::sync::Arc;

use turnpike_access::{
    audit::TokenFacts,
    grant::AuthMethod,
    id::Timestamp,
    log::Position,
    token::{Bearer, VerifiedToken},
};

fn token(claim: &str, groups: &[String]) -> VerifiedToken {
    let group = |group: &String| ("okta".parse().unwrap(), Arc::from(group.as_str()));
    VerifiedToken {
        tenant: "acme".parse().unwrap(),
        issuer: "okta".parse().unwrap(),
        subject: Arc::from("00u1"),
        id: Some(Arc::from("jti-1")),
        issued: Timestamp::from_micros(0),
        expires: Timestamp::from_micros(1),
        groups: groups.iter().map(group).collect(),
        bearer: Bearer::Foreign {
            method: AuthMethod::Jwt,
            claim: Arc::from(claim),
            just_in_time: None,
            revision: Position::default(),
        },
    }
}

#[test]
fn a_token_is_recorded_with_its_issuer_the_claim_that_found_the_principal_and_its_groups() {
    let facts = TokenFacts::of(&token("alice@acme.example", &["a".to_owned(), "b/c".to_owned()]));
    assert_eq!((&*facts.issuer, &*facts.claim), ("okta", "alice@acme.example"));
    assert_eq!(facts.groups, ["okta/a", "okta/b/c"].map(Arc::from));
    assert_eq!((facts.id.as_deref(), facts.groups_cut), (Some("jti-1"), false));
}

#[test]
fn what_a_token_carries_is_recorded_within_bounds_and_marked_when_it_is_cut() {
    let many: Vec<_> = (0..65).map(|n| n.to_string()).collect();
    let facts = TokenFacts::of(&token("a", &many));
    assert_eq!((facts.groups.len(), facts.groups_cut), (64, true));
    assert!(!TokenFacts::of(&token("a", &many[..64])).groups_cut);

    // With the issuer's name and the slash, twenty make 4100 bytes.
    let long: Vec<_> = (10..30).map(|n| format!("{n}{}", "x".repeat(198))).collect();
    let facts = TokenFacts::of(&token("a", &long));
    assert_eq!((facts.groups.len(), facts.groups_cut), (19, true));

    let claim = format!("{}\u{f6}", "x".repeat(199));
    let facts = TokenFacts::of(&token(&claim, &[]));
    assert_eq!(facts.claim.len(), 199, "cut at a character");
}
