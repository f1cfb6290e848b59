//! What is asked of a new token, and the token.

use std::sync::Arc;

use turnpike_access::{credential::Scope, id::Timestamp, snapshot::Snapshot};
use turnpike_runtime::{random, token::own::OwnClaims};

use super::{Web, form::Form, refusal::Refusal, scope, subject::Subject};

/// For Turnpike itself.
const AUDIENCE: &str = "turnpike";
/// How long a token lives where nothing is said, in seconds.
const LIFETIME: u32 = 600;
/// How long it may live, in seconds.
const LONGEST: u32 = 3600;
/// The most audiences.
const AUDIENCES_LIMIT: usize = 8;
/// The longest audience, in bytes.
const AUDIENCE_LIMIT: usize = 256;

/// What is asked of a new token.
pub(super) struct Asked {
    lifetime: u32,
    audiences: Vec<Arc<str>>,
    scope: Option<Scope>,
}

impl Asked {
    /// From a request's parameters.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub(super) fn read(form: &Form) -> Result<Self, Refusal> {
        let lifetime = form.get("expires_in").map_or(Ok(LIFETIME), |text| {
            let seconds = text.parse().ok();
            seconds
                .filter(|seconds| (1..=LONGEST).contains(seconds))
                .ok_or_else(|| {
                    Refusal::request(format!("expires_in is a number of seconds from 1 to {LONGEST}"))
                })
        })?;
        let named = form.all("audience").iter().chain(form.all("resource"));
        let mut audiences: Vec<Arc<str>> = named.map(|one| Arc::from(one.as_str())).collect();
        let fits =
            |one: &Arc<str>| one.len() <= AUDIENCE_LIMIT && one.bytes().all(|byte| byte.is_ascii_graphic());
        if audiences.len() > AUDIENCES_LIMIT || !audiences.iter().all(fits) {
            return Err(Refusal::target(format!(
                "there may be up to {AUDIENCES_LIMIT} audiences of up to {AUDIENCE_LIMIT} visible characters"
            )));
        }
        if audiences.is_empty() {
            audiences.push(Arc::from(AUDIENCE));
        }
        let scope = form.get("scope").map(scope::parse).transpose()?;
        Ok(Self {
            lifetime,
            audiences,
            scope: scope.filter(|scope| *scope != Scope::default()),
        })
    }
}

/// A token, and what the client is told of it.
pub(super) struct Signed {
    pub(super) token: String,
    pub(super) expires_in: i64,
    pub(super) scope: Option<Scope>,
}

/// Signs a token.
///
/// # Errors
/// What it would be given for ends now, or there is no key to sign with.
pub(super) async fn sign(
    web: &Web,
    snapshot: &Snapshot,
    subject: Subject,
    asked: Asked,
    now: Timestamp,
) -> Result<Signed, Refusal> {
    let (signer, issuer) = web.keys.signer(snapshot).await.map_err(|error| {
        tracing::warn!(%error, "no token can be signed");
        Refusal::later("there is no key to sign with yet; try again in a moment")
    })?;
    let Asked {
        lifetime,
        audiences,
        scope,
    } = asked;
    let issued = seconds(now);
    let wanted = issued + i64::from(lifetime);
    let expires = subject.ends.map_or(wanted, |ends| wanted.min(seconds(ends)));
    if expires <= issued {
        return Err(Refusal::request("what the token would be given for ends now"));
    }
    let Subject {
        tenant,
        principal,
        groups,
        given_for,
        client: client_id,
        ends: _,
    } = subject;
    let [issued, expires] = [issued, expires].map(|at| Timestamp::from_micros(0).plus_seconds(at));
    let claims = OwnClaims {
        issuer,
        principal,
        audiences,
        expires,
        issued,
        id: Arc::from(random::id().as_str()),
        client_id,
        tenant,
        groups,
        scope,
        given_for,
    };
    tracing::info!(
        tenant = %claims.tenant,
        principal = %claims.principal,
        id = %claims.id,
        client = %claims.client_id,
        "signed a token"
    );
    Ok(Signed {
        token: signer.sign(&claims),
        expires_in: seconds(expires) - seconds(issued),
        scope: claims.scope,
    })
}

/// Whole ones, since the epoch.
fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}
