//! Logins with an issuer made here, which checks what a real one checks.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot};

use super::*;

type Fields = HashMap<String, String>;

/// An issuer's memory.
#[derive(Default)]
struct Issuer {
    url: String,
    /// What the last browser asked for.
    asked: Fields,
    /// How often a token was given; its number is in its text.
    given: u64,
    /// How long tokens are good, in seconds.
    life: u64,
    /// What device polls are refused with, the last first.
    refusals: Vec<&'static str>,
    revoked: Vec<String>,
    /// The nonce that ID tokens carry in place of the right one.
    false_nonce: Option<String>,
}

type Shared = Arc<Mutex<Issuer>>;

async fn discovery(State(issuer): State<Shared>) -> Json<Value> {
    let url = issuer.lock().unwrap().url.clone();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/auth?kept=1"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device"),
        "revocation_endpoint": format!("{url}/revoke"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// Sends the browser back at once, as if somebody had logged in.
async fn auth(State(issuer): State<Shared>, Query(asked): Query<Fields>) -> Response {
    let mut issuer = issuer.lock().unwrap();
    let back = format!(
        "{}?code=the-code&state={}&iss={}",
        asked["redirect_uri"], asked["state"], issuer.url
    );
    issuer.asked = asked;
    (StatusCode::FOUND, [(LOCATION, back)]).into_response()
}

fn fields(form: &str) -> Fields {
    let url = reqwest::Url::parse(&format!("http://form/?{form}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn refuse(error: &str) -> Response {
    let body = json!({"error": error, "error_description": "because\u{1b}[31m"});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

async fn token(State(issuer): State<Shared>, body: String) -> Response {
    let form = fields(&body);
    let mut issuer = issuer.lock().unwrap();
    let fits = match form["grant_type"].as_str() {
        "authorization_code" => {
            let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
            form["code"] == "the-code"
                && issuer.asked["code_challenge"] == challenge
                && issuer.asked["code_challenge_method"] == "S256"
                && form["redirect_uri"] == issuer.asked["redirect_uri"]
        }
        "refresh_token" => form["refresh_token"] == format!("refresh-{}", issuer.given),
        _ => match issuer.refusals.pop() {
            Some(error) => return refuse(error),
            None => form["device_code"] == "the-device",
        },
    };
    if !fits || form["client_id"] != "turnpike-cli" {
        return refuse("invalid_grant");
    }
    issuer.given += 1;
    let nonce = issuer.false_nonce.clone().or(issuer.asked.get("nonce").cloned());
    let claims =
        json!({"iss": issuer.url, "aud": ["turnpike-cli"], "nonce": nonce, "exp": 4_000_000_000_u64});
    let id_token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
    Json(json!({
        "access_token": format!("access-{}", issuer.given),
        "token_type": "Bearer",
        "expires_in": issuer.life,
        "refresh_token": format!("refresh-{}", issuer.given),
        "id_token": id_token,
    }))
    .into_response()
}

async fn device_authorization() -> Json<Value> {
    Json(json!({
        "device_code": "the-device",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://issuer.example/device",
        "expires_in": 60,
        "interval": 1,
    }))
}

async fn revoke(State(issuer): State<Shared>, body: String) {
    issuer
        .lock()
        .unwrap()
        .revoked
        .push(fields(&body)["token"].clone());
}

#[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
async fn issuer(life: u64) -> Shared {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shared = Shared::default();
    {
        let mut issuer = shared.lock().unwrap();
        issuer.url = format!("http://{}", listener.local_addr().unwrap());
        issuer.life = life;
    }
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/auth", get(auth))
        .route("/token", post(token))
        .route("/device", post(device_authorization))
        .route("/revoke", post(revoke))
        .with_state(shared.clone());
    tokio::spawn(axum::serve(listener, router).into_future());
    shared
}

/// A user's machine, with nothing on it.
struct Machine {
    folder: Folder,
    _home: TempDir,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self {
            folder: Folder::at(&home.path().join("config/turnpike")),
            _home: home,
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            control_plane: "http://127.0.0.1:7070",
            ca_file: None,
            folder: &self.folder,
        }
    }

    async fn bearer(&self) -> Option<String> {
        let found = bearer(&self.place()).await.unwrap();
        found.map(|secret| secret.expose().to_owned())
    }
}

fn login(issuer: &Shared) -> Login {
    Login {
        issuer: issuer.lock().unwrap().url.clone(),
        client_id: "turnpike-cli".to_owned(),
        scope: "openid offline_access".to_owned(),
        audience: None,
        resource: Some("https://models.test".to_owned()),
        id_token: false,
        device: false,
        no_browser: true,
        port: 0,
    }
}

/// Logs in as somebody does who follows the URL in a browser; `before` is called first, with the callback's URL.
async fn logged_in(machine: &Machine, login: Login, before: impl AsyncFnOnce(&str)) -> Result<Kept, Failure> {
    let (tell, told) = oneshot::channel();
    let place = machine.place();
    let logging_in = login.log_in(&place, |shown| {
        if let Shown::Browser(url) = shown {
            tell.send((*url).to_owned()).unwrap();
        }
    });
    let browsing = async {
        let Ok(url) = told.await else { return };
        let url: reqwest::Url = url.parse().unwrap();
        let pairs: Fields = url.query_pairs().into_owned().collect();
        before(&pairs["redirect_uri"]).await;
        let page = reqwest::get(url).await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains("ogged in"));
    };
    tokio::join!(logging_in, browsing).0
}

#[tokio::test]
async fn a_login_in_the_browser_leaves_a_token_that_only_its_user_can_read() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    let kept = logged_in(&machine, login(&issuer), async |_| {}).await.unwrap();
    machine.folder.store(&kept).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = machine.folder.file();
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(machine.bearer().await.as_deref(), Some("access-1"));
    let asked = issuer.lock().unwrap().asked.clone();
    assert_eq!(asked["resource"], "https://models.test");
    assert_eq!((&*asked["kept"], &*asked["prompt"]), ("1", "consent"));
    // It is for one control plane alone.
    let elsewhere = Place {
        control_plane: "https://elsewhere.example",
        ..machine.place()
    };
    assert!(bearer(&elsewhere).await.unwrap().is_none());
}

#[tokio::test]
async fn whoever_comes_to_the_callback_without_the_state_is_turned_away_and_the_login_goes_on() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    let kept = logged_in(&machine, login(&issuer), async |callback| {
        for query in ["", "?code=stolen", "?code=stolen&state=guess"] {
            let page = reqwest::get(format!("{callback}{query}")).await.unwrap();
            assert_eq!(page.status(), 400, "{query}");
        }
    });
    assert_eq!(kept.await.unwrap().bearer, "access-1");
}

