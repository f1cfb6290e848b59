//! Verifying the tokens that callers present: JWTs of issuers that a tenant trusts, opaque ones that an issuer is asked
//! about, and Turnpike's own (RFC 7519, RFC 8725, RFC 9068, RFC 7662).
//!
//! A token is verified once and remembered. Whether it opens anything now is for [`turnpike_access::token::admit`].

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use ipnet::IpNet;
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};
use turnpike_access::{
    id::{Name, Timestamp},
    issuer::{TokenKey, Verification},
    jws::Header,
    snapshot::Snapshot,
    token::VerifiedToken,
};

use self::{
    claims::Trusted,
    disk::Disk,
    fetch::Fetcher,
    introspect::{Introspection, Question},
    remember::{Digest, Epoch, Remembered, Since, digest},
    source::{Means, Place, Source},
    timing::Timing,
};
use crate::{keyring::Keyring, secret::Secret, task::Tasks};

mod age;
mod claims;
mod disk;
mod failure;
pub mod fetch;
mod introspect;
mod keys;
pub mod own;
mod pick;
mod remember;
mod source;
mod timing;

pub use age::KeysMaxAge;
pub use failure::{TokenFailure, TokenSetupError};
pub use introspect::issuer_purpose;

/// How tokens are verified.
#[derive(Debug, Clone, Default)]
pub struct TokenSettings {
    /// Where fetched keys are kept for the next start; none: nowhere.
    pub cache_dir: Option<PathBuf>,
    /// Networks inside that issuers may be in. Without them only addresses out on the internet are reached.
    pub allowed_networks: Vec<IpNet>,
    /// The most tokens that are remembered.
    pub remembered: usize,
    /// How old fetched keys may become while their issuer cannot be reached.
    pub keys_max_age: KeysMaxAge,
    /// Authorities beside the system's, in DER.
    pub roots: Vec<CertificateDer<'static>>,
}

/// The tokens that were verified, and what it takes to verify more.
pub struct Tokens {
    remembered: Arc<Remembered<Arc<VerifiedToken>>>,
    sources: RwLock<HashMap<Place, Arc<Source>>>,
    introspection: Arc<Introspection>,
    means: Means,
    /// Something is to be fetched sooner than was thought.
    wake: Arc<Notify>,
    followed: Mutex<Followed>,
    hasher: RandomState,
    /// Of Turnpike's own keys.
    own: Epoch,
}

/// What of the snapshot was followed last.
#[derive(Debug, Default)]
struct Followed {
    issuers: Option<u64>,
    own: Vec<TokenKey>,
}

/// A token that was taken apart and given to its issuer; nothing of the snapshot is borrowed.
pub struct Pending {
    text: Secret,
    digest: Digest,
    kind: PendingKind,
}

enum PendingKind {
    Own {
        key: TokenKey,
        header: Header,
        claims: Value,
        since: Since,
    },
    Jwt {
        trusted: Trusted,
        header: Header,
        claims: Value,
    },
    Opaque {
        trusted: Trusted,
    },
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Remembers nothing yet, and begins to fetch keys as soon as it follows a snapshot.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(
        settings: TokenSettings,
        keyring: Arc<Keyring>,
        tasks: &Tasks,
    ) -> Result<Arc<Self>, TokenSetupError> {
        Self::with_timing(settings, keyring, tasks, Timing::default())
    }

    fn with_timing(
        settings: TokenSettings,
        keyring: Arc<Keyring>,
        tasks: &Tasks,
        timing: Timing,
    ) -> Result<Arc<Self>, TokenSetupError> {
        let TokenSettings {
            cache_dir,
            allowed_networks,
            remembered: bound,
            keys_max_age,
            roots,
        } = settings;
        let fetcher = Fetcher::new(allowed_networks, roots)?;
        let remembered = Arc::new(Remembered::new(bound));
        let introspection = Introspection::new(
            fetcher.clone(),
            keyring,
            tasks.clone(),
            remembered.clone(),
            bound,
            timing.answer,
        );
        let this = Arc::new(Self {
            remembered,
            sources: RwLock::default(),
            introspection: Arc::new(introspection),
            means: Means {
                fetcher,
                disk: Disk::new(cache_dir),
                tasks: tasks.clone(),
                timing,
                keys_max_age,
            },
            wake: Arc::default(),
            followed: Mutex::default(),
            hasher: RandomState::new(),
            own: Epoch::default(),
        });
        let fetching = Arc::clone(&this);
        tasks.spawn("keys of issuers", async move { fetching.fetch_when_due().await });
        Ok(this)
    }

    /// A token that was verified before and has not ended. Allocates nothing, and waits for nobody who fetches.
    pub fn remembered(&self, text: &str, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        self.remembered.find(&digest(text), now)
    }

    /// Has a token verified anew when it comes again: its issuer was changed.
    pub fn forget(&self, text: &str) {
        self.remembered.forget(&digest(text));
    }

    /// Takes a token apart and finds its issuer. An opaque token needs `tenant`, unless there is one tenant alone.
    ///
    /// # Errors
    /// When it is malformed, or of no issuer that is trusted.
    pub fn prepare(
        &self,
        snapshot: &Snapshot,
        text: &str,
        tenant: Option<&str>,
    ) -> Result<Pending, TokenFailure> {
        let kind = pick::pick(snapshot, text, tenant, &self.own)?;
        Ok(Pending {
            text: Secret::new(text),
            digest: digest(text),
            kind,
        })
    }

