//! The keyring: the root keys that control plane and edges share, and everything derived from them.
//!
//! The first key is the active one: it seals, peppers and authenticates. The others only open what was sealed
//! under them, so that keys can rotate. Where sealed values are kept is for others to say.

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    constant_time, hkdf,
};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    random,
    secret::{Secret, SecretBytes},
};

pub mod authenticator;
mod sealed;

pub use sealed::Sealed;

const NONCE: usize = 12;

/// Why a keyring can't be used. No message repeats any of the text, which is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is nothing in it.
    #[error(
        "the keyring is empty: make one with `turnpike keyring generate` and give it as TURNPIKE_KEYRING"
    )]
    Empty,
    /// An entry is not of the form `id:base64`.
    #[error(
        "entry {entry} of the keyring is malformed: {problem} (an entry is ID:KEY, the key 32 bytes in base64, \
         entries are separated by commas; `turnpike keyring generate` makes one)"
    )]
    Malformed {
        /// Counted from one.
        entry: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two keys have the same id.
    #[error("key {0} is in the keyring twice: give each key its own number")]
    Duplicate(u32),
}

/// Why a sealed value could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was sealed under a key that this process was not given.
    #[error("sealed under key {0}, which is not in the keyring (TURNPIKE_KEYRING)")]
    UnknownKey(u32),
    /// It was altered, or sealed for another purpose, or under another key with the same number.
    #[error("the sealed value is damaged, or was sealed for something else")]
    Damaged,
    /// The text is not that of a sealed value.
    #[error("not a sealed value: expected sealed:KEY:BASE64")]
    Malformed,
    /// The cryptographic library refused.
    #[error("sealing failed")]
    Failed,
}

/// The root keys, the active one first.
#[derive(Clone)]
pub struct Keyring {
    active: Key,
    others: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: u32,
    root: Zeroizing<[u8; 32]>,
}

impl Keyring {
    /// The text of a fresh keyring with one key, numbered 1.
    pub fn generate() -> Secret {
        let root = Zeroizing::new(random::bytes::<32>());
        let text = Zeroizing::new(STANDARD.encode(root.as_slice()));
        Secret::new(format!("1:{}", text.as_str()))
    }

    /// Parses the text of `TURNPIKE_KEYRING`.
    ///
    /// # Errors
    /// When it is empty, malformed, or gives a key twice.
    pub fn parse(text: &Secret) -> Result<Self, KeyringError> {
        text.expose().parse()
    }

    /// The number of the key that seals.
    pub fn active(&self) -> u32 {
        self.active.id
    }

    /// Seals a value under the active key, for one purpose. It opens only for the same purpose, so that a
    /// sealed value moved into another place is refused there.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn seal(&self, purpose: &str, plaintext: &[u8]) -> Result<Sealed, SealError> {
        let mut bytes = plaintext.to_vec();
        let nonce = self
            .active
            .sealing()?
            .seal_in_place_append_tag(Aad::from(purpose), &mut bytes)
            .map_err(|_| SealError::Failed)?;
        let mut out = nonce.as_ref().to_vec();
        out.append(&mut bytes);
        Ok(Sealed {
            key: self.active.id,
            bytes: out,
        })
    }

    /// Opens what was sealed for this purpose, under whichever key it names.
    ///
    /// # Errors
    /// When the key is not in the ring, or the value is damaged or of another purpose.
    pub fn open(&self, purpose: &str, sealed: &Sealed) -> Result<SecretBytes, SealError> {
        let key = self
            .keys()
            .find(|key| key.id == sealed.key)
            .ok_or(SealError::UnknownKey(sealed.key))?;
        let (nonce, ciphertext) = sealed
            .bytes
            .split_first_chunk::<NONCE>()
            .ok_or(SealError::Damaged)?;
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        let opened = key
            .sealing()?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(purpose),
                &mut bytes,
            )
            .map_err(|_| SealError::Damaged)?;
        Ok(SecretBytes::new(&*opened))
    }

    /// The peppers for credential digests, by key number, the active one first.
    pub fn peppers(&self) -> Vec<(u32, [u8; 32])> {
        self.keys()
            .map(|key| (key.id, *key.derive(b"turnpike.pepper.v1")))
            .collect()
    }

    /// What edges present to the control plane: derived from the active key, so that it needs no setting.
    pub fn edge_token(&self) -> Secret {
        self.active.edge_token()
    }

    /// Whether a presented token is the edge token of any key of the ring. Takes the same time for any wrong one.
    pub fn accepts_edge_token(&self, presented: &str) -> bool {
        // `fold` and not `any`: no early end tells which key was meant.
        self.keys().fold(false, |accepted, key| {
            let right = key.edge_token();
            let same =
                constant_time::verify_slices_are_equal(right.expose().as_bytes(), presented.as_bytes())
                    .is_ok();
            accepted | same
        })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.others)
    }
}

impl Key {
    /// Separate sub-keys for separate uses (RFC 5869), so that no use weakens another.
    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"turnpike").extract(self.root.as_slice());
        let mut out = Zeroizing::new([0; 32]);
        let info = [label];
        let filled = prk
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(out.as_mut_slice()));
        if filled.is_err() {
            // 32 bytes are always in HKDF's range; a zero key must never be used all the same.
            std::process::abort();
        }
        out
    }

    fn sealing(&self) -> Result<RandomizedNonceKey, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.derive(b"turnpike.seal.v1").as_slice())
            .map_err(|_| SealError::Failed)
    }

    fn edge_token(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.derive(b"turnpike.edge-token.v1").as_slice()))
    }
}

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(entry: &str) -> Result<Self, &'static str> {
        let (id, key) = entry.split_once(':').ok_or("it has no colon")?;
        let id = id.parse().map_err(|_| "its id is not a whole number")?;
        let decoded = Zeroizing::new(STANDARD.decode(key).map_err(|_| "its key is not base64")?);
        let root = <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| "its key is not 32 bytes long")?;
        Ok(Self {
            id,
            root: Zeroizing::new(root),
        })
    }
}

impl FromStr for Keyring {
    type Err = KeyringError;

    fn from_str(text: &str) -> Result<Self, KeyringError> {
        if text.trim().is_empty() {
            return Err(KeyringError::Empty);
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, entry) in text.split(',').enumerate() {
            let malformed = |problem| KeyringError::Malformed {
                entry: index + 1,
                problem,
            };
            let key: Key = entry.trim().parse().map_err(malformed)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyringError::Duplicate(key.id));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or(KeyringError::Empty)?;
        Ok(Self {
            active,
            others: keys.collect(),
        })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().map(|key| key.id)).finish()
    }
}

#[cfg(test)]
mod tests;
