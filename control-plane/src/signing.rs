//! The keys that sign what this installation puts on the bus.
//!
//! The bus is not trusted: edges believe what is signed by a key that a control plane named to them over gRPC. All
//! control planes share the keys; the private parts are sealed with the keyring before the store sees them.

use std::sync::Arc;

use turnpike_proto::sync::v1::{Signed, VerifyingKey, signed::Kind};
use turnpike_runtime::{
    clock,
    keyring::{Keyring, Sealed},
    signing::{SigningKey, SigningKeyError},
};

use crate::store::{EventStore, SealedKey, StoreError};

/// No key can be had. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys were sealed with another keyring.
    #[error(
        "the signing key in the database cannot be opened; the keyring must hold the key it was sealed with: {0}"
    )]
    Key(#[from] SigningKeyError),
    /// The store kept nothing.
    #[error("the database holds no signing key")]
    Missing,
}

/// Signs for the bus, and knows every key whose signatures are to be believed.
#[derive(Clone)]
pub(crate) struct Signing {
    own: Arc<SigningKey>,
    known: Arc<[VerifyingKey]>,
}

impl Signing {
    /// The key that the store holds, or a fresh one if it holds none. However many control planes start at once,
    /// they end up with the same one.
    pub(crate) async fn load(store: &dyn EventStore, keyring: &Keyring) -> Result<Self, SigningError> {
        let mut stored = store.signing_keys().await?;
        if stored.is_empty() {
            stored = store.first_signing_key(&fresh(keyring)?).await?;
        }
        // The newest signs; the older ones are still believed while others may sign with them.
        let newest = stored.last().ok_or(SigningError::Missing)?;
        let known = stored.iter().map(|key| VerifyingKey {
            id: key.id.clone(),
            key: key.public_key.clone(),
        });
        Ok(Self {
            own: Arc::new(open(keyring, newest)?),
            known: known.collect(),
        })
    }

    /// Signs an encoded message.
    pub(crate) fn sign(&self, kind: Kind, body: Vec<u8>) -> Signed {
        self.own.sign(kind, body)
    }

    /// A signature over a statement that begins with what no other statement does, and before it the key, as `x` of its JWK.
    pub(crate) fn sign_statement(&self, statement: &[u8]) -> (String, Vec<u8>) {
        (self.own.public_key(), self.own.sign_statement(statement))
    }

    /// Every key whose signatures are to be believed.
    pub(crate) fn verifying_keys(&self) -> Vec<VerifyingKey> {
        self.known.to_vec()
    }
}

fn fresh(keyring: &Keyring) -> Result<SealedKey, SigningError> {
    let key = SigningKey::generate()?;
    Ok(SealedKey {
        id: key.id().to_owned(),
        sealed: key.seal(keyring)?.to_string().into_bytes(),
        public_key: key.verifying_key().key,
        created: clock::now(),
    })
}

fn open(keyring: &Keyring, stored: &SealedKey) -> Result<SigningKey, SigningError> {
    let text = String::from_utf8_lossy(&stored.sealed);
    let sealed: Sealed = text.parse().map_err(SigningKeyError::from)?;
    Ok(SigningKey::open(keyring, &sealed)?)
}
