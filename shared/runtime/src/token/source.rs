//! Where an issuer's keys come from: fetched ahead, fetched again when a token names an unknown one, kept on disk, and
//! served stale while the issuer is away.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use turnpike_access::{id::Timestamp, issuer::Verification, jws};

use super::{
    KeysMaxAge, Timing, TokenFailure,
    disk::Disk,
    fetch::{Answer, FetchError, Fetcher},
    keys::KeySet,
    remember::Epoch,
};
use crate::{clock, task::Tasks};

/// Where keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// Where the document of this issuer says.
    Discovery(Arc<str>),
    /// At this URL.
    Jwks(Arc<str>),
    /// Here.
    Given(Arc<str>),
}

impl Place {
    /// None for an issuer that is asked about each token.
    pub(super) fn of(url: &Arc<str>, verification: &Verification) -> Option<Self> {
        match verification {
            Verification::Discovery {} => Some(Self::Discovery(url.clone())),
            Verification::Jwks { url } => Some(Self::Jwks(url.clone())),
            Verification::Keys { jwks } => Some(Self::Given(jwks.clone())),
            Verification::Introspection { .. } => None,
        }
    }

    /// What it is called on disk and in logs; none for keys that are here already.
    pub(super) fn url(&self) -> Option<String> {
        match self {
            Self::Discovery(issuer) => Some(format!("discovery:{issuer}")),
            Self::Jwks(url) => Some(format!("jwks:{url}")),
            Self::Given(_) => None,
        }
    }
}

/// Why no keys were had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SourceError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the issuer's metadata is not JSON, is of another issuer, or names no jwks_uri")]
    Metadata,
    #[error("the answer is not a JSON Web Key Set, or has no key that can be used")]
    Keys,
}

/// What every source needs.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) fetcher: Fetcher,
    pub(super) disk: Disk,
    pub(super) tasks: Tasks,
    pub(super) timing: Timing,
    pub(super) keys_max_age: KeysMaxAge,
}

impl Means {
    /// A source that has nothing yet but what stands in its place.
    pub(super) fn source(&self, place: &Place) -> Arc<Source> {
        Arc::new(Source::new(place.clone(), self.keys_max_age))
    }
}

/// Keys in use, and when they were fetched; those that were given do not age.
#[derive(Debug, Clone)]
struct Held {
    keys: Arc<KeySet>,
    fetched: Option<Timestamp>,
}

/// The keys at one place, shared by all issuers that have them there.
#[derive(Debug)]
pub(super) struct Source {
    place: Place,
    pub(super) epoch: Epoch,
    keys: RwLock<Option<Held>>,
    max_age: KeysMaxAge,
    state: Mutex<State>,
    /// Sent to when keys came, or a fetch ended without.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    fetching: bool,
    read_disk: bool,
    failures: u32,
    next: Option<Instant>,
    demanded: Option<Instant>,
}

impl Source {
    fn new(place: Place, max_age: KeysMaxAge) -> Self {
        let given = match &place {
            Place::Given(jwks) => Some(Held {
                keys: Arc::new(KeySet::parse(jwks.as_bytes()).unwrap_or_default()),
                fetched: None,
            }),
            _ => None,
        };
        let state = State {
            fetching: false,
            read_disk: false,
            failures: 0,
            next: given.is_none().then(Instant::now),
            demanded: None,
        };
        Self {
            place,
            epoch: Epoch::default(),
            keys: RwLock::new(given),
            max_age,
            state: Mutex::new(state),
            news: watch::Sender::new(0),
        }
    }

    /// The keys to verify with.
    ///
    /// # Errors
    /// There are none, or they are older than is allowed.
    pub(super) fn keys(&self) -> Result<Arc<KeySet>, TokenFailure> {
        let held = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Held { keys, fetched } = held.ok_or(TokenFailure::IssuerUnavailable)?;
        let age = fetched.map(|fetched| clock::now().as_micros().saturating_sub(fetched.as_micros()));
        let longest = i64::try_from(self.max_age.get().as_micros()).unwrap_or(i64::MAX);
        match age.is_some_and(|age| age > longest) {
            true => Err(TokenFailure::KeysStale),
            false => Ok(keys),
        }
    }

    /// When it is to be fetched next, if it ever is.
    pub(super) fn next(&self) -> Option<Instant> {
        let state = self.state();
        state.next.filter(|_| !state.fetching)
    }

    /// Starts to fetch the keys, unless that is under way.
    pub(super) fn refresh(self: &Arc<Self>, means: &Means, done: impl FnOnce() + Send + 'static) {
        if std::mem::replace(&mut self.state().fetching, true) {
            return;
        }
        let (source, means) = (Arc::clone(self), means.clone());
        let tasks = means.tasks.clone();
        tasks.spawn("issuer keys", async move {
            let end = End(&source);
            let shutdown = means.tasks.shutdown().clone();
            tokio::select! {
                () = source.fetch(&means) => {}
                () = shutdown.cancelled() => {}
            }
            drop(end);
            done();
        });
    }

    /// Has the keys fetched for the sake of a token, rarely, and waits for that a little. `enough` looks at what is here.
    pub(super) async fn demand<T>(
        self: &Arc<Self>,
        means: &Means,
        done: impl FnOnce() + Send + 'static,
        enough: impl Fn() -> Option<T>,
    ) -> Option<T> {
        let mut news = self.news.subscribe();
        if self.may_demand(means.timing.debounce) {
            self.refresh(means, done);
        }
        let deadline = Instant::now() + means.timing.patience;
        loop {
            if let Some(found) = enough() {
                return Some(found);
            }
            if !self.state().fetching && !news.has_changed().unwrap_or(false) {
                return None;
            }
            tokio::time::timeout_at(deadline, news.changed())
                .await
                .ok()?
                .ok()?;
        }
    }

