//! Opaque tokens: the issuer is asked once, in its own words, and its silence is not a refusal.

use std::sync::Arc;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use serde_json::{Value, json};
use turnpike_access::{
    grant::AuthMethod,
    issuer::{IssuerProfile, Verification},
    token::VerifiedToken,
};

use super::{
    super::{TokenFailure, TokenSettings, Tokens, issuer_purpose},
    world::{ISSUER, NOW, NOW_SECONDS, QUICK, Server, World, keyring, profile, tokens_with},
};
use crate::keyring::Keyring;

const SECRET: &str = "s3cr:t/ %";

fn asked(server: &Server, keyring: &Keyring, tenant: &str) -> IssuerProfile {
    let purpose = issuer_purpose(&tenant.parse().unwrap(), &"okta".parse().unwrap());
    profile(Verification::Introspection {
        url: format!("{}/introspect", server.url).into(),
        client_id: "turn pike".into(),
        sealed_secret: keyring
            .seal(&purpose, SECRET.as_bytes())
            .unwrap()
            .to_string()
            .into(),
    })
}

pub(super) struct Setup {
    pub(super) server: Arc<Server>,
    tokens: Arc<Tokens>,
    world: World,
}

pub(super) async fn setup() -> Setup {
    let (server, keyring) = (Server::start().await, keyring());
    let world = World::of(asked(&server, &keyring, "acme"));
    let tokens = tokens_with(TokenSettings::default(), keyring, QUICK);
    Setup {
        server,
        tokens,
        world,
    }
}

impl Setup {
    pub(super) async fn present(&self, text: &str) -> Result<Arc<VerifiedToken>, TokenFailure> {
        let pending = self.tokens.prepare(&self.world.0, text, None)?;
        self.tokens.verify(pending, NOW).await
    }

    pub(super) fn says(&self, answer: impl ToString) {
        self.server.says("/introspect", answer);
    }
}

pub(super) fn active() -> Value {
    json!({"active": true, "sub": "alice", "aud": "api", "exp": NOW_SECONDS + 30, "iat": NOW_SECONDS - 5})
}

#[tokio::test]
async fn an_active_token_is_accepted_and_remembered() {
    let setup = setup().await;
    setup.says(active());
    let token = setup.present("opaque+/=").await.unwrap();
    assert_eq!(
        (token.subject.as_ref(), token.method()),
        ("alice", AuthMethod::OauthToken)
    );
    assert_eq!(token.expires, NOW.plus_seconds(30));
    assert_eq!(token.issued, NOW.plus_seconds(-5));
    assert!(setup.tokens.remembered("opaque+/=", NOW).is_some());
    assert!(
        setup
            .tokens
            .remembered("opaque+/=", NOW.plus_seconds(30))
            .is_none()
    );
    let (authorization, body) = setup.server.last.lock().unwrap().clone();
    let expected = STANDARD.encode("turn%20pike:s3cr%3At%2F%20%25");
    assert_eq!(authorization, format!("Basic {expected}"));
    assert_eq!(body, "token=opaque%2B%2F%3D&token_type_hint=access_token");
}

#[tokio::test]
async fn many_who_present_one_token_cause_one_question() {
    let setup = setup().await;
    setup.says(active());
    setup.server.gate.forget_permits(usize::MAX);
    let many = join_all((0..100).map(|_| setup.present("opaque")));
    let release = async {
        setup.server.asked(1).await;
        setup.server.gate.add_permits(1000);
    };
    let (outcomes, ()) = tokio::join!(many, release);
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(setup.server.count(), 1);
    assert!(setup.present("opaque").await.is_ok());
    assert_eq!(setup.server.count(), 1, "the answer is remembered");
}

#[tokio::test]
async fn whoever_gives_up_waiting_takes_the_answer_from_nobody() {
    let setup = setup().await;
    setup.says(active());
    setup.server.gate.forget_permits(usize::MAX);
    {
        let mut first = Box::pin(setup.present("opaque"));
        assert!(futures::poll!(&mut first).is_pending());
        setup.server.asked(1).await;
    }
    setup.server.gate.add_permits(1000);
    assert!(setup.present("opaque").await.is_ok());
    assert_eq!(setup.server.count(), 1);
}

