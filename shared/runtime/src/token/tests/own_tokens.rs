//! Turnpike's own tokens: what the control plane signs, every edge accepts; nothing else is one.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use turnpike_access::{
    credential::Scope,
    event::Event,
    id::Id,
    issuer::TokenKey,
    token::{Bearer, GivenFor, VerifiedToken},
};

use super::{
    super::{
        TokenFailure, Tokens,
        own::{OwnClaims, TokenSigner, jwk, jwks},
    },
    world::{NOW, Pair, World, tokens},
};

const OWN_ISSUER: &str = "https://turnpike.example";

fn key(signer: &TokenSigner) -> TokenKey {
    TokenKey {
        id: signer.key_id().into(),
        issuer: OWN_ISSUER.into(),
        public_key: signer.public_key().into(),
        created: NOW,
    }
}

fn world(signer: &TokenSigner) -> World {
    World::default()
        .tenant("platform")
        .tenant("acme")
        .key(key(signer))
}

fn own_claims() -> OwnClaims {
    OwnClaims {
        issuer: OWN_ISSUER.into(),
        principal: "user:alice".parse().unwrap(),
        audiences: vec!["turnpike".into()],
        expires: NOW.plus_seconds(900),
        issued: NOW,
        id: "j1".into(),
        client_id: "cli".into(),
        tenant: "acme".parse().unwrap(),
        groups: vec![("okta".parse().unwrap(), "engineers".into())],
        scope: Some(Scope {
            actions: vec!["inference.*".parse().unwrap()],
            ..Scope::default()
        }),
        given_for: GivenFor::Token {
            issuer: "okta".parse().unwrap(),
            subject: "00u1".into(),
            id: Some("t1".into()),
            issued: NOW,
        },
    }
}

async fn present(tokens: &Tokens, world: &World, text: &str) -> Result<Arc<VerifiedToken>, TokenFailure> {
    tokens.verify(tokens.prepare(&world.0, text, None)?, NOW).await
}

#[tokio::test]
async fn what_was_signed_is_what_is_read() {
    let signer = TokenSigner::generate().unwrap();
    let signer = TokenSigner::from_pkcs8(signer.pkcs8().clone()).unwrap();
    for given_for in [own_claims().given_for, GivenFor::Credential(Id::from_random(7))] {
        let claims = OwnClaims {
            given_for,
            ..own_claims()
        };
        let token = present(&tokens(), &world(&signer), &signer.sign(&claims))
            .await
            .unwrap();
        let expected = VerifiedToken {
            tenant: claims.tenant,
            issuer: "turnpike".parse().unwrap(),
            subject: "user:alice".into(),
            id: Some(claims.id),
            issued: claims.issued,
            expires: claims.expires,
            groups: claims.groups,
            bearer: Bearer::Own {
                principal: claims.principal,
                scope: claims.scope.map(Box::new),
                given_for: claims.given_for,
            },
        };
        assert_eq!(*token, expected);
    }
}

#[tokio::test]
async fn claims_that_are_not_as_they_must_be_are_refused() {
    let signer = TokenSigner::generate().unwrap();
    let world = world(&signer);
    let with = |change: &dyn Fn(&mut OwnClaims)| {
        let mut claims = own_claims();
        change(&mut claims);
        signer.sign(&claims)
    };
    for (text, expected) in [
        (
            with(&|claims| claims.audiences = vec!["other".into()]),
            TokenFailure::Audience,
        ),
        (
            with(&|claims| claims.audiences = Vec::new()),
            TokenFailure::Audience,
        ),
        (
            with(&|claims| claims.expires = NOW.plus_seconds(3601)),
            TokenFailure::Claim,
        ),
        (
            with(&|claims| claims.expires = claims.issued),
            TokenFailure::Claim,
        ),
        (with(&|claims| claims.id = "".into()), TokenFailure::Claim),
        (
            with(&|claims| (claims.issued, claims.expires) = (NOW.plus_seconds(-900), NOW)),
            TokenFailure::Expired,
        ),
        (
            with(&|claims| (claims.issued, claims.expires) = (NOW.plus_seconds(61), NOW.plus_seconds(900))),
            TokenFailure::NotYetValid,
        ),
        (
            with(&|claims| claims.issuer = "https://other.example".into()),
            TokenFailure::IssuerUnknown,
        ),
    ] {
        assert_eq!(present(&tokens(), &world, &text).await, Err(expected));
    }
}

