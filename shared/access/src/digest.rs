//! Digests of secrets: HMAC-SHA-256 under a pepper that only the servers have.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Sha256, block_api::compress256};
use subtle::ConstantTimeEq;

use crate::{
    credential::{PresentedKey, SECRET_LENGTH},
    id::Id,
};

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
pub struct Peppers(Vec<(u32, Keyed)>);

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

impl Peppers {
    /// From key ids and 32 secret bytes each. The keys are hashed once, here.
    pub fn new(keys: impl IntoIterator<Item = (u32, [u8; 32])>) -> Self {
        Self(keys.into_iter().map(|(id, key)| (id, Keyed::new(&key))).collect())
    }

    /// The digest of a new secret, or `None` where there is no pepper at all.
    pub fn digest(&self, id: Id, secret: &str) -> Option<KeyDigest> {
        let (pepper, keyed) = self.0.first()?;
        Some(KeyDigest {
            pepper: *pepper,
            mac: keyed.mac(id, secret),
        })
    }

    /// What the newest pepper makes of a presented key, to be compared with digests.
    pub(crate) fn prove(&self, key: &PresentedKey<'_>) -> Proof {
        self.0
            .first()
            .map_or_else(Proof::default, |(pepper, keyed)| Proof {
                pepper: Some(*pepper),
                mac: keyed.mac(key.id(), key.secret()),
            })
    }

    /// What the other peppers make of it as well. All of them are asked, whatever the digest is under that is looked for,
    /// so that the time tells nothing of it; there is more than one only while a keyring is being changed.
    pub(crate) fn prove_further(&self, key: &PresentedKey<'_>, newest: Proof) -> Proofs {
        let others = self.0.iter().skip(1).map(|(pepper, keyed)| Proof {
            pepper: Some(*pepper),
            mac: keyed.mac(key.id(), key.secret()),
        });
        Proofs {
            others: others.collect(),
            newest,
        }
    }

    /// Whether the digest is of the presented key's secret. Takes the same time whether or not it is.
    pub fn verify(&self, digest: &KeyDigest, key: &PresentedKey<'_>) -> bool {
        self.holds(digest, key.id(), key.secret())
    }

    /// The same of any secret that has an id.
    pub fn holds(&self, digest: &KeyDigest, id: Id, secret: &str) -> bool {
        let keyed = self
            .0
            .iter()
            .find(|(id, _)| *id == digest.pepper)
            .or(self.0.first());
        let Some((pepper, keyed)) = keyed else {
            return false;
        };
        let proof = Proof {
            pepper: Some(*pepper),
            mac: keyed.mac(id, secret),
        };
        proof.is_of(digest.pepper, &digest.mac)
    }
}

/// A presented key's digest under one pepper.
#[derive(Default)]
pub(crate) struct Proof {
    pepper: Option<u32>,
    mac: [u8; 32],
}

impl Proof {
    /// Whether the digest is of the presented key. Takes the same time whether or not it is.
    pub(crate) fn is_of(&self, pepper: u32, mac: &[u8; 32]) -> bool {
        #[cfg(test)]
        counted::comparison();
        let same: bool = self.mac.ct_eq(mac).into();
        same & (self.pepper == Some(pepper))
    }
}

/// A presented key's digests under every pepper.
pub(crate) struct Proofs {
    newest: Proof,
    others: Vec<Proof>,
}

impl Proofs {
    /// Whether the digest is of the presented key. It is compared with all of them, also when one was the same.
    pub(crate) fn hold(&self, digest: &KeyDigest) -> bool {
        let newest = self.newest.is_of(digest.pepper, &digest.mac);
        let others = self.others.iter();
        others.fold(newest, |same, proof| {
            same | proof.is_of(digest.pepper, &digest.mac)
        })
    }
}

/// How often a test's thread has made a digest, compared one, and looked an owner up: what the time of an answer could
/// tell of.
#[cfg(test)]
pub(crate) mod counted {
    use std::cell::Cell;

    thread_local! {
        static DIGESTS: Cell<u32> = const { Cell::new(0) };
        static COMPARISONS: Cell<u32> = const { Cell::new(0) };
        static LOOKUPS: Cell<u32> = const { Cell::new(0) };
    }

    pub(super) fn digest() {
        DIGESTS.set(DIGESTS.get() + 1);
    }

    pub(super) fn comparison() {
        COMPARISONS.set(COMPARISONS.get() + 1);
    }

    pub(crate) fn lookup() {
        LOOKUPS.set(LOOKUPS.get() + 1);
    }

    /// Digests, comparisons and lookups since this was last asked.
    pub(crate) fn take() -> [u32; 3] {
        [DIGESTS.take(), COMPARISONS.take(), LOOKUPS.take()]
    }
}

const BLOCK: usize = 64;

/// HMAC-SHA-256 (RFC 2104) under one key.
#[derive(Clone)]
struct Keyed {
    /// SHA-256's states after the two blocks that depend on the key alone.
    inner: [u32; 8],
    outer: [u32; 8],
    /// For texts of any length.
    any: Hmac<Sha256>,
}

impl Keyed {
    /// SHA-256's state before anything is hashed (FIPS 180-4, section 5.3.3).
    const START: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    fn new(key: &[u8; 32]) -> Self {
        // HMAC pads a short key to the block's length with zeros.
        let mut block = [0; BLOCK];
        block[..32].copy_from_slice(key);
        let after = |pad: u8| {
            let mut state = Self::START;
            compress256(&mut state, &[block.map(|byte| byte ^ pad)]);
            state
        };
        Self {
            inner: after(0x36),
            outer: after(0x5c),
            any: <Hmac<Sha256> as KeyInit>::new(&block.into()),
        }
    }

    /// Id and secret are 55 bytes, the most that one block of SHA-256 holds: two blocks are all that is hashed.
    fn mac(&self, id: Id, secret: &str) -> [u8; 32] {
        #[cfg(test)]
        counted::digest();
        let id = id.as_bytes();
        let Ok(secret) = <&[u8; SECRET_LENGTH]>::try_from(secret.as_bytes()) else {
            let mut mac = self.any.clone();
            mac.update(id);
            mac.update(secret.as_bytes());
            return mac.finalize().into_bytes().into();
        };
        let mut text = [0; Id::LENGTH + SECRET_LENGTH];
        text[..Id::LENGTH].copy_from_slice(id);
        text[Id::LENGTH..].copy_from_slice(secret);
        last_block(self.outer, &last_block(self.inner, &text))
    }
}

/// Hashes the last block, which follows one other: the text, a one bit, zeros, and the length of all in bits.
fn last_block<const LENGTH: usize>(mut state: [u32; 8], text: &[u8; LENGTH]) -> [u8; 32] {
    const { assert!(LENGTH + 9 <= BLOCK, "the padding must fit") };
    let mut block = [0; BLOCK];
    let (start, rest) = block.split_at_mut(LENGTH);
    start.copy_from_slice(text);
    if let Some(one) = rest.first_mut() {
        *one = 0x80;
    }
    let bits = ((BLOCK + LENGTH) * 8) as u64;
    block[BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, &[block]);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_digest_is_what_the_hmac_crate_makes_of_id_and_secret(
            key in any::<[u8; 32]>(), random in any::<u128>(), secret in "[0-9A-Za-z]{43}|.{0,200}",
        ) {
            let id = Id::from_random(random);
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
            mac.update(id.as_str().as_bytes());
            mac.update(secret.as_bytes());
            let expected: [u8; 32] = mac.finalize().into_bytes().into();
            prop_assert_eq!(Keyed::new(&key).mac(id, &secret), expected);
        }
    }
}
