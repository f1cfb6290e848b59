//! What an issuer's profile makes of good signatures: audiences, times, types, required claims, groups, principals.

use std::sync::Arc;

use serde_json::{Value, json};
use turnpike_access::{
    id::Principal,
    issuer::{Algorithm, IssuerProfile, JustInTime, PrincipalRule},
    token::{Bearer, VerifiedToken},
};

use super::{
    super::TokenFailure,
    world::{NOW, NOW_SECONDS, Pair, World, claims, claims_with, given, profile, tokens},
};

type Outcome = Result<Arc<VerifiedToken>, TokenFailure>;

/// What comes of a token with these claims changed, at an issuer with its profile changed.
async fn present(change: impl FnOnce(&mut IssuerProfile), changes: Value) -> Outcome {
    present_as(change, None, claims_with(changes)).await
}

async fn present_as(change: impl FnOnce(&mut IssuerProfile), kind: Option<&str>, claims: Value) -> Outcome {
    let pair = Pair::ed();
    let mut profile = profile(given(&[pair.jwk("k")]));
    change(&mut profile);
    let mut header = json!({"alg": "EdDSA", "kid": "k"});
    if let Some(kind) = kind {
        header["typ"] = kind.into();
    }
    let text = pair.token_of(Algorithm::EdDSA, &header.to_string(), &claims.to_string());
    let (tokens, world) = (tokens(), World::of(profile));
    tokens.verify(tokens.prepare(&world.0, &text, None)?, NOW).await
}

fn claim(outcome: Outcome) -> (String, Option<Principal>) {
    match &outcome.unwrap().bearer {
        Bearer::Foreign {
            claim, just_in_time, ..
        } => (claim.to_string(), just_in_time.clone()),
        Bearer::Own { .. } => panic!("not a foreign token"),
    }
}

#[tokio::test]
async fn a_token_for_somebody_else_is_refused() {
    for aud in [
        json!("API"),
        json!("other"),
        json!(["other"]),
        json!("api api"),
        json!(""),
    ] {
        assert_eq!(
            present(|_| {}, json!({"aud": aud})).await,
            Err(TokenFailure::Audience)
        );
    }
    assert!(present(|_| {}, json!({"aud": ["other", "api"]})).await.is_ok());
    assert_eq!(
        present(|_| {}, json!({"aud": null})).await,
        Err(TokenFailure::Audience)
    );
}

#[tokio::test]
async fn times_are_kept_with_the_leeway_and_no_more() {
    let at = |seconds: i64| NOW_SECONDS + seconds;
    for (leeway, changes, expected) in [
        (0, json!({"exp": at(0)}), Some(TokenFailure::Expired)),
        (0, json!({"exp": at(1)}), None),
        (30, json!({"exp": at(-29)}), None),
        (30, json!({"exp": at(-30)}), Some(TokenFailure::Expired)),
        (1000, json!({"exp": at(-60)}), Some(TokenFailure::Expired)),
        (0, json!({"nbf": at(1)}), Some(TokenFailure::NotYetValid)),
        (0, json!({"nbf": at(0)}), None),
        (30, json!({"nbf": at(30)}), None),
        (30, json!({"nbf": at(31)}), Some(TokenFailure::NotYetValid)),
        (0, json!({"iat": at(1)}), Some(TokenFailure::NotYetValid)),
        (60, json!({"iat": at(61)}), Some(TokenFailure::NotYetValid)),
        (0, json!({"iat": null}), None),
        (0, json!({"exp": NOW_SECONDS as f64 + 0.5}), None),
        (
            0,
            json!({"exp": NOW_SECONDS as f64 - 0.5}),
            Some(TokenFailure::Expired),
        ),
    ] {
        let outcome = present(|profile| profile.leeway_seconds = leeway, changes.clone()).await;
        assert_eq!(outcome.err(), expected, "{leeway} {changes}");
    }
    let token = present(|profile| profile.leeway_seconds = 30, json!({}))
        .await
        .unwrap();
    assert_eq!(token.expires, NOW.plus_seconds(630));
    assert_eq!(token.issued, NOW.plus_seconds(-10));
}

#[tokio::test]
async fn a_token_that_was_made_for_something_else_is_refused() {
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(present_as(|_| {}, Some(kind), claims()).await.is_ok(), "{kind}");
    }
    for kind in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JOSE", ""] {
        assert_eq!(
            present_as(|_| {}, Some(kind), claims()).await,
            Err(TokenFailure::Kind),
            "{kind}"
        );
    }
    let strict = |profile: &mut IssuerProfile| profile.access_tokens_only = true;
    assert!(present_as(strict, Some("at+JWT"), claims()).await.is_ok());
    assert_eq!(
        present_as(strict, Some("JWT"), claims()).await,
        Err(TokenFailure::Kind)
    );
    assert_eq!(present_as(strict, None, claims()).await, Err(TokenFailure::Kind));
}

