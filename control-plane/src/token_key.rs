//! The keys that sign Turnpike's own tokens.
//!
//! The public halves are events, so that every edge knows them; the private ones are sealed with the keyring and kept in
//! the store, so that each control plane can sign with each of them. A fresh key is published for a while before it signs,
//! and an old one stays until nothing that it signed can live.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    command::Command,
    id::{Name, Timestamp},
    issuer::TokenKey,
    log::Head,
    snapshot::Snapshot,
};
use turnpike_runtime::{
    clock,
    keyring::{Keyring, SealError, Sealed},
    random,
    token::own::{TokenSigner, TokenSignerError},
};

use crate::{
    execute::{Authority, ExecuteError, Executor},
    store::{EventStore, SealedKey, StoreError},
};

#[cfg(test)]
mod tests;

/// What the private halves are sealed for.
const PURPOSE: &str = "turnpike.token.signing-key.v1";
/// A key is followed by another after so long, in seconds.
const SIGNS_FOR: i64 = 30 * 24 * 3600;
/// A key is published for so long before it signs, in seconds: those who verify keep the key set for as long.
pub(crate) const PUBLISHED_BEFORE: i64 = 300;
/// A key is believed for so long after another took its place, in seconds: twice the longest life of a token.
const BELIEVED_AFTER: i64 = 2 * 3600;
/// How often the keys' age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenKeyError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change was not made.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// It was sealed with another keyring.
    #[error("the token key cannot be sealed or opened: {0}")]
    Sealing(#[from] SealError),
    /// It is no key.
    #[error(transparent)]
    Signer(#[from] TokenSignerError),
    /// There is none yet, or its private half is nowhere.
    #[error("there is no key to sign tokens with yet")]
    Missing,
}

/// Signs Turnpike's own tokens, and sees to the keys. Clones share the opened ones.
#[derive(Clone)]
pub(crate) struct TokenKeys {
    store: Arc<dyn EventStore>,
    keyring: Arc<Keyring>,
    executor: Executor,
    issuer: Arc<str>,
    opened: Arc<Mutex<BTreeMap<Arc<str>, Arc<TokenSigner>>>>,
}

impl TokenKeys {
    /// Keys in a store, for tokens whose `iss` is this control plane's public URL.
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        keyring: Arc<Keyring>,
        executor: Executor,
        issuer: Arc<str>,
    ) -> Self {
        Self {
            store,
            keyring,
            executor,
            issuer,
            opened: Arc::default(),
        }
    }

    /// The URL that new keys stand under.
    pub(crate) fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// What signs now, and the `iss` that it signs for.
    pub(crate) async fn signer(
        &self,
        snapshot: &Snapshot,
    ) -> Result<(Arc<TokenSigner>, Arc<str>), TokenKeyError> {
        let key = signing(snapshot.token_keys(), &self.issuer, clock::now()).ok_or(TokenKeyError::Missing)?;
        Ok((self.open(&key.id).await?, key.issuer.clone()))
    }

    /// A fresh key whose private half is kept. It signs nothing until [`Command::AddTokenKey`] is committed.
    pub(crate) async fn fresh(&self) -> Result<TokenKey, TokenKeyError> {
        let signer = TokenSigner::generate()?;
        let key = TokenKey {
            id: Arc::from(signer.key_id()),
            issuer: self.issuer.clone(),
            public_key: Arc::from(signer.public_key()),
            created: clock::now(),
        };
        let sealed = self.keyring.seal(PURPOSE, signer.pkcs8().expose())?;
        self.store
            .add_token_key(&SealedKey {
                id: key.id.to_string(),
                sealed: sealed.to_string().into_bytes(),
                public_key: key.public_key.as_bytes().to_vec(),
                created: key.created,
            })
            .await?;
        Ok(key)
    }

    /// Keeps the keys young until `stop`. There are none before there is an administrator.
    pub(crate) async fn keep(self, mut heads: watch::Receiver<Head>, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the keys of Turnpike's own tokens could not be seen to; trying again later");
            }
            let begun = self.executor.snapshot().bootstrapped();
            tokio::select! {
                _ = look.tick() => {}
                changed = heads.changed(), if !begun => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }

    /// Adds a key where there is none that is young enough, and removes those that are believed for nothing.
    async fn look(&self) -> Result<(), TokenKeyError> {
        let (snapshot, now) = (self.executor.snapshot(), clock::now());
        if !snapshot.bootstrapped() {
            return Ok(());
        }
        let keys = snapshot.token_keys();
        let newest = keys.iter().rev().find(|key| key.issuer == self.issuer);
        let young = newest.filter(|key| now < key.created.plus_seconds(SIGNS_FOR));
        let usable = match young {
            Some(key) => self.is_usable(&key.id).await?,
            None => false,
        };
        if !usable {
            let key = self.fresh().await?;
            tracing::info!(key = %key.id, issuer = %key.issuer, "a new key signs Turnpike's own tokens");
            self.execute(Command::AddTokenKey(key)).await?;
        }
        for id in superseded(keys, now) {
            self.execute(Command::RemoveTokenKey { id }).await?;
        }
        self.forget(now).await
    }

    /// A key that cannot be opened with this keyring is no key; a store that is away says nothing.
    async fn is_usable(&self, id: &Arc<str>) -> Result<bool, TokenKeyError> {
        match self.open(id).await {
            Ok(_) => Ok(true),
            Err(TokenKeyError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(key = %id, %error, "a key of Turnpike's own tokens is of no use");
                Ok(false)
            }
        }
    }

    /// Forgets private halves whose public ones are not, or no more, in the log.
    async fn forget(&self, now: Timestamp) -> Result<(), TokenKeyError> {
        let snapshot = self.executor.snapshot();
        let held = |id: &str| snapshot.token_keys().iter().any(|key| *key.id == *id);
        for stored in self.store.token_keys().await? {
            // A young one may be about to be told to the log.
            if !held(&stored.id) && stored.created.plus_seconds(BELIEVED_AFTER) < now {
                self.store.remove_token_key(&stored.id).await?;
            }
        }
        self.opened().retain(|id, _| held(id));
        Ok(())
    }

    async fn execute(&self, command: Command) -> Result<(), TokenKeyError> {
        let authority = Authority::System("token keys");
        let correlation = Arc::from(random::id().as_str());
        let asked = self
            .executor
            .execute(authority, Name::platform(), correlation, vec![command]);
        asked.await?;
        Ok(())
    }

    async fn open(&self, id: &Arc<str>) -> Result<Arc<TokenSigner>, TokenKeyError> {
        if let Some(signer) = self.opened().get(id).cloned() {
            return Ok(signer);
        }
        let stored = self.store.token_keys().await?;
        let stored = stored.iter().find(|key| *key.id == **id);
        let text = String::from_utf8_lossy(&stored.ok_or(TokenKeyError::Missing)?.sealed).into_owned();
        let sealed: Sealed = text.parse()?;
        let signer = TokenSigner::from_pkcs8(self.keyring.open(PURPOSE, &sealed)?)?;
        if signer.key_id() != &**id {
            return Err(TokenKeyError::Missing);
        }
        let signer = Arc::new(signer);
        self.opened().insert(id.clone(), signer.clone());
        Ok(signer)
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<TokenSigner>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest of the issuer's keys that was published long enough; where none was, the oldest of them.
pub(crate) fn signing<'k>(keys: &'k [TokenKey], issuer: &str, now: Timestamp) -> Option<&'k TokenKey> {
    let mut own = keys.iter().filter(|key| *key.issuer == *issuer);
    let known = own
        .clone()
        .rev()
        .find(|key| key.created.plus_seconds(PUBLISHED_BEFORE) <= now);
    known.or_else(|| own.next()).or(keys.last())
}

/// Those that others took the place of so long ago that nothing signed by them can live.
fn superseded(keys: &[TokenKey], now: Timestamp) -> Vec<Arc<str>> {
    let pairs = keys.iter().zip(keys.iter().skip(1));
    let long_ago = |next: &TokenKey| next.created.plus_seconds(PUBLISHED_BEFORE + BELIEVED_AFTER) < now;
    pairs
        .filter(|(_, next)| long_ago(next))
        .map(|(key, _)| key.id.clone())
        .collect()
}
