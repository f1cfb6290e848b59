//! The routes, asked as a client asks them, on a control plane's core.

use std::collections::BTreeSet;

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use turnpike_access::{
    audit::{AuditRecord, Outcome, TokenFacts},
    authenticate::AuthFailure,
    command::Command,
    credential::{Decoy, KeyKind, write_key},
    grant::AuthMethod,
    id::{Principal, Timestamp},
    issuer::{IssuerProfile, JustInTime, PrincipalRule, TokenKey, Verification},
    token::{GivenFor, VerifiedToken, admit},
};
use turnpike_runtime::{
    clock,
    keyring::Keyring,
    operations,
    shutdown::Shutdown,
    token::{
        TokenSettings,
        own::{OwnClaims, TokenSigner, jwks},
    },
};

use super::*;
use crate::{
    edges::Edges,
    execute::Authority,
    fixture::{Core, create_team, create_user, credential, id, name},
    just_in_time, prove,
};

mod newcomers;
mod walk;

const BOT: &str = "bot000000000";
const ISSUER: &str = "https://control.example";

/// A tenant `acme` with an application `bot` that has a key, and what answers over HTTP.
struct Served {
    core: Core,
    web: Late,
    _folder: TempDir,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
        let tasks = Tasks::new(Shutdown::new());
        let settings = TokenSettings {
            remembered: 100,
            ..Default::default()
        };
        let tokens = Tokens::new(settings, keyring.clone(), &tasks).unwrap();
        let keys = TokenKeys::new(
            core.store.clone(),
            keyring,
            core.executor.clone(),
            Arc::from(ISSUER),
        );
        let key = keys.fresh().await.unwrap();
        core.ask(
            Authority::System("test"),
            "platform",
            vec![Command::AddTokenKey(key)],
        )
        .await
        .unwrap();
        let bot = Command::CreateAccount {
            principal: "virtual-account:bot".parse().unwrap(),
            profile: Default::default(),
            teams: Vec::new(),
        };
        let made = vec![
            Command::CreateTenant(Default::default()),
            create_team("engineers"),
            create_user("alice"),
            bot,
            Command::IssueCredential(credential("acme", "virtual-account:bot", BOT)),
        ];
        let served = Self {
            web: Late::default(),
            core,
            _folder: folder,
        };
        served.change(made).await;
        let web = Web {
            executor: served.core.executor.clone(),
            peppers: Arc::new(Peppers::new([(1, [7; 32])])),
            tokens,
            keys,
            edge_keys: EdgeKeys::new(Edges::new(
                served.core.store.clone(),
                served.core.projection.clone(),
            )),
            tasks,
        };
        assert!(served.web.set(web).is_ok());
        served
    }

    async fn change(&self, commands: Vec<Command>) {
        let asked = self.core.ask(Authority::System("test"), "acme", commands);
        asked.await.unwrap();
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, String, Value) {
        let response = router(self.web.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let kept = response.headers()["cache-control"].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), 100_000).await.unwrap();
        (status, kept, serde_json::from_slice(&body).unwrap())
    }

    /// Asks for a token; what is refused is told by its error.
    async fn token(&self, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let (status, kept, body) = self.ask(post_form(parameters)).await;
        assert_eq!(kept, "no-store");
        match status {
            StatusCode::OK => Ok(body),
            _ => Err(body["error"].as_str().unwrap().to_owned()),
        }
    }

    async fn verified(&self, token: &Value) -> Arc<VerifiedToken> {
        let web = self.web.get().unwrap();
        let snapshot = self.core.snapshot();
        prove::verified(&web.tokens, &snapshot, token.as_str().unwrap(), None)
            .await
            .unwrap()
    }
}

fn post_form(parameters: &[(&str, &str)]) -> Request<Body> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(parameters);
    Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body.finish()))
        .unwrap()
}

fn key(text: &str) -> String {
    write_key(KeyKind::VirtualAccount, id(text), &"s".repeat(43))
}

fn with_key<'a>(secret: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("grant_type", token::CLIENT_CREDENTIALS),
        ("client_secret", secret),
    ];
    parameters.extend(more);
    parameters
}

fn exchange<'a>(subject: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("grant_type", token::TOKEN_EXCHANGE),
        ("subject_token", subject),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    parameters.extend(more);
    parameters
}

#[tokio::test]
async fn every_route_is_for_those_whom_its_policy_names() {
    let served = Served::start().await;
    let mut operators = BTreeSet::new();
    for route in ROUTES {
        match route.policy {
            Policy::Operations => {
                operators.insert(route.path);
            }
            Policy::Public => {
                let request = Request::get(route.path).body(Body::empty()).unwrap();
                let (status, kept, body) = served.ask(request).await;
                assert_eq!((status, kept.as_str()), (StatusCode::OK, "public, max-age=300"));
                assert!(!body.to_string().contains("acme"), "{body}");
            }
            Policy::Finder => {
                let request = Request::post(route.path)
                    .body(Body::from("tp_va_nothing"))
                    .unwrap();
                let (status, kept, body) = served.ask(request).await;
                assert_eq!((status, kept.as_str()), (StatusCode::OK, "no-store"));
                assert_eq!(body, json!([]));
            }
            Policy::Client => {
                let (status, kept, body) = served
                    .ask(post_form(&[("grant_type", token::CLIENT_CREDENTIALS)]))
                    .await;
                assert_eq!((status, kept.as_str()), (StatusCode::UNAUTHORIZED, "no-store"));
                assert_eq!(body["error"], "invalid_client");
            }
        }
    }
    assert_eq!(operators, BTreeSet::from(operations::PATHS));
}