#[tokio::test]
async fn a_token_that_is_bound_to_its_sender_is_no_bearer_token_unless_its_issuer_is_to_be_taken_so() {
    let bound = [
        json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
        json!({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}),
        json!({"cnf": "anything"}),
        json!({"token_type": "DPoP"}),
    ];
    for claims in bound {
        let refused = present(|_| {}, claims.clone()).await;
        assert_eq!(refused, Err(TokenFailure::SenderConstrained), "{claims}");
        let taken = present(|profile| profile.accept_sender_constrained = true, claims.clone());
        assert!(taken.await.is_ok(), "{claims}");
    }
    assert!(present(|_| {}, json!({"token_type": "Bearer"})).await.is_ok());
}

#[tokio::test]
async fn required_claims_must_hold_one_of_their_texts() {
    let required = |path: &'static str| {
        move |profile: &mut IssuerProfile| {
            profile.required = [(path.parse().unwrap(), vec!["a".into(), "b c".into()])].into();
        }
    };
    for good in [json!("a"), json!("b c"), json!(["x", "a"]), json!(["b c"])] {
        assert!(present(required("team"), json!({ "team": good })).await.is_ok());
    }
    for bad in [
        json!("A"),
        json!("x a"),
        json!("ab"),
        json!(["x"]),
        json!([]),
        json!(true),
        json!(null),
        json!({"a": 1}),
    ] {
        assert_eq!(
            present(required("team"), json!({ "team": bad })).await,
            Err(TokenFailure::Claim)
        );
    }
    assert!(present(required("scope"), json!({"scope": "x a"})).await.is_ok());
    assert!(
        present(required("/realm/roles"), json!({"realm": {"roles": ["a"]}}))
            .await
            .is_ok()
    );
    assert!(
        present(required("/realm/roles"), json!({"/realm/roles": "a"}))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn groups_are_vouched_for_by_their_issuer() {
    let with = |profile: &mut IssuerProfile| {
        profile.groups = vec!["groups".parse().unwrap(), "/realm_access/roles".parse().unwrap()];
    };
    let changes = json!({"groups": ["b", "a", "b"], "realm_access": {"roles": ["c"]}});
    let token = present(with, changes).await.unwrap();
    let groups: Vec<_> = token
        .groups
        .iter()
        .map(|(issuer, value)| format!("{issuer}/{value}"))
        .collect();
    assert_eq!(groups, ["okta/a", "okta/b", "okta/c"]);
    assert!(present(with, json!({})).await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn groups_that_cannot_all_be_seen_are_refused() {
    let with = |profile: &mut IssuerProfile| profile.groups = vec!["groups".parse().unwrap()];
    let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(
        present(with, json!({"groups": many(256)}))
            .await
            .unwrap()
            .groups
            .len(),
        256
    );
    for changes in [
        json!({"groups": many(257)}),
        json!({"groups": ["x".repeat(257)]}),
        json!({"groups": [""]}),
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {}}),
    ] {
        assert_eq!(present(with, changes).await, Err(TokenFailure::Claim));
    }
}

#[tokio::test]
async fn an_email_counts_only_where_it_is_verified() {
    let by_email = |profile: &mut IssuerProfile| {
        profile.claim = "email".parse().unwrap();
        profile.principal = PrincipalRule::Email {};
    };
    let email = |verified: Value| json!({"email": "Alice@Example.COM", "email_verified": verified});
    assert_eq!(
        claim(present(by_email, email(json!(true))).await).0,
        "alice@example.com"
    );
    assert_eq!(
        claim(present(by_email, json!({"email": "a@b.c"})).await).0,
        "a@b.c"
    );
    for verified in [json!(false), json!("true"), json!(1), json!("false")] {
        assert_eq!(present(by_email, email(verified)).await, Err(TokenFailure::Claim));
    }
    // The Kelvin sign is not a k.
    let kelvin = claim(present(by_email, json!({"email": "\u{212a}im@example.com"})).await).0;
    assert_ne!(kelvin, "kim@example.com");
}

#[tokio::test]
async fn a_user_just_in_time_is_one_whose_claim_is_a_name() {
    let user = |name: &str| Some(Principal::User(name.parse().unwrap()));
    let jit = |profile: &mut IssuerProfile| profile.just_in_time = Some(JustInTime::default());
    assert_eq!(
        claim(present(jit, json!({"sub": "Alice"})).await),
        ("Alice".to_owned(), user("alice"))
    );
    assert_eq!(claim(present(jit, json!({"sub": "auth0|7"})).await).1, None);
    assert_eq!(claim(present(|_| {}, json!({})).await).1, None);
    let account = |profile: &mut IssuerProfile| {
        jit(profile);
        profile.principal = PrincipalRule::Name {
            virtual_account: true,
        };
    };
    assert_eq!(claim(present(account, json!({})).await).1, None);
    let person = |profile: &mut IssuerProfile| {
        jit(profile);
        profile.principal = PrincipalRule::Name {
            virtual_account: false,
        };
    };
    assert_eq!(claim(present(person, json!({})).await).1, user("alice"));
}
