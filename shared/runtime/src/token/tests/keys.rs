//! Keys over HTTP: ahead of the first token, through rotations and outages, from disk, and never from inside.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::{Value, json};
use turnpike_access::{
    event::Event,
    issuer::{Algorithm, Verification},
};

use super::{
    super::{Timing, TokenFailure, TokenSettings, Tokens},
    world::{
        NOW, Pair, QUICK, Server, World, claims, claims_with, eventually, keyring, profile, tokens,
        tokens_with,
    },
};

fn jwks(keys: &[(&Pair, &str)]) -> Value {
    let keys: Vec<_> = keys.iter().map(|(pair, id)| pair.jwk(id)).collect();
    json!({ "keys": keys })
}

/// A world whose issuer has its keys at the server's `/keys`.
fn world(server: &Server) -> World {
    let url = format!("{}/keys", server.url).into();
    World::of(profile(Verification::Jwks { url }))
}

async fn present(tokens: &Tokens, world: &World, text: &str) -> Result<String, TokenFailure> {
    let pending = tokens.prepare(&world.0, text, None)?;
    tokens
        .verify(pending, NOW)
        .await
        .map(|token| token.subject.to_string())
}

#[tokio::test]
async fn keys_are_fetched_before_the_first_token_comes() {
    let (server, pair) = (Server::start().await, Pair::p256());
    server.says("/keys", jwks(&[(&pair, "k")]));
    let (tokens, world) = (tokens(), world(&server));
    tokens.follow(&world.0);
    server.asked(1).await;
    let text = pair.token(Algorithm::ES256, "k", &claims());
    assert_eq!(present(&tokens, &world, &text).await.unwrap(), "alice");
    tokens.follow(&world.0);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_token_waits_for_keys_that_nobody_fetched_yet() {
    let (server, pair) = (Server::start().await, Pair::ed());
    server.says("/keys", jwks(&[(&pair, "k")]));
    let text = pair.token(Algorithm::EdDSA, "k", &claims());
    assert_eq!(present(&tokens(), &world(&server), &text).await.unwrap(), "alice");
}

#[tokio::test]
async fn a_new_key_is_found_by_the_first_token_that_it_signed() {
    let (server, old, new) = (Server::start().await, Pair::p256(), Pair::p256());
    server.says("/keys", jwks(&[(&old, "old")]));
    let (tokens, world) = (tokens(), world(&server));
    let text = old.token(Algorithm::ES256, "old", &claims());
    assert!(present(&tokens, &world, &text).await.is_ok());
    server.says("/keys", jwks(&[(&old, "old"), (&new, "new")]));
    let all = join_all((0..8).map(|n| {
        let text = new.token(
            Algorithm::ES256,
            "new",
            &claims_with(json!({"jti": n.to_string()})),
        );
        let (tokens, world) = (&tokens, &world);
        async move { present(tokens, world, &text).await }
    }));
    assert!(all.await.iter().all(Result::is_ok));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn tokens_with_unknown_keys_cause_one_fetch_together() {
    let (server, pair) = (Server::start().await, Pair::p256());
    server.says("/keys", jwks(&[(&pair, "k")]));
    let (tokens, world) = (tokens(), world(&server));
    tokens.follow(&world.0);
    let honest = pair.token(Algorithm::ES256, "k", &claims());
    assert!(present(&tokens, &world, &honest).await.is_ok());
    let flood = join_all((0..50).map(|n| {
        let text = pair.token(Algorithm::ES256, &format!("unknown-{n}"), &claims());
        let (tokens, world) = (&tokens, &world);
        async move { present(tokens, world, &text).await }
    }));
    assert!(
        flood
            .await
            .iter()
            .all(|one| *one == Err(TokenFailure::KeyUnknown))
    );
    assert_eq!(server.count(), 2);
    let later = present(&tokens, &world, &pair.token(Algorithm::ES256, "x", &claims())).await;
    assert_eq!(later, Err(TokenFailure::KeyUnknown));
    assert_eq!(server.count(), 2);
    assert!(present(&tokens, &world, &honest).await.is_ok());
}

#[tokio::test]
async fn a_rotation_is_followed_and_what_a_vanished_key_signed_is_forgotten() {
    let (server, old, new) = (Server::start().await, Pair::p256(), Pair::p256());
    server.says("/keys", jwks(&[(&old, "old")]));
    *server.max_age.lock().unwrap() = Some(0);
    let (tokens, world) = (tokens(), world(&server));
    let text = old.token(Algorithm::ES256, "old", &claims());
    assert!(present(&tokens, &world, &text).await.is_ok());
    assert!(tokens.remembered(&text, NOW).is_some());
    tokens.follow(&world.0);

    server.says("/keys", jwks(&[(&old, "old"), (&new, "new")]));
    let before = server.count();
    server.asked(before + 2).await;
    assert!(
        tokens.remembered(&text, NOW).is_some(),
        "a key that comes takes nothing away"
    );

    server.says("/keys", jwks(&[(&new, "new")]));
    eventually(|| tokens.remembered(&text, NOW).is_none()).await;
    assert_eq!(
        present(&tokens, &world, &text).await,
        Err(TokenFailure::KeyUnknown)
    );
    assert!(
        present(&tokens, &world, &new.token(Algorithm::ES256, "new", &claims()))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn keys_outlive_an_outage_and_a_broken_answer() {
    let (server, pair) = (Server::start().await, Pair::p256());
    server.says("/keys", jwks(&[(&pair, "k")]));
    *server.max_age.lock().unwrap() = Some(0);
    let timing = Timing {
        refresh: Duration::from_millis(20),
        ..QUICK
    };
    let tokens = tokens_with(TokenSettings::default(), keyring(), timing);
    let world = world(&server);
    tokens.follow(&world.0);
    let token = |id: &str| pair.token(Algorithm::ES256, "k", &claims_with(json!({"jti": id})));
    assert!(present(&tokens, &world, &token("1")).await.is_ok());
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, r#"{"keys":[]}"#.to_owned()),
        (
            StatusCode::OK,
            format!(r#"{{"keys":[{{"pad":"{}"}}]}}"#, "x".repeat(300 * 1024)),
        ),
    ] {
        server.answers("/keys", status, &body);
        let before = server.count();
        server.asked(before + 3).await;
        assert!(
            present(&tokens, &world, &token(&before.to_string()))
                .await
                .is_ok(),
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_issuer_without_keys_that_is_away_is_unavailable() {
    let server = Server::start().await;
    server.answers("/keys", StatusCode::SERVICE_UNAVAILABLE, "");
    let text = Pair::p256().token(Algorithm::ES256, "k", &claims());
    let failure = present(&tokens(), &world(&server), &text).await.unwrap_err();
    assert_eq!(failure, TokenFailure::IssuerUnavailable);
    assert!(failure.is_unavailable() && !TokenFailure::KeyUnknown.is_unavailable());
}

#[tokio::test]
async fn a_token_does_not_wait_for_an_issuer_that_hangs() {
    let server = Server::start().await;
    server.gate.forget_permits(usize::MAX);
    let timing = Timing {
        patience: Duration::from_millis(50),
        ..QUICK
    };
    let tokens = tokens_with(TokenSettings::default(), keyring(), timing);
    let text = Pair::p256().token(Algorithm::ES256, "k", &claims());
    assert_eq!(
        present(&tokens, &world(&server), &text).await,
        Err(TokenFailure::IssuerUnavailable)
    );
}

#[tokio::test]
async fn keys_on_disk_serve_a_process_that_starts_during_an_outage() {
    let (server, pair) = (Server::start().await, Pair::p256());
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("keys");
    server.says("/keys", jwks(&[(&pair, "k")]));
    let settings = || TokenSettings {
        cache_dir: Some(cache.clone()),
        ..TokenSettings::default()
    };
    let start = || tokens_with(settings(), keyring(), QUICK);
    let (world, text) = (world(&server), pair.token(Algorithm::ES256, "k", &claims()));
    assert!(present(&start(), &world, &text).await.is_ok());
    let files = || {
        fs::read_dir(&cache)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
    };
    let stored = || files().find(|path| path.extension().is_some_and(|end| end == "jwks"));
    eventually(|| stored().is_some()).await;
    let file = stored().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    server.answers("/keys", StatusCode::BAD_GATEWAY, "");
    assert!(present(&start(), &world, &text).await.is_ok());
    // A file of another issuer under this one's name is not believed.
    let content = fs::read_to_string(&file).unwrap();
    fs::write(&file, content.replacen("jwks:", "jwks:https://evil.example/", 1)).unwrap();
    assert_eq!(
        present(&start(), &world, &text).await,
        Err(TokenFailure::IssuerUnavailable)
    );
    fs::write(&file, "broken").unwrap();
    assert_eq!(
        present(&start(), &world, &text).await,
        Err(TokenFailure::IssuerUnavailable)
    );
}

/// When the keys in a file of the cache were fetched, made so much earlier.
fn age(file: &Path, seconds: i64) {
    let content = fs::read_to_string(file).unwrap();
    let (first, keys) = content.split_once('\n').unwrap();
    let (source, fetched) = first.rsplit_once('\t').unwrap();
    let earlier = fetched.parse::<i64>().unwrap() - seconds * 1_000_000;
    fs::write(file, format!("{source}\t{earlier}\n{keys}")).unwrap();
}

#[tokio::test]
async fn keys_that_grew_too_old_during_an_outage_are_believed_no_more_and_the_refusal_says_so() {
    let (server, pair) = (Server::start().await, Pair::p256());
    let folder = tempfile::tempdir().unwrap();
    server.says("/keys", jwks(&[(&pair, "k")]));
    let start = || {
        let settings = TokenSettings {
            cache_dir: Some(folder.path().to_owned()),
            keys_max_age: "2h".parse().unwrap(),
            ..TokenSettings::default()
        };
        tokens_with(settings, keyring(), QUICK)
    };
    let (world, text) = (world(&server), pair.token(Algorithm::ES256, "k", &claims()));
    assert!(present(&start(), &world, &text).await.is_ok());
    let stored = || {
        let mut files = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|end| end == "jwks"))
    };
    eventually(|| stored().is_some()).await;
    let file = stored().unwrap();

    server.answers("/keys", StatusCode::BAD_GATEWAY, "");
    age(&file, 3_600);
    assert!(present(&start(), &world, &text).await.is_ok());
    age(&file, 3_600 + 60);
    let tokens = start();
    let failure = present(&tokens, &world, &text).await.unwrap_err();
    assert_eq!(failure, TokenFailure::KeysStale);
    assert!(failure.is_unavailable() && failure.as_str() == "issuer_keys_stale");

    server.says("/keys", jwks(&[(&pair, "k")]));
    let asked = server.count();
    server.asked(asked + 1).await;
    assert!(
        present(&tokens, &world, &text).await.is_ok(),
        "the issuer is back"
    );
}

fn discovering(server: &Server) -> World {
    let mut found = profile(Verification::Discovery {});
    found.url = server.url.as_str().into();
    World::of(found)
}

async fn discover(server: &Arc<Server>, pair: &Pair) -> Result<String, TokenFailure> {
    let text = pair.token(Algorithm::ES256, "k", &claims_with(json!({"iss": server.url})));
    present(&tokens(), &discovering(server), &text).await
}

#[tokio::test]
async fn keys_are_discovered_by_both_standards() {
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let (server, pair) = (Server::start().await, Pair::p256());
        server.says("/k", jwks(&[(&pair, "k")]));
        server.says(
            path,
            json!({"issuer": server.url, "jwks_uri": format!("{}/k", server.url)}),
        );
        assert_eq!(discover(&server, &pair).await.unwrap(), "alice", "{path}");
    }
}

#[tokio::test]
async fn metadata_that_is_not_the_issuers_own_is_not_believed() {
    let (server, pair) = (Server::start().await, Pair::p256());
    server.says("/k", jwks(&[(&pair, "k")]));
    let uri = format!("{}/k", server.url);
    for document in [
        json!({"issuer": "https://other.example", "jwks_uri": uri}),
        json!({"issuer": format!("{}/", server.url), "jwks_uri": uri}),
        json!({"jwks_uri": uri}),
        json!({"issuer": server.url}),
        json!({"issuer": server.url, "jwks_uri": "http://10.0.0.1/k"}),
        json!({"issuer": server.url, "jwks_uri": "https://169.254.169.254/k"}),
        json!({"issuer": server.url, "jwks_uri": "file:///etc/passwd"}),
    ] {
        server.says("/.well-known/openid-configuration", &document);
        assert_eq!(
            discover(&server, &pair).await,
            Err(TokenFailure::IssuerUnavailable),
            "{document}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, pair) = (Server::start().await, Pair::p256());
    server.says("/real", jwks(&[(&pair, "k")]));
    server.answers("/keys", StatusCode::FOUND, format!("{}/real", server.url));
    let text = pair.token(Algorithm::ES256, "k", &claims());
    let timing = Timing {
        retry: QUICK.refresh,
        ..QUICK
    };
    let tokens = tokens_with(TokenSettings::default(), keyring(), timing);
    let refused = present(&tokens, &world(&server), &text).await;
    assert_eq!(refused, Err(TokenFailure::IssuerUnavailable));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn the_tokens_of_a_removed_issuer_are_forgotten() {
    let (server, pair) = (Server::start().await, Pair::p256());
    server.says("/keys", jwks(&[(&pair, "k")]));
    let (tokens, world) = (tokens(), world(&server));
    tokens.follow(&world.0);
    let text = pair.token(Algorithm::ES256, "k", &claims());
    assert!(present(&tokens, &world, &text).await.is_ok());
    let name = "okta".parse().unwrap();
    tokens.follow(&world.event("acme", &Event::IssuerDeleted { name }).0);
    assert!(tokens.remembered(&text, NOW).is_none());
}
