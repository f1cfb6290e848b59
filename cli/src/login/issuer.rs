//! Talking to an issuer: its discovery document, its token endpoint, the end of a token. Answers are bounded, redirects
//! are not followed, and nothing is sent in the clear but to this machine.

use std::{path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Client, RequestBuilder, Url, header::CONTENT_TYPE, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use turnpike_runtime::tls;

use crate::failure::{Failure, chain};

/// The longest answer, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the discovery document says, as far as it matters (OpenID Connect Discovery 1.0, section 3; RFC 8414).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Discovered {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: String,
    pub(super) device_authorization_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What the token endpoint gave (RFC 6749, section 5.1).
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    /// In seconds from now.
    pub(super) expires_in: Option<u64>,
    pub(super) refresh_token: Option<String>,
    pub(super) id_token: Option<String>,
}

/// Why it gave none (RFC 6749, section 5.2).
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    pub(super) error: String,
    #[serde(default)]
    pub(super) error_description: String,
}

impl Refused {
    /// For people: the issuer's words, without what terminals obey.
    pub(super) fn sentence(&self) -> String {
        match self.error_description.as_str() {
            "" => plain(&self.error),
            description => format!("{} ({})", plain(description), plain(&self.error)),
        }
    }
}

/// A text of somebody else, fit to be shown.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(500).collect()
}

/// Name and value of each field of a form.
pub(super) type Form<'a> = Vec<(&'a str, &'a str)>;

/// What asks.
#[derive(Debug, Clone)]
pub(super) struct Web(Client);

impl Web {
    /// Trusts the system's certificates, and those in the file.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, Failure> {
        let unusable = |error: &dyn std::error::Error| Failure::local(chain(error));
        let further = ca_file
            .map(|file| tls::certificates(file, "--ca-file"))
            .transpose();
        let roots = further.map_err(|error| unusable(&error))?.unwrap_or_default();
        let config = tls::client_config(roots).map_err(|error| unusable(&error))?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("turnpike/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self(client))
    }

    /// Reads the discovery document of an issuer.
    pub(super) async fn discover(&self, issuer: &str) -> Result<Discovered, Failure> {
        let base = issuer.trim_end_matches('/');
        let url = endpoint("--issuer", &format!("{base}/.well-known/openid-configuration"))?;
        let (status, body) = read(self.0.get(url.clone())).await?;
        if status != 200 {
            return Err(Failure::local(format!(
                "{url} answers {status}; --issuer must be the URL that comes before /.well-known in an issuer's discovery document"
            )));
        }
        let found: Discovered = decode(&url, &body)?;
        if found.issuer.trim_end_matches('/') != base {
            return Err(Failure::local(format!(
                "{url} speaks of the issuer {}; give exactly that as --issuer",
                plain(&found.issuer)
            )));
        }
        Ok(found)
    }

    /// Asks the token endpoint.
    pub(super) async fn tokens(
        &self,
        url: &str,
        form: &Form<'_>,
    ) -> Result<Result<Tokens, Refused>, Failure> {
        self.post(url, form).await
    }

    /// Sends a form, and reads what was asked for or why it is refused.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &Form<'_>,
    ) -> Result<Result<T, Refused>, Failure> {
        let url = endpoint("the issuer's endpoint", url)?;
        let (status, body) = read(self.form(&url, form)).await?;
        match status {
            200 => decode(&url, &body).map(Ok),
            _ => decode(&url, &body).map(Err).map_err(|_| {
                Failure::local(format!(
                    "{url} answers {status} without saying why; try again later"
                ))
            }),
        }
    }

    /// Ends a token at the issuer (RFC 7009).
    pub(super) async fn revoke(&self, url: &str, form: &Form<'_>) -> Result<(), Failure> {
        let url = endpoint("the issuer's endpoint", url)?;
        match read(self.form(&url, form)).await? {
            (200, _) => Ok(()),
            (status, _) => Err(Failure::local(format!("{url} answers {status}"))),
        }
    }

    fn form(&self, url: &Url, form: &Form<'_>) -> RequestBuilder {
        let mut written = url.clone();
        written.query_pairs_mut().clear().extend_pairs(form);
        self.0
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(written.query().unwrap_or_default().to_owned())
    }
}

async fn read(request: RequestBuilder) -> Result<(u16, Vec<u8>), Failure> {
    let unreachable = |error: reqwest::Error| {
        let url = error.url().map(Url::to_string).unwrap_or_default();
        Failure::local(format!(
            "cannot reach the issuer at {url}: {}; check --issuer and the network",
            chain(&error.without_url())
        ))
    };
    let mut response = request
        .header("accept", "application/json")
        .send()
        .await
        .map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Failure::local("the issuer's answer is longer than any should be"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status().as_u16(), body))
}

/// What was wrong in it is not shown: there may be tokens in it.
fn decode<T: DeserializeOwned>(url: &Url, body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|_| Failure::local(format!("the answer of {url} is not what an issuer says there")))
}

/// A URL that tokens may be sent to: https, or this machine.
pub(super) fn endpoint(what: &str, text: &str) -> Result<Url, Failure> {
    let wrong = || {
        Failure::local(format!(
            "{what} {} is not usable: it must be an https:// URL, or http:// of this machine",
            plain(text)
        ))
    };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let fits = match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        _ => false,
    };
    let anonymous = url.username().is_empty() && url.password().is_none();
    if fits && anonymous { Ok(url) } else { Err(wrong()) }
}

/// What an ID token says. Its signature is not looked at: it came from the issuer itself, over TLS (OpenID Connect
/// Core 1.0, section 3.1.3.7).
pub(super) fn claims_of(id_token: &str) -> Value {
    let part = id_token.split('.').nth(1);
    part.and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
