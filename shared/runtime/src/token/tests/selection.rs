//! Which issuer a token goes to, and what is remembered of it.

use std::sync::Arc;

use serde_json::json;
use turnpike_access::{id::Timestamp, issuer::Algorithm};

use super::{
    super::{
        TokenFailure,
        remember::{Epoch, Remembered, digest},
    },
    world::{NOW, Pair, World, claims, claims_with, given, profile, tokens},
};

#[tokio::test]
async fn issuer_and_audience_together_lead_to_a_tenant() {
    let pair = Pair::ed();
    let mut second = profile(given(&[pair.jwk("k")]));
    second.audiences = vec!["bolt-api".into()];
    let world = World::of(profile(given(&[pair.jwk("k")])))
        .tenant("bolt")
        .issuer("bolt", "okta", second);
    let tokens = tokens();
    for (aud, hint, expected) in [
        (json!("api"), None, Ok("acme")),
        (json!("bolt-api"), None, Ok("bolt")),
        (json!("bolt-api"), Some("bolt"), Ok("bolt")),
        (json!("bolt-api"), Some("acme"), Err(TokenFailure::Audience)),
        (
            json!("bolt-api"),
            Some("nobody"),
            Err(TokenFailure::IssuerUnknown),
        ),
        (
            json!(["bolt-api", "api"]),
            None,
            Err(TokenFailure::IssuerAmbiguous),
        ),
        (json!(["bolt-api", "api"]), Some("acme"), Ok("acme")),
        (json!("other"), None, Err(TokenFailure::Audience)),
    ] {
        let text = pair.token(Algorithm::EdDSA, "k", &claims_with(json!({"aud": aud})));
        let outcome = match tokens.prepare(&world.0, &text, hint) {
            Ok(pending) => tokens
                .verify(pending, NOW)
                .await
                .map(|token| token.tenant.to_string()),
            Err(failure) => Err(failure),
        };
        assert_eq!(outcome, expected.map(str::to_owned), "{aud} {hint:?}");
    }
}

#[tokio::test]
async fn an_issuer_is_known_by_its_exact_url() {
    let pair = Pair::ed();
    let world = World::of(profile(given(&[pair.jwk("k")])));
    for iss in [
        "https://issuer.example/",
        "https://ISSUER.example",
        "http://issuer.example",
        "",
        "okta",
    ] {
        let text = pair.token(Algorithm::EdDSA, "k", &claims_with(json!({"iss": iss})));
        assert_eq!(
            tokens().prepare(&world.0, &text, None).unwrap_err(),
            TokenFailure::IssuerUnknown,
            "{iss}"
        );
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_before_anybody_is_asked() {
    let world = World::of(profile(given(&[])));
    for text in ["", "a b", "tok\u{e9}n", "a\nb", "tab\t"] {
        assert_eq!(
            tokens().prepare(&world.0, text, None).unwrap_err(),
            TokenFailure::Malformed
        );
    }
    assert_eq!(
        tokens().prepare(&world.0, "opaque", None).unwrap_err(),
        TokenFailure::IssuerUnknown
    );
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_ends_or_is_forgotten() {
    let pair = Pair::ed();
    let world = World::of(profile(given(&[pair.jwk("k")])));
    let (tokens, text) = (tokens(), pair.token(Algorithm::EdDSA, "k", &claims()));
    assert!(tokens.remembered(&text, NOW).is_none());
    let pending = tokens.prepare(&world.0, &text, None).unwrap();
    assert!(!format!("{pending:?}").contains(&text[..8]));
    let token = tokens.verify(pending, NOW).await.unwrap();
    assert!(Arc::ptr_eq(&tokens.remembered(&text, NOW).unwrap(), &token));
    assert!(tokens.remembered(&text, NOW.plus_seconds(599)).is_some());
    assert!(tokens.remembered(&text, NOW.plus_seconds(600)).is_none());
    assert!(tokens.remembered(&format!("{text}A"), NOW).is_none());
    tokens.forget(&text);
    assert!(tokens.remembered(&text, NOW).is_none());
}

#[tokio::test]
async fn a_refused_token_is_not_remembered() {
    let pair = Pair::ed();
    let world = World::of(profile(given(&[Pair::ed().jwk("k")])));
    let (tokens, text) = (tokens(), pair.token(Algorithm::EdDSA, "k", &claims()));
    let pending = tokens.prepare(&world.0, &text, None).unwrap();
    assert_eq!(tokens.verify(pending, NOW).await, Err(TokenFailure::Signature));
    assert!(tokens.remembered(&text, NOW).is_none());
}

#[test]
fn memory_is_bounded_and_keeps_what_is_used() {
    let (memory, epoch) = (Remembered::new(100), Epoch::default());
    let until = Timestamp::from_micros(i64::MAX);
    let key = |n: usize| digest(&n.to_string());
    memory.add(key(0), 0, until, epoch.now());
    for n in 1..10_000 {
        memory.add(key(n), n, until, epoch.now());
        assert_eq!(memory.find(&key(0), NOW), Some(0), "used every time");
    }
    assert!(memory.len() <= 100, "{}", memory.len());
    assert_eq!(memory.find(&key(9_999), NOW), Some(9_999));
    assert_eq!(memory.find(&key(5), NOW), None);
    for n in 0..1000 {
        memory.add(key(n % 7), n, until, epoch.now());
        memory.forget(&key(n % 7));
    }
    assert!(memory.len() <= 100);
    epoch.raise();
    assert_eq!(memory.find(&key(9_999), NOW), None);
}

#[test]
fn failures_have_words_of_their_own() {
    use TokenFailure::*;
    let all = [
        Malformed,
        Header,
        Algorithm,
        Kind,
        IssuerUnknown,
        IssuerAmbiguous,
        Audience,
        KeyUnknown,
        Signature,
        Expired,
        NotYetValid,
        Claim,
        Inactive,
        SenderConstrained,
        IssuerUnavailable,
        KeysStale,
    ];
    let words: std::collections::BTreeSet<_> = all.iter().map(|one| one.as_str()).collect();
    assert_eq!(words.len(), all.len());
    assert_eq!(all.iter().filter(|one| one.is_unavailable()).count(), 2);
}