    fn may_demand(&self, debounce: Duration) -> bool {
        if self.place.url().is_none() {
            return false;
        }
        let mut state = self.state();
        // The first fetch would have come anyway.
        let first = !state.read_disk;
        let rested = first || state.demanded.is_none_or(|last| last.elapsed() >= debounce);
        if state.fetching || !rested {
            return false;
        }
        if !first {
            state.demanded = Some(Instant::now());
        }
        true
    }

    async fn fetch(&self, means: &Means) {
        let Some(name) = self.place.url() else { return };
        let first = !std::mem::replace(&mut self.state().read_disk, true);
        if first && let Some((keys, fetched)) = self.stored(means, &name).await {
            self.hold(keys, fetched);
        }
        let asked = clock::now();
        match self.ask(&means.fetcher).await {
            Ok((keys, answer)) => {
                self.hold(keys, asked);
                let age = answer.max_age.unwrap_or(means.timing.refresh);
                let age = age.clamp(means.timing.shortest, means.timing.longest);
                self.schedule(|state| {
                    state.failures = 0;
                    age
                });
                means.disk.write(&means.tasks, name, asked, answer.body).await;
            }
            Err(error) => {
                let has_keys = self.keys().is_ok();
                tracing::warn!(source = name, %error, has_keys, "the keys of an issuer can't be fetched");
                let timing = means.timing;
                self.schedule(|state| {
                    state.failures = state.failures.saturating_add(1);
                    let doubled = timing
                        .retry
                        .saturating_mul(1 << state.failures.min(10).saturating_sub(1));
                    doubled.min(timing.refresh)
                });
            }
        }
    }

    async fn stored(&self, means: &Means, name: &str) -> Option<(KeySet, Timestamp)> {
        let (text, fetched) = means.disk.read(&means.tasks, name.to_owned()).await?;
        let keys = KeySet::parse(&text).ok().filter(|keys| !keys.is_empty())?;
        Some((keys, fetched))
    }

    async fn ask(&self, fetcher: &Fetcher) -> Result<(KeySet, Answer), SourceError> {
        let url = match &self.place {
            Place::Discovery(issuer) => discover(fetcher, issuer).await?,
            Place::Jwks(url) | Place::Given(url) => url.to_string(),
        };
        let answer = fetcher.get(&url).await?;
        let keys = KeySet::parse(&answer.body).map_err(|_| SourceError::Keys)?;
        // A set without a key would lock everybody out; so would one that is broken. The last good one stays.
        if keys.is_empty() {
            Err(SourceError::Keys)
        } else {
            Ok((keys, answer))
        }
    }

    /// Takes a set into use. What a vanished key signed is verified anew.
    fn hold(&self, keys: KeySet, fetched: Timestamp) {
        let keys = Arc::new(keys);
        let held = Held {
            keys: keys.clone(),
            fetched: Some(fetched),
        };
        let before = self
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(held);
        if before.is_some_and(|before| !before.keys.is_within(&keys)) {
            self.epoch.raise();
        }
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn schedule(&self, wait: impl FnOnce(&mut State) -> Duration) {
        let mut state = self.state();
        let wait = wait(&mut state);
        state.next = Some(Instant::now() + wait);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a fetch has ended, however it did.
struct End<'s>(&'s Source);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.state().fetching = false;
        self.0.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Where an issuer's metadata says that its keys are: by OpenID Connect Discovery, else by RFC 8414.
async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<String, SourceError> {
    let mut failure = SourceError::Metadata;
    for url in metadata_urls(issuer) {
        let found = match fetcher.get(&url).await {
            Ok(answer) => jwks_uri(&answer.body, issuer),
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(uri) => return Ok(uri),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn metadata_urls(issuer: &str) -> Vec<String> {
    let base = issuer.trim_end_matches('/');
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let host_end = base
        .get(after_scheme..)
        .and_then(|rest| rest.find('/'))
        .map_or(base.len(), |at| after_scheme + at);
    let (host, path) = base.split_at(host_end);
    vec![
        format!("{base}/.well-known/openid-configuration"),
        format!("{host}/.well-known/oauth-authorization-server{path}"),
    ]
}

fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, SourceError> {
    let document = jws::object(document).map_err(|_| SourceError::Metadata)?;
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(SourceError::Metadata);
    }
    text("jwks_uri").map(str::to_owned).ok_or(SourceError::Metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_by_both_standards() {
        assert_eq!(
            metadata_urls("https://issuer.example/tenant/1/"),
            [
                "https://issuer.example/tenant/1/.well-known/openid-configuration",
                "https://issuer.example/.well-known/oauth-authorization-server/tenant/1",
            ]
        );
        assert_eq!(
            metadata_urls("https://issuer.example")[1],
            "https://issuer.example/.well-known/oauth-authorization-server"
        );
    }

    #[test]
    fn metadata_of_another_issuer_is_refused() {
        let document = br#"{"issuer":"https://a.example","jwks_uri":"https://a.example/keys"}"#;
        assert_eq!(
            jwks_uri(document, "https://a.example"),
            Ok("https://a.example/keys".to_owned())
        );
        for other in ["https://b.example", "https://a.example/", "https://A.example"] {
            assert_eq!(jwks_uri(document, other), Err(SourceError::Metadata));
        }
    }
}