#[tokio::test]
async fn before_the_state_is_loaded_a_route_asks_for_patience() {
    let request = Request::get("/.well-known/jwks.json")
        .body(Body::empty())
        .unwrap();
    let response = router(Late::default()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_key_gets_a_token_that_dies_with_it() {
    let served = Served::start().await;
    let scope = "model:openai/gpt-4o* action:inference.*";
    let secret = key(BOT);
    let answer = served
        .token(&with_key(
            &secret,
            &[("client_id", "bot"), ("scope", scope), ("expires_in", "60")],
        ))
        .await
        .unwrap();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(
        (answer["expires_in"].as_i64(), answer["scope"].as_str()),
        (Some(60), Some(scope))
    );
    let verified = served.verified(&answer["access_token"]).await;
    let snapshot = served.core.snapshot();
    let caller = admit(&snapshot, &verified, clock::now()).unwrap();
    assert_eq!(caller.principal.to_string(), "virtual-account:bot");
    assert_eq!(caller.method, AuthMethod::TurnpikeToken);
    assert_eq!(scope::write(caller.scope.unwrap()), scope);

    let reason = Arc::from("leaked");
    served
        .change(vec![Command::RevokeCredential { id: id(BOT), reason }])
        .await;
    let dead = served.core.snapshot();
    assert_eq!(
        admit(&dead, &verified, clock::now()).unwrap_err(),
        AuthFailure::Revoked
    );
    assert_eq!(
        served.token(&with_key(&secret, &[])).await.unwrap_err(),
        "invalid_client"
    );
}

#[tokio::test]
async fn a_client_may_name_itself_in_each_way_that_oauth_has() {
    let served = Served::start().await;
    let secret = key(BOT);
    for client in [BOT, "bot", "virtual-account:bot"] {
        served
            .token(&with_key(&secret, &[("client_id", client)]))
            .await
            .unwrap();
        use base64::Engine as _;
        let pair = format!("{}:{secret}", client.replace(':', "%3A"));
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        let mut request = post_form(&[("grant_type", token::CLIENT_CREDENTIALS)]);
        let value = format!("Basic {pair}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        assert_eq!(served.ask(request).await.0, StatusCode::OK, "{client}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_by_its_name() {
    let served = Served::start().await;
    let decoy = turnpike_access::credential::Credential {
        decoy: Some(Decoy::default()),
        ..credential("acme", "virtual-account:bot", "decoy0000000")
    };
    let suspended = id("suspended000");
    served
        .change(vec![
            Command::IssueCredential(decoy),
            Command::IssueCredential(credential("acme", "virtual-account:bot", "suspended000")),
            Command::SuspendCredential {
                id: suspended,
                reason: Arc::from("test"),
            },
        ])
        .await;
    let good = key(BOT);
    let wrong = write_key(KeyKind::VirtualAccount, id(BOT), &"x".repeat(43));
    let (decoy, suspended) = (key("decoy0000000"), key("suspended000"));
    let long = "a ".repeat(100);
    let cases = [
        (with_key(&wrong, &[]), "invalid_client"),
        (with_key("nonsense", &[]), "invalid_client"),
        (with_key(&decoy, &[]), "invalid_client"),
        (with_key(&suspended, &[]), "invalid_client"),
        (with_key(&good, &[("client_id", "alice")]), "invalid_client"),
        (with_key(&good, &[("scope", "openid")]), "invalid_scope"),
        (with_key(&good, &[("scope", &long)]), "invalid_scope"),
        (with_key(&good, &[("expires_in", "3601")]), "invalid_request"),
        (with_key(&good, &[("expires_in", "0")]), "invalid_request"),
        (with_key(&good, &[("audience", "two words")]), "invalid_target"),
        (with_key(&good, &[("client_secret", "again")]), "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("scope", "model:*")], "invalid_request"),
        (exchange(&decoy, &[]), "invalid_request"),
        (exchange("a.b.c", &[]), "invalid_request"),
        (exchange(&good, &[("actor_token", "x")]), "invalid_request"),
    ];
    for (parameters, error) in cases {
        assert_eq!(
            served.token(&parameters).await.unwrap_err(),
            error,
            "{parameters:?}"
        );
    }
    let told = served.web.get().unwrap().tasks.clone();
    told.shutdown().trigger("test");
    told.join(std::time::Duration::from_secs(30)).await.unwrap();
    let snapshot = served.core.snapshot();
    let used = snapshot.credential(id("decoy0000000")).unwrap().decoy.clone();
    assert!(used.unwrap().used.is_some(), "the decoy told nobody");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_form_is_refused() {
    let served = Served::start().await;
    let large = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("a".repeat(64 * 1024 + 1)))
        .unwrap();
    assert_eq!(served.ask(large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let other = Request::post("/oauth/token")
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(served.ask(other).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_metadata_names_what_there_is() {
    let served = Served::start().await;
    let path = "/.well-known/oauth-authorization-server";
    let (_, _, document) = served.ask(Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["token_endpoint"], json!(format!("{ISSUER}/oauth/token")));
    let (_, _, keys) = served
        .ask(
            Request::get("/.well-known/jwks.json")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    let newest = served.core.snapshot().token_keys()[0].clone();
    assert_eq!(keys["keys"][0]["kid"], json!(newest.id));
    assert!(keys["keys"][0].get("d").is_none(), "a private key is published");
}
