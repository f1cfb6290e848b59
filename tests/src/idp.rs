//! A real identity provider, `tests/idp`: a process of its own behind a cable that a test can cut.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use reqwest::{Client, RequestBuilder, Url, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    cable::Cable,
    place,
    process::{self, Process},
};

/// The audience of its JWTs.
pub const JWT_AUDIENCE: &str = "https://models.test";
/// The audience of its opaque tokens.
pub const OPAQUE_AUDIENCE: &str = "https://opaque.test";
/// The secret of every client of it that has one.
pub const CLIENT_SECRET: &str = "idp-secret-canary-5f1d8c";
/// By when it says where it is, even on a machine that has much to do.
const SOON: Duration = Duration::from_secs(15);
/// The client that may ask about tokens, with [`CLIENT_SECRET`].
pub const INTROSPECTION_CLIENT: &str = "turnpike";
/// The public client of people at a command line: code with PKCE, device flow, refresh.
pub const NATIVE_CLIENT: &str = "turnpike-cli";

/// A running identity provider with the accounts `alice` (groups `engineers`, `on-call`) and `bob` (`sales`).
#[derive(Debug)]
pub struct Idp {
    /// Between Turnpike and the provider; this test itself goes around it.
    pub cable: Cable,
    address: SocketAddr,
    http: Client,
    _process: Process,
    _folder: TempDir,
}

impl Idp {
    /// Starts one.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cable = Cable::lay(None).await;
        let spawn = || {
            let mut command = process::command(place::node());
            command.arg(place::idp().join("server.mjs"));
            command.arg(format!("http://{}", cable.address));
            Process::spawn(folder.path(), "idp", command)
        };
        let told = |printed: &str| {
            let lines = printed.lines();
            let line: Value = lines.filter_map(|line| serde_json::from_str(line).ok()).next()?;
            line["address"].as_str()?.parse().ok()
        };
        let mut process = spawn();
        // Node has been seen to hang for ever, once in thousands of starts, while it makes its keys.
        let soon = timeout(SOON, process.find("its address", 0, told)).await;
        let address = match soon {
            Ok(address) => address,
            Err(_) => {
                process = spawn();
                process.find("its address", 0, told).await
            }
        };
        cable.connect(address);
        Self {
            cable,
            address,
            http: Client::builder().no_proxy().build().expect("an HTTP client"),
            _process: process,
            _folder: folder,
        }
    }

    /// Its URL, as it stands in `iss`.
    pub fn url(&self) -> String {
        format!("http://{}", self.cable.address)
    }

    /// Where it can be asked about tokens (RFC 7662).
    pub fn introspection_url(&self) -> String {
        format!("{}/token/introspection", self.url())
    }

    /// Nobody reaches it any more, until [`Idp::come_back`].
    pub fn leave(&self) {
        self.cable.cut();
    }

    /// It is reached again.
    pub fn come_back(&self) {
        self.cable.connect(self.address);
    }

    /// A JWT of the application `service`, signed with RS256, by the client credentials grant.
    pub async fn service_token(&self) -> String {
        self.client_credentials("service", JWT_AUDIENCE).await
    }

    /// A JWT of the application `service-ALGORITHM`: RS256, ES256 or EdDSA.
    pub async fn token_signed_with(&self, algorithm: &str) -> String {
        self.client_credentials(&format!("service-{algorithm}"), JWT_AUDIENCE)
            .await
    }

    /// An opaque token of the application `service`.
    pub async fn opaque_service_token(&self) -> String {
        self.client_credentials("service", OPAQUE_AUDIENCE).await
    }

    async fn client_credentials(&self, client: &str, resource: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("resource", resource)];
        let request = self.post("/token", &form);
        let answer = request.basic_auth(client, Some(CLIENT_SECRET)).send().await;
        access_token(&body(answer).await)
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let encoded = Url::parse_with_params("http://form", form).expect("a form");
        let body = encoded.query().unwrap_or_default().to_owned();
        let request = self.http.post(self.at(path)).body(body);
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    /// A person's access token, by the authorization code grant with PKCE: a JWT, or an opaque one for
    /// [`OPAQUE_AUDIENCE`].
    pub async fn person_token(&self, account: &str, resource: &str) -> String {
        const REDIRECT: &str = "http://127.0.0.1/callback";
        // RFC 7636, appendix B.
        const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let asked = [
            ("client_id", NATIVE_CLIENT),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", "openid models"),
            ("resource", resource),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("login_hint", account),
        ];
        let url = Url::parse_with_params(&format!("{}/auth", self.url()), asked).expect("a URL");
        let landed = self.browse(url.as_str()).await;
        let landed = Url::parse(landed["url"].as_str().expect("a URL")).expect("a URL");
        let answered: BTreeMap<_, _> = landed.query_pairs().into_owned().collect();
        let code = answered
            .get("code")
            .unwrap_or_else(|| panic!("no code: {landed}"));
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", NATIVE_CLIENT),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.post("/token", &form).send().await;
        access_token(&body(answer).await)
    }

    /// What a person's browser does with this URL, logging in and consenting, up to the first URL of somebody else.
    pub async fn browse(&self, url: &str) -> Value {
        self.control("browse", json!({"url": url})).await
    }

    /// The same, going to the other's URL as well.
    pub async fn browse_through(&self, url: &str) -> Value {
        self.control("browse", json!({"url": url, "leave": true})).await
    }

    /// Any JWT at all with its present key; `header` adds to or replaces `alg`, `kid` and `typ`.
    pub async fn sign(&self, claims: &Value, header: &Value) -> String {
        let signed = self
            .control("sign", json!({"claims": claims, "header": header}))
            .await;
        signed["token"].as_str().expect("a token").to_owned()
    }

    /// New signing keys; the old ones stay published.
    pub async fn rotate(&self) {
        self.control("rotate", json!({})).await;
    }

    /// New signing keys; what the old ones signed is worth nothing any more.
    pub async fn replace_keys(&self) {
        self.control("rotate", json!({"forget": true})).await;
    }

    /// The groups that an account is in from now on, as its next tokens say.
    pub async fn regroup(&self, account: &str, groups: &[&str]) {
        self.control("regroup", json!({"account": account, "groups": groups}))
            .await;
    }

    /// RFC 7009.
    pub async fn revoke(&self, token: &str, client: &str) {
        let request = self.post("/token/revocation", &[("token", token)]);
        let answer = request.basic_auth(client, Some(CLIENT_SECRET)).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }

    /// How often a path was asked for.
    pub async fn calls(&self, path: &str) -> u64 {
        self.control("calls", json!({})).await[path]
            .as_u64()
            .unwrap_or_default()
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn control(&self, name: &str, request: Value) -> Value {
        let url = self.at(&format!("/control/{name}"));
        body(self.http.post(url).json(&request).send().await).await
    }
}

async fn body(answer: reqwest::Result<reqwest::Response>) -> Value {
    let answer = answer.expect("an answer of the identity provider");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn access_token(answer: &Value) -> String {
    let token = answer["access_token"].as_str();
    token.unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}
