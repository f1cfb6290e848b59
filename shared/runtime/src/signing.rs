//! Signatures of what travels on the bus, so that the bus need not be trusted.
//!
//! The control plane signs, edges verify with the keys that the control plane told them over gRPC. The format
//! is that of `Signed` in `proto/turnpike/sync/v1/sync.proto`.

use std::collections::BTreeMap;

use aws_lc_rs::{
    digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use turnpike_proto::sync::v1::{Signed, VerifyingKey, signed::Kind};

use crate::{
    keyring::{Keyring, SealError, Sealed},
    random,
    secret::SecretBytes,
};

const DOMAIN: &[u8] = b"turnpike.bus.v1\0";
const PURPOSE: &str = "turnpike.bus.signing-key.v1";

/// Why a signing key could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// It is not an Ed25519 seed of 32 bytes.
    #[error("not a signing key")]
    Rejected,
    /// It could not be sealed or opened.
    #[error(transparent)]
    Sealing(#[from] SealError),
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The key is not among those that the control plane named. It may be a new one: ask.
    #[error("signed by key {0:?}, which is not known")]
    UnknownKey(String),
    /// The signature does not fit.
    #[error("the signature is wrong")]
    WrongSignature,
    /// Neither a batch nor a head.
    #[error("of unknown kind {0}")]
    UnknownKind(i32),
}

/// An Ed25519 key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: SecretBytes,
    id: String,
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn generate() -> Result<Self, SigningKeyError> {
        Self::from_seed(SecretBytes::new(random::bytes::<32>()))
    }

    /// The key of a seed of 32 bytes.
    ///
    /// # Errors
    /// When it has another length.
    pub fn from_seed(seed: SecretBytes) -> Result<Self, SigningKeyError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| SigningKeyError::Rejected)?;
        let id = key_id(pair.public_key().as_ref());
        Ok(Self { pair, seed, id })
    }

    /// Opens a key that [`SigningKey::seal`] sealed.
    ///
    /// # Errors
    /// When the keyring does not open it.
    pub fn open(keyring: &Keyring, sealed: &Sealed) -> Result<Self, SigningKeyError> {
        Self::from_seed(keyring.open(PURPOSE, sealed)?)
    }

    /// Seals the key, to be stored.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn seal(&self, keyring: &Keyring) -> Result<Sealed, SigningKeyError> {
        Ok(keyring.seal(PURPOSE, self.seed.expose())?)
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the public key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What verifies this key's signatures, as it is told to edges.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey {
            id: self.id.clone(),
            key: self.pair.public_key().as_ref().to_vec(),
        }
    }

    /// Signs a statement that begins with what no other statement does; [`crate::identity::signed`] verifies it.
    pub fn sign_statement(&self, statement: &[u8]) -> Vec<u8> {
        self.pair.sign(statement).as_ref().to_vec()
    }

    /// The public key as `x` of its JSON Web Key.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// Signs an encoded batch or head.
    pub fn sign(&self, kind: Kind, body: impl Into<Vec<u8>>) -> Signed {
        let body = body.into();
        let signature = self.pair.sign(&message(kind, &body));
        Signed {
            kind: kind.into(),
            body,
            key_id: self.id.clone(),
            signature: signature.as_ref().to_vec(),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

/// The keys whose signatures are believed.
#[derive(Debug, Clone, Default)]
pub struct VerifyingKeys {
    keys: BTreeMap<String, Vec<u8>>,
}

impl VerifyingKeys {
    /// Exactly these keys. A key is known by the id computed from it; an id that claims otherwise is ignored.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let keys = keys
            .into_iter()
            .map(|VerifyingKey { id: _, key }| (key_id(&key), key));
        Self { keys: keys.collect() }
    }

    /// Whether a key is among them.
    pub fn knows(&self, id: &str) -> bool {
        self.keys.contains_key(id)
    }

    /// Whether no key is known yet.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks a message and gives its kind. Its body may be read only after this.
    ///
    /// # Errors
    /// When the key or the kind is unknown, or the signature does not fit.
    pub fn verify(&self, signed: &Signed) -> Result<Kind, Unverified> {
        let kind = Kind::try_from(signed.kind)
            .ok()
            .filter(|kind| *kind != Kind::Unspecified)
            .ok_or(Unverified::UnknownKind(signed.kind))?;
        let key = self
            .keys
            .get(&signed.key_id)
            .ok_or_else(|| Unverified::UnknownKey(signed.key_id.chars().take(16).collect()))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&message(kind, &signed.body), &signed.signature)
            .map_err(|_| Unverified::WrongSignature)?;
        Ok(kind)
    }
}

/// What is signed: the domain, so that a signature made for anything else never fits; the kind; the body.
fn message(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(DOMAIN.len() + 1 + body.len());
    message.extend_from_slice(DOMAIN);
    message.push(match kind {
        Kind::Unspecified => 0,
        Kind::Batch => 1,
        Kind::Head => 2,
    });
    message.extend_from_slice(body);
    message
}

fn key_id(public_key: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, public_key);
    hash.as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_verifies_and_nothing_else_does() {
        let key = SigningKey::generate().unwrap();
        let known = VerifyingKeys::new([key.verifying_key()]);
        let signed = key.sign(Kind::Batch, &b"body"[..]);
        assert_eq!(known.verify(&signed), Ok(Kind::Batch));

        let mut body = signed.clone();
        body.body = b"Body".to_vec();
        assert_eq!(known.verify(&body), Err(Unverified::WrongSignature));
        let mut kind = signed.clone();
        kind.kind = Kind::Head.into();
        assert_eq!(known.verify(&kind), Err(Unverified::WrongSignature));
        kind.kind = 0;
        assert_eq!(known.verify(&kind), Err(Unverified::UnknownKind(0)));
        let stranger = SigningKey::generate().unwrap().sign(Kind::Batch, &b"body"[..]);
        assert_eq!(
            known.verify(&stranger),
            Err(Unverified::UnknownKey(stranger.key_id.clone()))
        );
        let mut posing = stranger;
        posing.key_id = key.id().to_owned();
        assert_eq!(known.verify(&posing), Err(Unverified::WrongSignature));
    }

    #[test]
    fn a_sealed_key_is_the_same_key_again() {
        let ring = Keyring::parse(&Keyring::generate()).unwrap();
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::open(&ring, &key.seal(&ring).unwrap()).unwrap();
        assert_eq!(again.id(), key.id());
        assert_eq!(key.id().len(), 16);
    }

    #[test]
    fn a_key_that_claims_anothers_id_is_known_by_its_own() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let mut claimed = other.verifying_key();
        claimed.id = key.id().to_owned();
        let known = VerifyingKeys::new([claimed]);
        assert!(!known.knows(key.id()));
        assert!(known.knows(other.id()));
    }
}
