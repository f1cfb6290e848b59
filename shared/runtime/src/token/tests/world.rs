//! A snapshot with issuers in it, keys that sign, and an issuer's server.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};
use turnpike_access::{
    event::Event,
    id::Timestamp,
    issuer::{Algorithm, IssuerProfile, PrincipalRule, TokenKey, Verification},
    log::{Origin, Recorded},
    snapshot::Snapshot,
    tenant::TenantSettings,
};

use super::super::{Timing, TokenSettings, Tokens};
use crate::{keyring::Keyring, shutdown::Shutdown, task::Tasks};

pub(super) const ISSUER: &str = "https://issuer.example";
/// 2026-09-21; every token of these tests is of about then.
pub(super) const NOW_SECONDS: i64 = 1_790_000_000;
pub(super) const NOW: Timestamp = Timestamp::from_micros(NOW_SECONDS * 1_000_000);
/// How long a test waits for what must happen.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// A private key.
pub(super) enum Pair {
    Rsa(RsaKeyPair),
    Elliptic(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

impl Pair {
    pub(super) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(super) fn p256() -> Self {
        Self::Elliptic(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            "P-256",
        )
    }

    pub(super) fn p384() -> Self {
        Self::Elliptic(
            EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            "P-384",
        )
    }

    pub(super) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    pub(super) fn jwk(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "kid": id, "n": encode(&public.n), "e": encode(&public.e)})
            }
            Self::Elliptic(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "kid": id, "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "kid": id, "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    /// Signs text, an RSA key by the algorithm given, any other by its own.
    pub(super) fn sign(&self, algorithm: Algorithm, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, text.as_bytes(), &mut out).unwrap();
                out
            }
            Self::Elliptic(pair, _) => pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        }
    }

    /// A token of this header and these claims, as they are written.
    pub(super) fn token_of(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.sign(algorithm, &signed);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(super) fn token(&self, algorithm: Algorithm, id: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm.as_str(), "kid": id}).to_string();
        self.token_of(algorithm, &header, &claims.to_string())
    }
}

/// Claims that are accepted by [`profile`].
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "api", "sub": "alice", "jti": "t1",
        "iat": NOW_SECONDS - 10, "exp": NOW_SECONDS + 600,
    })
}

/// The same with other members; null takes one away.
pub(super) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub(super) fn profile(verification: Verification) -> IssuerProfile {
    IssuerProfile {
        url: ISSUER.into(),
        verification,
        audiences: vec!["api".into()],
        algorithms: Algorithm::ALL.to_vec(),
        claim: "sub".parse().unwrap(),
        principal: PrincipalRule::Subject {},
        just_in_time: None,
        groups: Vec::new(),
        required: BTreeMap::new(),
        leeway_seconds: 0,
        access_tokens_only: false,
        accept_sender_constrained: false,
    }
}

pub(super) fn given(jwks: &[Value]) -> Verification {
    Verification::Keys {
        jwks: json!({ "keys": jwks }).to_string().into(),
    }
}

/// State made of events.
#[derive(Clone, Default)]
pub(super) struct World(pub(super) Snapshot);

impl World {
    /// One tenant, `acme`, and its issuer `okta`.
    pub(super) fn of(profile: IssuerProfile) -> Self {
        Self::default().tenant("acme").issuer("acme", "okta", profile)
    }

    pub(super) fn tenant(self, name: &str) -> Self {
        self.event(name, &Event::TenantCreated(TenantSettings::default()))
    }

    pub(super) fn issuer(self, tenant: &str, name: &str, profile: IssuerProfile) -> Self {
        let name = name.parse().unwrap();
        self.event(tenant, &Event::IssuerCreated { name, profile })
    }

    pub(super) fn key(self, key: TokenKey) -> Self {
        self.event("platform", &Event::TokenKeyAdded(key))
    }

    pub(super) fn event(mut self, tenant: &str, event: &Event) -> Self {
        let origin = Origin {
            time: NOW,
            tenant: tenant.parse().unwrap(),
            actor: "system".into(),
            correlation: "test".into(),
        };
        let encoded = event.encode().unwrap();
        let recorded = Recorded::after(
            self.0.head(),
            origin,
            encoded.kind,
            encoded.version,
            encoded.payload,
        );
        self.0.fold(&recorded).unwrap();
        self
    }
}

/// What is quick enough for a test.
pub(super) const QUICK: Timing = Timing {
    refresh: Duration::from_secs(3600),
    shortest: Duration::from_millis(20),
    longest: Duration::from_secs(3600),
    retry: Duration::from_millis(20),
    debounce: Duration::from_secs(3600),
    patience: SOON,
    answer: SOON,
};

pub(super) fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::parse(&Keyring::generate()).unwrap())
}

pub(super) fn tokens_with(settings: TokenSettings, keyring: Arc<Keyring>, timing: Timing) -> Arc<Tokens> {
    let settings = TokenSettings {
        remembered: 1000,
        // The servers of these tests are on this machine.
        allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings
    };
    Tokens::with_timing(settings, keyring, &Tasks::new(Shutdown::new()), timing).unwrap()
}

pub(super) fn tokens() -> Arc<Tokens> {
    tokens_with(TokenSettings::default(), keyring(), QUICK)
}

/// An issuer over HTTP: answers by path, counts, and can be made to fail or to wait.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) answers: Mutex<BTreeMap<String, (StatusCode, String)>>,
    pub(super) max_age: Mutex<Option<u32>>,
    pub(super) asked: AtomicUsize,
    /// A request needs one of these before it is answered.
    pub(super) gate: Semaphore,
    /// `authorization` and body of the last request.
    pub(super) last: Mutex<(String, String)>,
    /// How often each body was sent.
    pub(super) bodies: Mutex<BTreeMap<String, usize>>,
}

impl Server {
    pub(super) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            answers: Mutex::default(),
            max_age: Mutex::default(),
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS / 2),
            last: Mutex::default(),
            bodies: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(server.clone());
        Tasks::new(Shutdown::new()).spawn("issuer", async move {
            axum::serve(listener, router).await.unwrap();
        });
        server
    }

    pub(super) fn says(&self, path: &str, body: impl ToString) {
        self.answers(path, StatusCode::OK, body);
    }

    pub(super) fn answers(&self, path: &str, status: StatusCode, body: impl ToString) {
        let answer = (status, body.to_string());
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(super) fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked so often.
    pub(super) async fn asked(&self, times: usize) {
        eventually(|| self.count() >= times).await;
    }
}

async fn answer(State(server): State<Arc<Server>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    server.asked.fetch_add(1, Ordering::SeqCst);
    server.gate.acquire().await.unwrap().forget();
    let authorization = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    *server.bodies.lock().unwrap().entry(body.clone()).or_default() += 1;
    *server.last.lock().unwrap() = (authorization.unwrap_or_default(), body);
    let found = server.answers.lock().unwrap().get(uri.path()).cloned();
    let (status, text) = found.unwrap_or((StatusCode::NOT_FOUND, String::new()));
    if status.is_redirection() {
        return (status, [("location", text)]).into_response();
    }
    let mut response = (status, text).into_response();
    if let Some(age) = *server.max_age.lock().unwrap() {
        let value = HeaderValue::from_str(&format!("max-age={age}")).unwrap();
        response.headers_mut().insert("cache-control", value);
    }
    response
}

/// Waits until something is so.
pub(super) async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, waiting)
        .await
        .expect("it did not happen");
}