#[tokio::test]
async fn an_id_token_of_another_login_is_refused_and_a_right_one_can_be_what_is_shown() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    let shown = Login {
        id_token: true,
        ..login(&issuer)
    };
    let kept = logged_in(&machine, shown.clone(), async |_| {}).await.unwrap();
    assert!(kept.bearer.starts_with("e30."));
    assert_eq!(kept.expires_us, 4_000_000_000_000_000);
    issuer.lock().unwrap().false_nonce = Some("another".to_owned());
    let refused = logged_in(&machine, shown, async |_| {}).await.err().unwrap();
    assert!(refused.to_string().contains("not for this login"), "{refused}");
}

#[tokio::test]
async fn a_token_that_ends_soon_is_renewed_once_however_many_commands_need_it() {
    let (issuer, machine) = (issuer(30).await, Machine::new());
    let kept = logged_in(&machine, login(&issuer), async |_| {}).await.unwrap();
    machine.folder.store(&kept).unwrap();
    issuer.lock().unwrap().life = 3600;
    // Each has its own turn at the lock, as processes have.
    for _ in 0..3 {
        assert_eq!(machine.bearer().await.as_deref(), Some("access-2"));
    }
    assert_eq!(issuer.lock().unwrap().given, 2);
}

#[tokio::test]
async fn where_the_issuer_renews_no_more_a_token_is_used_to_its_end_and_then_says_what_to_do() {
    let (issuer, machine) = (issuer(30).await, Machine::new());
    let mut kept = logged_in(&machine, login(&issuer), async |_| {}).await.unwrap();
    kept.refresh_token = Some("taken back".to_owned());
    machine.folder.store(&kept).unwrap();
    assert_eq!(machine.bearer().await.as_deref(), Some("access-1"));
    kept.expires_us = 1;
    machine.folder.store(&kept).unwrap();
    let failure = bearer(&machine.place()).await.err().unwrap().to_string();
    assert!(
        failure.contains("run `turnpike login --issuer http://127.0.0.1"),
        "{failure}"
    );
    assert!(!failure.contains('\u{1b}'), "{failure}");
}

#[tokio::test]
async fn the_device_flow_waits_until_somebody_has_used_the_code() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    issuer.lock().unwrap().refusals = vec!["authorization_pending"];
    let device = Login {
        device: true,
        ..login(&issuer)
    };
    let mut code = String::new();
    let kept = device
        .clone()
        .log_in(&machine.place(), |shown| {
            if let Shown::Device(invitation) = shown {
                code.clone_from(&invitation.code);
            }
        })
        .await
        .unwrap();
    assert_eq!((&*code, &*kept.bearer), ("WDJB-MJHT", "access-1"));
    issuer.lock().unwrap().refusals = vec!["access_denied"];
    let denied = device.log_in(&machine.place(), |_| {}).await.err().unwrap();
    assert!(denied.to_string().contains("access_denied"), "{denied}");
}

#[tokio::test]
async fn logging_out_takes_the_refresh_token_back_and_forgets_the_login() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    let kept = logged_in(&machine, login(&issuer), async |_| {}).await.unwrap();
    machine.folder.store(&kept).unwrap();
    assert_eq!(log_out(&machine.folder, None).await.unwrap(), Outcome::Done);
    assert_eq!(issuer.lock().unwrap().revoked, ["refresh-1"]);
    assert_eq!(machine.bearer().await, None);
    assert_eq!(log_out(&machine.folder, None).await.unwrap(), Outcome::Done);
}

#[tokio::test]
async fn a_login_that_others_can_read_is_not_used() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    let kept = logged_in(&machine, login(&issuer), async |_| {}).await.unwrap();
    machine.folder.store(&kept).unwrap();
    fs::set_permissions(machine.folder.file(), fs::Permissions::from_mode(0o644)).unwrap();
    let failure = bearer(&machine.place()).await.err().unwrap().to_string();
    assert!(failure.contains("others may read it"), "{failure}");
}

#[tokio::test]
async fn an_issuer_in_the_clear_or_of_another_name_is_not_asked_for_tokens() {
    let (issuer, machine) = (issuer(3600).await, Machine::new());
    let clear = Login {
        issuer: "http://issuer.example".to_owned(),
        ..login(&issuer)
    };
    let failure = clear
        .log_in(&machine.place(), |_| {})
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(failure.contains("https://"), "{failure}");
    let honest = login(&issuer);
    issuer.lock().unwrap().url = "https://another.example".to_owned();
    let failure = honest
        .log_in(&machine.place(), |_| {})
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        failure.contains("speaks of the issuer https://another.example"),
        "{failure}"
    );
}