#[tokio::test]
async fn an_inactive_token_is_refused_and_not_asked_about_again_at_once() {
    let setup = setup().await;
    setup.says(json!({"active": false}));
    for _ in 0..3 {
        assert_eq!(setup.present("opaque").await, Err(TokenFailure::Inactive));
    }
    assert_eq!(setup.server.count(), 1);
    let pending = setup.tokens.prepare(&setup.world.0, "opaque", None).unwrap();
    setup.says(active());
    assert!(setup.tokens.verify(pending, NOW.plus_seconds(10)).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_fails_is_unavailable_and_is_asked_again() {
    let setup = setup().await;
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, ""),
        (StatusCode::UNAUTHORIZED, ""),
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, "{}"),
        (StatusCode::OK, r#"{"active":"true"}"#),
        (StatusCode::OK, r#"{"active":false,"active":true}"#),
        (StatusCode::FOUND, "/elsewhere"),
    ] {
        setup.server.answers("/introspect", status, body);
        assert_eq!(
            setup.present("opaque").await,
            Err(TokenFailure::IssuerUnavailable),
            "{status} {body}"
        );
    }
    setup.says(active());
    assert!(setup.present("opaque").await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_gone_is_unavailable() {
    let keyring = keyring();
    let server = Server::start().await;
    let mut gone = asked(&server, &keyring, "acme");
    if let Verification::Introspection { url, .. } = &mut gone.verification {
        *url = "http://127.0.0.1:1/introspect".into();
    }
    let tokens = tokens_with(TokenSettings::default(), keyring, QUICK);
    let world = World::of(gone);
    let setup = Setup {
        server,
        tokens,
        world,
    };
    assert_eq!(
        setup.present("opaque").await,
        Err(TokenFailure::IssuerUnavailable)
    );
}

#[tokio::test]
async fn what_the_issuer_answers_must_be_meant_for_us() {
    for (changes, expected) in [
        (json!({"aud": "other"}), Err(TokenFailure::Audience)),
        (json!({"aud": ["other", "api"]}), Ok(())),
        (json!({"aud": null, "client_id": "api"}), Ok(())),
        (
            json!({"aud": null, "client_id": "other"}),
            Err(TokenFailure::Audience),
        ),
        (
            json!({"aud": "other", "client_id": "api"}),
            Err(TokenFailure::Audience),
        ),
        (json!({"aud": null}), Err(TokenFailure::Audience)),
        (json!({"iss": ISSUER}), Ok(())),
        (
            json!({"iss": "https://other.example"}),
            Err(TokenFailure::IssuerUnknown),
        ),
        (json!({"exp": NOW_SECONDS}), Err(TokenFailure::Expired)),
        (json!({"exp": "9999999999"}), Err(TokenFailure::Claim)),
        (json!({"nbf": NOW_SECONDS + 1}), Err(TokenFailure::NotYetValid)),
        (json!({"sub": null}), Err(TokenFailure::Claim)),
    ] {
        let setup = setup().await;
        let mut answer = active();
        for (name, value) in changes.as_object().unwrap() {
            answer[name] = value.clone();
        }
        answer
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        setup.says(&answer);
        assert_eq!(setup.present("opaque").await.map(drop), expected, "{changes}");
    }
}

#[tokio::test]
async fn without_an_end_an_answer_is_believed_for_a_minute() {
    let setup = setup().await;
    let mut answer = active();
    answer.as_object_mut().unwrap().remove("exp");
    setup.says(&answer);
    assert_eq!(setup.present("a").await.unwrap().expires, NOW.plus_seconds(60));
    answer["exp"] = json!(NOW_SECONDS + 3600);
    setup.says(&answer);
    assert_eq!(setup.present("b").await.unwrap().expires, NOW.plus_seconds(60));
}

#[tokio::test]
async fn a_token_is_never_shown_to_another_tenants_issuer() {
    let (ours, theirs, keyring) = (Server::start().await, Server::start().await, keyring());
    let mut other = asked(&theirs, &keyring, "bolt");
    other.url = "https://other.example".into();
    let world = World::of(asked(&ours, &keyring, "acme"))
        .tenant("bolt")
        .issuer("bolt", "okta", other);
    ours.says("/introspect", active());
    theirs.says("/introspect", active());
    let tokens = tokens_with(TokenSettings::default(), keyring, QUICK);
    let refused = |hint| tokens.prepare(&world.0, "opaque", hint).unwrap_err();
    assert_eq!(refused(None), TokenFailure::IssuerAmbiguous);
    assert_eq!(refused(Some("nobody")), TokenFailure::IssuerUnknown);
    let pending = tokens.prepare(&world.0, "opaque", Some("acme")).unwrap();
    assert_eq!(tokens.verify(pending, NOW).await.unwrap().tenant.as_str(), "acme");
    assert_eq!((ours.count(), theirs.count()), (1, 0));
}

#[tokio::test]
async fn a_secret_that_was_sealed_for_another_issuer_is_not_sent() {
    let (server, keyring) = (Server::start().await, keyring());
    let world = World::of(asked(&server, &keyring, "bolt"));
    let tokens = tokens_with(TokenSettings::default(), keyring, QUICK);
    let setup = Setup {
        server,
        tokens,
        world,
    };
    assert_eq!(
        setup.present("opaque").await,
        Err(TokenFailure::IssuerUnavailable)
    );
    assert_eq!(setup.server.count(), 0);
}
