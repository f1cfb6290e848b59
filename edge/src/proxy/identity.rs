//! The identity header of requests to providers that want one: made once for some seconds, and never by the client.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderValue;
use turnpike_access::{
    authenticate::Caller,
    grant::AuthMethod,
    id::{Id, Name, Principal, Timestamp},
    snapshot::Snapshot,
};
use turnpike_runtime::identity::{EdgeSigner, IdentityClaims};

/// How long one header serves the same caller, in seconds. It is good for much longer.
const KEPT_FOR: i64 = 10;
/// The most headers that are kept. When they are that many, those that are over go, and where none is, all.
const MOST: usize = 4096;

/// Signs, and remembers what it signed.
pub(super) struct Identities {
    signer: Arc<EdgeSigner>,
    kept: Mutex<HashMap<Key, Kept>>,
}

/// What a header speaks of, but for the decision.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    tenant: Name,
    principal: Principal,
    credential: Option<Id>,
    method: AuthMethod,
    audience: Arc<str>,
    model: Arc<str>,
    issuer: Arc<str>,
}

struct Kept {
    value: HeaderValue,
    until: Timestamp,
}

impl Identities {
    pub(super) fn new(signer: Arc<EdgeSigner>) -> Self {
        Self {
            signer,
            kept: Mutex::default(),
        }
    }

    /// The header of a request; `None`: the control plane's public URL is not known yet.
    pub(super) fn header(
        &self,
        snapshot: &Snapshot,
        caller: &Caller<'_>,
        audience: &Arc<str>,
        model: &Arc<str>,
        decision: &str,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let newest = snapshot.token_keys().iter().max_by_key(|key| key.created)?;
        let key = Key {
            tenant: caller.tenant.name().clone(),
            principal: caller.principal.clone(),
            credential: caller.credential.map(|held| held.id),
            method: caller.method,
            audience: audience.clone(),
            model: model.clone(),
            issuer: newest.issuer.clone(),
        };
        if let Some(value) = self.known(&key, now) {
            return Some(value);
        }
        let signed = self.signer.sign(&IdentityClaims {
            issuer: &key.issuer,
            audience: &key.audience,
            issued: now,
            principal: &key.principal,
            tenant: &key.tenant,
            method: key.method.as_str(),
            credential: key.credential,
            model: &key.model,
            decision,
        });
        let mut value = HeaderValue::try_from(signed).ok()?;
        value.set_sensitive(true);
        self.keep(key, value.clone(), now);
        Some(value)
    }

    fn known(&self, key: &Key, now: Timestamp) -> Option<HeaderValue> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key).filter(|kept| now < kept.until)?;
        Some(found.value.clone())
    }

    fn keep(&self, key: Key, value: HeaderValue, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, kept| now < kept.until);
            if kept.len() >= MOST {
                kept.clear();
            }
        }
        let until = now.plus_seconds(KEPT_FOR);
        kept.insert(key, Kept { value, until });
    }
}
