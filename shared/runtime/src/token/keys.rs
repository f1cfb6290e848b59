//! Public keys of issuers (RFC 7517), each fixed to its algorithm, and the verification of a signature by one of them.

use jsonwebtoken::{Algorithm as Jwa, DecodingKey, crypto};
use serde_json::Value;
use turnpike_access::{issuer::Algorithm, jws};

use super::TokenFailure;

/// The most keys of a set that are looked at.
const KEYS_LIMIT: usize = 128;
/// The shortest RSA modulus, in bytes (RFC 7518, section 3.3).
const RSA_SHORTEST: usize = 256;
/// The longest RSA modulus, in bytes.
const RSA_LONGEST: usize = 1024;

/// The keys of an issuer that can verify something; the others of its set are left out.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    signs: Signs,
    key: DecodingKey,
    /// The members of the key that make it another key when they change.
    material: String,
}

/// What a key may sign with. The token has no say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signs {
    Only(Algorithm),
    /// An RSA key that does not say: whichever RSA algorithm the issuer was given.
    Rsa,
}

/// The set is not one: not JSON, or without `keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Web Key Set")]
pub(super) struct NotAKeySet;

impl KeySet {
    /// Reads a JSON Web Key Set. Keys that can't be used are left out (RFC 7517, section 5).
    pub(super) fn parse(text: &[u8]) -> Result<Self, NotAKeySet> {
        let set = jws::object(text).map_err(|_| NotAKeySet)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(NotAKeySet)?;
        Ok(Self(keys.iter().take(KEYS_LIMIT).filter_map(Key::read).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every key of this set is in a later one too.
    pub(super) fn is_within(&self, later: &Self) -> bool {
        let same = |one: &Key, other: &Key| {
            (&one.id, one.signs, &one.material) == (&other.id, other.signs, &other.material)
        };
        self.0
            .iter()
            .all(|key| later.0.iter().any(|other| same(key, other)))
    }

    /// Whether a token was signed by the key of this set that it means, with the key's own algorithm.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &str,
        signature: &str,
    ) -> Result<(), TokenFailure> {
        let key = self.find(id, algorithm)?;
        match crypto::verify(signature, signed.as_bytes(), &key.key, jwa(algorithm)) {
            Ok(true) => Ok(()),
            _ => Err(TokenFailure::Signature),
        }
    }

    /// The one key that a token means. Two that fit are as good as none: which was meant must not be guessed.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, TokenFailure> {
        let named = || {
            self.0
                .iter()
                .filter(|key| id.is_none() || key.id.as_deref() == id)
        };
        let mut fitting = named().filter(|key| key.signs.with(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) if id.is_some() && named().next().is_some() => Err(TokenFailure::Algorithm),
            _ => Err(TokenFailure::KeyUnknown),
        }
    }
}

impl Signs {
    fn with(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Only(one) => one == algorithm,
            Self::Rsa => family(algorithm) == "RSA",
        }
    }
}

impl Key {
    fn read(jwk: &Value) -> Option<Self> {
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let stated = |member: &str| jwk.get(member).is_some();
        let signs = !stated("use") || text("use") == Some("sig");
        let operations = jwk.get("key_ops").map(|all| {
            all.as_array()
                .is_some_and(|all| all.iter().any(|one| one == "verify"))
        });
        // A private key that is public proves nothing.
        if !signs || operations == Some(false) || stated("d") || stated("k") {
            return None;
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return None,
        };
        let kind = text("kty")?;
        let curve = text("crv");
        let (by_kind, key, material) = match (kind, curve) {
            ("RSA", _) => {
                let (n, e) = (text("n")?, text("e")?);
                let bytes = decode(n)?;
                let length = bytes.iter().skip_while(|byte| **byte == 0).count();
                let high = bytes.iter().find(|byte| **byte != 0).copied().unwrap_or_default();
                let long_enough = length > RSA_SHORTEST || (length == RSA_SHORTEST && high >= 0x80);
                if !long_enough || length > RSA_LONGEST {
                    return None;
                }
                (
                    Signs::Rsa,
                    DecodingKey::from_rsa_components(n, e).ok()?,
                    format!("{n}.{e}"),
                )
            }
            ("EC", Some("P-256")) => elliptic(Algorithm::ES256, 32, text("x")?, text("y")?)?,
            ("EC", Some("P-384")) => elliptic(Algorithm::ES384, 48, text("x")?, text("y")?)?,
            ("OKP", Some("Ed25519")) => {
                let x = text("x").filter(|x| decode(x).is_some_and(|bytes| bytes.len() == 32))?;
                (
                    Signs::Only(Algorithm::EdDSA),
                    DecodingKey::from_ed_components(x).ok()?,
                    x.to_owned(),
                )
            }
            _ => return None,
        };
        let signs = match jwk.get("alg") {
            None => by_kind,
            Some(Value::String(alg)) => {
                // RFC 9864 gives EdDSA with this curve a name of its own.
                let alg = if alg == "Ed25519" { "EdDSA" } else { alg };
                let alg = alg.parse().ok().filter(|alg| by_kind.with(*alg))?;
                Signs::Only(alg)
            }
            Some(_) => return None,
        };
        Some(Self {
            id,
            signs,
            key,
            material,
        })
    }
}

fn elliptic(algorithm: Algorithm, bytes: usize, x: &str, y: &str) -> Option<(Signs, DecodingKey, String)> {
    let whole = |part: &str| decode(part).is_some_and(|part| part.len() == bytes);
    if !whole(x) || !whole(y) {
        return None;
    }
    let key = DecodingKey::from_ec_components(x, y).ok()?;
    Some((Signs::Only(algorithm), key, format!("{x}.{y}")))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn family(algorithm: Algorithm) -> &'static str {
    match jwa(algorithm) {
        Jwa::ES256 | Jwa::ES384 => "EC",
        Jwa::EdDSA => "OKP",
        _ => "RSA",
    }
}

fn jwa(algorithm: Algorithm) -> Jwa {
    match algorithm {
        Algorithm::RS256 => Jwa::RS256,
        Algorithm::RS384 => Jwa::RS384,
        Algorithm::RS512 => Jwa::RS512,
        Algorithm::PS256 => Jwa::PS256,
        Algorithm::PS384 => Jwa::PS384,
        Algorithm::PS512 => Jwa::PS512,
        Algorithm::ES256 => Jwa::ES256,
        Algorithm::ES384 => Jwa::ES384,
        Algorithm::EdDSA => Jwa::EdDSA,
    }
}
