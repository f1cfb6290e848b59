//! Digests of secrets: HMAC-SHA-256 under a pepper that only the servers have.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{credential::PresentedKey, id::Id};

/// What is kept of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDigest {
    /// Which pepper it was made under.
    pub pepper: u32,
    /// HMAC-SHA-256 over the credential's id and its secret, in hexadecimal.
    #[serde(with = "hex")]
    pub mac: [u8; 32],
}

/// The server-side keys of the digests; the first makes new ones, all verify.
#[derive(Clone)]
pub struct Peppers(Vec<(u32, Hmac<Sha256>)>);

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

impl Peppers {
    /// From key ids and 32 secret bytes each. The keys are hashed once, here.
    pub fn new(keys: impl IntoIterator<Item = (u32, [u8; 32])>) -> Self {
        let keyed = |(id, key): (u32, [u8; 32])| {
            // HMAC pads a short key to the block's length with zeros.
            let mut block = [0; 64];
            block[..32].copy_from_slice(&key);
            (id, <Hmac<Sha256> as KeyInit>::new(&block.into()))
        };
        Self(keys.into_iter().map(keyed).collect())
    }

    /// The digest of a new secret, or `None` where there is no pepper at all.
    pub fn digest(&self, id: Id, secret: &str) -> Option<KeyDigest> {
        let (pepper, keyed) = self.0.first()?;
        Some(KeyDigest {
            pepper: *pepper,
            mac: mac(keyed, id, secret),
        })
    }

    /// Whether the digest is of the presented key's secret. Takes the same time whether or not it is.
    pub fn verify(&self, digest: &KeyDigest, key: &PresentedKey<'_>) -> bool {
        let keyed = self
            .0
            .iter()
            .find(|(id, _)| *id == digest.pepper)
            .or(self.0.first());
        let Some((pepper, keyed)) = keyed else {
            return false;
        };
        let same: bool = mac(keyed, key.id(), key.secret()).ct_eq(&digest.mac).into();
        same & (*pepper == digest.pepper)
    }
}

/// Id and secret are 55 bytes, the most that one block of SHA-256 holds.
fn mac(keyed: &Hmac<Sha256>, id: Id, secret: &str) -> [u8; 32] {
    let mut mac = keyed.clone();
    mac.update(id.as_str().as_bytes());
    mac.update(secret.as_bytes());
    mac.finalize().into_bytes().into()
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&crate::log::Hash::new(*bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        decode(&text).ok_or_else(|| D::Error::custom("a digest is 64 hexadecimal digits"))
    }

    fn decode(text: &str) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(bytes)
    }
}