    /// Verifies a token and remembers it. May wait: for keys, at most 2 seconds; for an issuer's answer, at most 5.
    ///
    /// # Errors
    /// When it is not good, or nobody could say.
    pub async fn verify(&self, pending: Pending, now: Timestamp) -> Result<Arc<VerifiedToken>, TokenFailure> {
        let Pending { text, digest, kind } = pending;
        let (token, since) = match kind {
            PendingKind::Opaque { trusted } => {
                let question = Question {
                    text,
                    digest,
                    trusted,
                };
                return self.introspection.ask(question, now).await;
            }
            PendingKind::Own {
                key,
                header,
                claims,
                since,
            } => (own::verify(&key, &header, text.expose(), claims, now)?, since),
            PendingKind::Jwt {
                trusted,
                header,
                claims,
            } => {
                let since = self.verify_signature(&trusted, &header, text.expose()).await?;
                (trusted.jwt(header.kind.as_deref(), &claims, now)?, since)
            }
        };
        let token = Arc::new(token);
        self.remembered.add(digest, token.clone(), token.expires, since);
        Ok(token)
    }

    async fn verify_signature(
        &self,
        trusted: &Trusted,
        header: &Header,
        text: &str,
    ) -> Result<Since, TokenFailure> {
        let profile = trusted.profile();
        if !profile.algorithms.contains(&header.algorithm) {
            return Err(TokenFailure::Algorithm);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFailure::Malformed)?;
        let place = Place::of(&profile.url, &profile.verification).ok_or(TokenFailure::IssuerUnknown)?;
        let source = self.source(place);
        // The epoch is read before the keys: if they change meanwhile, the token is not remembered under the new ones.
        let judge = || {
            let since = source.epoch.now();
            let keys = source.keys().ok()?;
            let verdict = keys.verify(header.algorithm, header.key.as_deref(), signed, signature);
            (verdict != Err(TokenFailure::KeyUnknown)).then(|| verdict.map(|()| since))
        };
        if let Some(verdict) = judge() {
            return verdict;
        }
        let wake = self.wake.clone();
        let verdict = source.demand(&self.means, move || wake.notify_one(), judge).await;
        verdict.unwrap_or_else(|| Err(source.keys().err().unwrap_or(TokenFailure::KeyUnknown)))
    }

    /// Takes note of a snapshot: fetches the keys of new issuers ahead and drops those of removed ones. Costs a look
    /// at every issuer.
    pub fn follow(&self, snapshot: &Snapshot) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.own != snapshot.token_keys() {
            let vanished = |key: &TokenKey| !snapshot.token_keys().contains(key);
            if followed.own.iter().any(vanished) {
                self.own.raise();
            }
            followed.own = snapshot.token_keys().to_vec();
        }
        let issuers = snapshot.issuers().fold(0_u64, |sum, (tenant, issuer)| {
            sum.wrapping_add(
                self.hasher
                    .hash_one((tenant.name(), &issuer.name, issuer.revision)),
            )
        });
        if followed.issuers.replace(issuers) == Some(issuers) {
            return;
        }
        let mut wanted: HashMap<Place, ()> = HashMap::new();
        for (_, issuer) in snapshot.issuers() {
            wanted.extend(
                Place::of(&issuer.profile.url, &issuer.profile.verification).map(|place| (place, ())),
            );
        }
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|place, source| {
            let kept = wanted.contains_key(place);
            if !kept {
                source.epoch.raise();
            }
            kept
        });
        for (place, ()) in wanted {
            sources
                .entry(place)
                .or_insert_with_key(|place| self.means.source(place));
        }
        drop(sources);
        self.introspection.keep(|(tenant, issuer): &(Name, Name)| {
            let held = snapshot
                .tenant(tenant.as_str())
                .and_then(|tenant| tenant.issuer(issuer.as_str()));
            held.is_some_and(|held| matches!(held.profile.verification, Verification::Introspection { .. }))
        });
        self.wake.notify_one();
    }

    fn source(&self, place: Place) -> Arc<Source> {
        if let Some(source) = self
            .sources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&place)
        {
            return source.clone();
        }
        // It may be of an issuer that was removed meanwhile: the next snapshot is looked at whole.
        self.followed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .issuers = None;
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let source = sources
            .entry(place)
            .or_insert_with_key(|place| self.means.source(place));
        source.clone()
    }

    async fn fetch_when_due(&self) {
        let shutdown = self.means.tasks.shutdown().clone();
        loop {
            let next = self.fetch_due();
            let far = Instant::now() + self.means.timing.longest;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(next.unwrap_or(far)) => {}
            }
        }
    }

    /// Starts to fetch what is due, and says when the next one is.
    fn fetch_due(&self) -> Option<Instant> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        let (due, later): (Vec<_>, Vec<_>) = sources
            .values()
            .filter_map(|source| Some((source.next()?, source)))
            .partition(|(next, _)| *next <= Instant::now());
        for (_, source) in due {
            let wake = self.wake.clone();
            source.refresh(&self.means, move || wake.notify_one());
        }
        later.into_iter().map(|(next, _)| next).min()
    }
}

#[cfg(test)]
mod tests;
