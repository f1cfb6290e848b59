//! Who asks for a token, proven by a key: in the form, as HTTP Basic (RFC 6749, section 2.3.1), or as a bearer.

use std::sync::Arc;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use turnpike_access::{
    alert::Alert,
    authenticate::{AuthFailure, Caller, authenticate},
    command::Command,
    credential::{Credential, PresentedKey},
    id::Timestamp,
    snapshot::Snapshot,
};
use turnpike_runtime::{random, secret::Secret};

use super::{Web, form::Form, refusal::Refusal};
use crate::execute::Authority;

/// A client's name for itself, where it gives one, and its key.
pub(super) struct Presented {
    id: Option<String>,
    key: Secret,
}

impl Presented {
    /// What a request presents, if anything.
    ///
    /// # Errors
    /// It presents two things, or something that cannot be read.
    pub(super) fn read(headers: &HeaderMap, form: &Form) -> Result<Option<Self>, Refusal> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let header = values.next();
        let in_form = form.get("client_secret");
        if values.next().is_some() || (header.is_some() && in_form.is_some()) {
            return Err(Refusal::request("the client authenticates in more than one way"));
        }
        if let Some(value) = header {
            let text = value.to_str().map_err(|_| Refusal::client())?;
            let presented = Self::of_header(text).ok_or_else(Refusal::client)?;
            return match (&presented.id, form.get("client_id")) {
                (Some(one), Some(other)) if one != other => Err(Refusal::request("two clients are named")),
                _ => Ok(Some(presented)),
            };
        }
        Ok(in_form.map(|key| Self {
            id: form.get("client_id").map(str::to_owned),
            key: Secret::new(key),
        }))
    }

    fn of_header(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self {
                id: None,
                key: Secret::new(rest),
            });
        }
        let pair = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| STANDARD.decode(rest))?;
        let pair = String::from_utf8(pair.ok()?).ok()?;
        let (id, key) = pair.split_once(':')?;
        Some(Self {
            id: Some(decoded(id)),
            key: Secret::new(decoded(key)),
        })
    }

    /// The caller whose key it is. The client may name itself by the key's id, or by its own name.
    ///
    /// # Errors
    /// The key opens nothing, or is not that client's.
    pub(super) fn prove<'s>(
        &self,
        web: &Web,
        snapshot: &'s Snapshot,
        now: Timestamp,
    ) -> Result<Caller<'s>, Refusal> {
        let caller = key_of(web, snapshot, self.key.expose(), now).map_err(|_| Refusal::client())?;
        let named = |id: &str| {
            let key = caller.credential.is_some_and(|held| held.id.to_string() == id);
            key || caller.principal.name().as_str() == id || caller.principal.to_string() == id
        };
        match self.id.as_deref().is_none_or(named) {
            true => Ok(caller),
            false => Err(Refusal::client()),
        }
    }
}

/// The caller whose key a text is; whoever uses a decoy is told of.
pub(super) fn key_of<'s>(
    web: &Web,
    snapshot: &'s Snapshot,
    text: &str,
    now: Timestamp,
) -> Result<Caller<'s>, AuthFailure> {
    let key = PresentedKey::parse(text).map_err(|_| AuthFailure::Unknown)?;
    authenticate(snapshot, &key, &web.peppers, now).map_err(|refused| {
        tracing::info!(credential = %key.id(), reason = refused.failure.as_str(), "no token for this key");
        if let (AuthFailure::Decoy, Some(credential)) = (refused.failure, refused.credential) {
            tell_of_decoy(web, credential);
        }
        refused.failure
    })
}

/// Beside the answer, which takes as long as for any key.
fn tell_of_decoy(web: &Web, credential: &Credential) {
    if credential.decoy.as_ref().is_none_or(|decoy| decoy.used.is_some()) {
        return;
    }
    let alert = Alert {
        id: random::id(),
        kind: Arc::from("decoy_used"),
        subject: Some(Arc::from(credential.id.as_str())),
        credential: Some(credential.id),
        count: None,
        audit: Vec::new(),
        summary: Arc::from(format!("decoy key {} was presented for a token", credential.id)),
        evidence: [(Arc::from("place"), Arc::from("POST /oauth/token"))].into(),
    };
    let (executor, tenant) = (web.executor.clone(), credential.tenant.clone());
    web.tasks.spawn("decoy alert", async move {
        let (correlation, commands) = (Arc::from(random::id().as_str()), vec![Command::RaiseAlert(alert)]);
        let asked = executor.execute(Authority::System("decoy alert"), tenant, correlation, commands);
        if let Err(error) = asked.await {
            tracing::warn!(%error, "the alert of a used decoy could not be raised");
        }
    });
}

/// Name and password are encoded as in a form before they are joined (RFC 6749, section 2.3.1).
fn decoded(text: &str) -> String {
    form_urlencoded::parse(format!("x={}", text.replace('&', "%26").replace('=', "%3D")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