/// A token whose written claims are changed before it is signed.
fn edited(pair: &Pair, id: &str, kind: &str, edit: impl Fn(&mut Value)) -> String {
    let text = TokenSigner::generate().unwrap().sign(&own_claims());
    let claims = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    edit(&mut claims);
    let header = json!({"alg": "EdDSA", "typ": kind, "kid": id}).to_string();
    pair.token_of(
        turnpike_access::issuer::Algorithm::EdDSA,
        &header,
        &claims.to_string(),
    )
}

#[tokio::test]
async fn a_narrowing_that_is_not_understood_is_refused() {
    let pair = Pair::ed();
    let public_key = pair.jwk("k")["x"].as_str().unwrap().into();
    let key = TokenKey {
        id: "k".into(),
        issuer: OWN_ISSUER.into(),
        public_key,
        created: NOW,
    };
    let world = World::default().tenant("platform").key(key);
    let honest = edited(&pair, "k", "at+jwt", |_| {});
    assert!(present(&tokens(), &world, &honest).await.is_ok());
    let refused = |edit: &dyn Fn(&mut Value)| edited(&pair, "k", "at+jwt", edit);
    for text in [
        refused(&|claims| claims["turnpike"]["hours"] = json!("9-17")),
        refused(&|claims| claims["turnpike"]["scope"]["regions"] = json!(["eu"])),
        refused(&|claims| claims["turnpike"]["credential"] = json!("abcDEF123456")),
        refused(&|claims| drop(claims["turnpike"].as_object_mut().unwrap().remove("token"))),
        refused(&|claims| claims["sub"] = json!("alice")),
        refused(&|claims| claims["aud"] = json!("turnpike")),
        refused(&|claims| claims["exp"] = json!("9999999999")),
    ] {
        assert_eq!(present(&tokens(), &world, &text).await, Err(TokenFailure::Claim));
    }
    let untyped = edited(&pair, "k", "jwt", |_| {});
    assert_eq!(
        present(&tokens(), &world, &untyped).await,
        Err(TokenFailure::Kind)
    );
}

#[tokio::test]
async fn only_a_known_key_signs() {
    let (signer, stranger) = (TokenSigner::generate().unwrap(), TokenSigner::generate().unwrap());
    let unknown = present(&tokens(), &world(&signer), &stranger.sign(&own_claims())).await;
    assert_eq!(unknown, Err(TokenFailure::IssuerUnknown));
    let posing = edited(&Pair::ed(), signer.key_id(), "at+jwt", |_| {});
    assert_eq!(
        present(&tokens(), &world(&signer), &posing).await,
        Err(TokenFailure::Signature)
    );
}

#[tokio::test]
async fn what_a_removed_key_signed_is_forgotten() {
    let (old, new) = (TokenSigner::generate().unwrap(), TokenSigner::generate().unwrap());
    let (tokens, world) = (tokens(), world(&old).key(key(&new)));
    tokens.follow(&world.0);
    let text = old.sign(&own_claims());
    assert!(present(&tokens, &world, &text).await.is_ok());
    assert!(tokens.remembered(&text, NOW).is_some());
    let id = old.key_id().into();
    let world = world.event("platform", &Event::TokenKeyRemoved { id });
    tokens.follow(&world.0);
    assert!(tokens.remembered(&text, NOW).is_none());
    assert!(present(&tokens, &world, &text).await.is_err());
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    // RFC 8037, appendix A.3.
    let public = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    assert_eq!(
        super::super::own::thumbprint(public),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    let signer = TokenSigner::generate().unwrap();
    assert_eq!(
        signer.key_id(),
        super::super::own::thumbprint(signer.public_key())
    );
    let key = key(&signer);
    assert_eq!(jwk(&key)["kid"], signer.key_id());
    assert_eq!(jwks(std::slice::from_ref(&key))["keys"], json!([jwk(&key)]));
    assert!(!format!("{signer:?}").contains(&URL_SAFE_NO_PAD.encode(signer.pkcs8().expose())));
}
