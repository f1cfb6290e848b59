//! Logging in with a browser on this machine: authorization code with PKCE over a loopback redirect (RFC 8252, RFC 7636).

use std::{net::Ipv4Addr, time::Duration};

use axum::{
    Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::timeout,
};
use turnpike_runtime::random;

use super::{
    Asked,
    issuer::{Discovered, Refused, Tokens, Web, claims_of, endpoint},
};
use crate::failure::Failure;

/// How long somebody may take to log in.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the browser may take to read the last page.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the browser brings back (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Default, Deserialize)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What only this run knows, and the browser's answer must fit.
struct Run {
    state: String,
    nonce: String,
    verifier: String,
    redirect: String,
}

impl Run {
    fn new(port: u16) -> Self {
        let secret = || random::secret_base62(43).expose().to_owned();
        Self {
            state: secret(),
            nonce: secret(),
            verifier: secret(),
            redirect: format!("http://127.0.0.1:{port}/callback"),
        }
    }

    /// Where the browser is sent.
    fn url(&self, asked: &Asked, authorization_endpoint: &str) -> Result<Url, Failure> {
        let mut url = endpoint("the issuer's authorization endpoint", authorization_endpoint)?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()));
        let mut pairs = url.query_pairs_mut();
        pairs
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(asked.form());
        if asked.scope.split(' ').any(|scope| scope == "offline_access") {
            // OpenID Connect Core 1.0, section 11: without consent there is no refresh token.
            pairs.append_pair("prompt", "consent");
        }
        drop(pairs);
        Ok(url)
    }
}

/// Logs in. `open` is told the URL that a browser must be sent to.
pub(super) async fn log_in(
    asked: &Asked,
    web: &Web,
    found: &Discovered,
    open: impl FnOnce(&Url),
) -> Result<Tokens, Failure> {
    let methods = found.code_challenge_methods_supported.as_deref();
    if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
        return Err(Failure::local(
            "the issuer does not know PKCE with S256, without which codes can be stolen; use --device",
        ));
    }
    let no_endpoint = || Failure::local("the issuer has no authorization endpoint; use --device");
    let authorization_endpoint = found.authorization_endpoint.as_deref().ok_or_else(no_endpoint)?;
    let address = (Ipv4Addr::LOCALHOST, asked.port);
    let unusable = |error| Failure::local(format!("cannot listen on 127.0.0.1 for the browser: {error}"));
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let run = Run::new(listener.local_addr().map_err(unusable)?.port());
    open(&run.url(asked, authorization_endpoint)?);
    let callback = called_back(listener, &run.state).await?;
    let code = accepted(callback, found)?;
    let mut form = asked.form();
    form.extend([
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &run.redirect),
        ("code_verifier", &run.verifier),
    ]);
    let tokens = web
        .tokens(&found.token_endpoint, &form)
        .await?
        .map_err(|refused| {
            Failure::local(format!(
                "the issuer gives no token: {}; run `turnpike login` again",
                refused.sentence()
            ))
        })?;
    match tokens.id_token.as_deref() {
        Some(id_token) if !is_ours(id_token, asked, found, &run.nonce) => Err(Failure::local(
            "the issuer's ID token is not for this login; run `turnpike login` again, and if that does not help, do not trust this issuer",
        )),
        _ => Ok(tokens),
    }
}

/// Serves until the browser comes back with the state that it was sent with.
async fn called_back(listener: TcpListener, state: &str) -> Result<Callback, Failure> {
    let (tell, mut told) = mpsc::channel(1);
    let (stay, leave) = oneshot::channel::<()>();
    let router = Router::new()
        .route("/callback", get(receive))
        .with_state((state.to_owned(), tell));
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(async {
            let _ = leave.await;
        })
        .into_future();
    tokio::pin!(serving);
    let awaited = async {
        tokio::select! {
            _ = &mut serving => None,
            callback = told.recv() => callback,
        }
    };
    let callback = timeout(PATIENCE, awaited).await.ok().flatten().ok_or_else(|| {
        Failure::local("nobody has logged in within ten minutes; run `turnpike login` again")
    })?;
    // The browser still gets its answer.
    drop(stay);
    let _ = timeout(FAREWELL, serving).await;
    Ok(callback)
}

async fn receive(
    State((state, tell)): State<(String, mpsc::Sender<Callback>)>,
    Query(callback): Query<Callback>,
) -> (StatusCode, &'static str) {
    // Anybody on this machine can call here; the state tells the browser that was sent apart.
    if callback.state.as_deref() != Some(state.as_str()) {
        return (
            StatusCode::BAD_REQUEST,
            "This is not the login that is awaited.\n",
        );
    }
    let fine = callback.code.is_some();
    let _ = tell.try_send(callback);
    match fine {
        true => (
            StatusCode::OK,
            "Logged in. You can close this page and go back to the shell.\n",
        ),
        false => (StatusCode::OK, "Not logged in. The shell says why.\n"),
    }
}

fn accepted(callback: Callback, found: &Discovered) -> Result<String, Failure> {
    let Callback {
        state: _,
        code,
        iss,
        error,
        error_description,
    } = callback;
    if let Some(error) = error {
        let refused = Refused {
            error,
            error_description: error_description.unwrap_or_default(),
        };
        return Err(Failure::local(format!(
            "the issuer refuses the login: {}",
            refused.sentence()
        )));
    }
    let expected = found.authorization_response_iss_parameter_supported;
    if iss.as_deref().map_or(expected, |iss| iss != found.issuer) {
        return Err(Failure::local(
            "the answer came from another issuer than the one that was asked; run `turnpike login` again",
        ));
    }
    code.ok_or_else(|| {
        Failure::local("the issuer sent the browser back without a code; run `turnpike login` again")
    })
}

fn is_ours(id_token: &str, asked: &Asked, found: &Discovered, nonce: &str) -> bool {
    let claims = claims_of(id_token);
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let audience = match claims.get("aud") {
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(&asked.client_id)),
        Some(one) => one.as_str() == Some(&asked.client_id),
        None => false,
    };
    audience && text("nonce") == Some(nonce) && text("iss") == Some(&found.issuer)
}
