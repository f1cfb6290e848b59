//! Turnpike's own tokens (RFC 9068, Ed25519): signed by the control plane, verified with the snapshot's keys alone.

use std::{fmt, sync::Arc};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use turnpike_access::{
    credential::Scope,
    id::{Id, Name, Principal, Timestamp},
    issuer::{Algorithm, LONGEST_SKEW, OWN, TokenKey},
    jws::Header,
    snapshot::Group,
    token::{Bearer, GivenFor, VerifiedToken},
};

use super::{TokenFailure, remember::digest};
use crate::secret::SecretBytes;

/// The longest life of a token, in seconds.
pub const LONGEST_LIFE: i64 = 3600;
/// The longest `jti`, in bytes.
const ID_LIMIT: usize = 256;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnClaims {
    /// `iss`: that of the key.
    pub issuer: Arc<str>,
    /// `sub`.
    pub principal: Principal,
    /// `aud`; Turnpike accepts those that hold [`OWN`].
    pub audiences: Vec<Arc<str>>,
    /// `exp`, in whole seconds; at most [`LONGEST_LIFE`] after `issued`.
    pub expires: Timestamp,
    /// `iat`, in whole seconds.
    pub issued: Timestamp,
    /// `jti`.
    pub id: Arc<str>,
    /// `client_id`.
    pub client_id: Arc<str>,
    /// The principal's tenant.
    pub tenant: Name,
    /// The groups of the token that it was exchanged for.
    pub groups: Vec<Group>,
    /// What it is narrowed to.
    pub scope: Option<Scope>,
    /// What it was exchanged for.
    pub given_for: GivenFor,
}

/// A key that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PKCS #8")]
pub struct TokenSignerError;

/// What signs tokens.
pub struct TokenSigner {
    pair: Ed25519KeyPair,
    pkcs8: SecretBytes,
    public_key: String,
    id: String,
}

impl TokenSigner {
    /// A fresh key.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn generate() -> Result<Self, TokenSignerError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| TokenSignerError)?;
        let pkcs8 = pair.to_pkcs8().map_err(|_| TokenSignerError)?;
        Self::from_pkcs8(SecretBytes::new(pkcs8.as_ref()))
    }

    /// The key that [`TokenSigner::pkcs8`] gave.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Self, TokenSignerError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| TokenSignerError)?;
        let public_key = URL_SAFE_NO_PAD.encode(pair.public_key());
        let id = thumbprint(&public_key);
        Ok(Self {
            pair,
            pkcs8,
            public_key,
            id,
        })
    }

    /// The private key, to be sealed.
    pub fn pkcs8(&self) -> &SecretBytes {
        &self.pkcs8
    }

    /// `kid`: the thumbprint of the public key (RFC 7638).
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The public key: `x` of its JWK.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// A token. Claims that can't be written give an empty text, which opens nothing.
    pub fn sign(&self, claims: &OwnClaims) -> String {
        self.sign_json("at+jwt", &self.id, &Wire::from(claims))
    }

    /// Any other JWT, by the name of the key that its readers know.
    pub(crate) fn sign_json(&self, kind: &str, key_id: &str, claims: &impl Serialize) -> String {
        let header = json!({"alg": "EdDSA", "typ": kind, "kid": key_id}).to_string();
        let Ok(claims) = serde_json::to_vec(claims) else {
            return String::new();
        };
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(token.as_bytes()));
        token.push('.');
        token.push_str(&signature);
        token
    }

    /// The signature of bytes that are no token; they begin with what they are for.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({})", self.id)
    }
}

/// The thumbprint of an Ed25519 key (RFC 7638, RFC 8037): `x` as base64url.
pub(crate) fn thumbprint(x: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

/// The JSON Web Key of a key (RFC 8037).
pub fn jwk(key: &TokenKey) -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "kid": *key.id, "x": *key.public_key,
    })
}

/// The JSON Web Key Set of keys (RFC 7517).
pub fn jwks(keys: &[TokenKey]) -> Value {
    json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() })
}

/// The claims as they are written.
#[derive(Serialize, Deserialize)]
struct Wire {
    iss: Arc<str>,
    sub: Principal,
    aud: Vec<Arc<str>>,
    exp: i64,
    iat: i64,
    jti: Arc<str>,
    client_id: Arc<str>,
    turnpike: Extension,
}

/// What only Turnpike understands. A member that is not known may be one that narrows, so it is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extension {
    tenant: Name,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Subject>,
}

/// The token that it was exchanged for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    issuer: Name,
    subject: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Arc<str>>,
    /// In microseconds: it is compared with moments of revocation.
    issued: Timestamp,
}

impl From<&OwnClaims> for Wire {
    fn from(claims: &OwnClaims) -> Self {
        let claims = claims.clone();
        let (credential, token) = match claims.given_for {
            GivenFor::Credential(id) => (Some(id), None),
            GivenFor::Token {
                issuer,
                subject,
                id,
                issued,
            } => {
                let token = Subject {
                    issuer,
                    subject,
                    id,
                    issued,
                };
                (None, Some(token))
            }
        };
        Self {
            iss: claims.issuer,
            sub: claims.principal,
            aud: claims.audiences,
            exp: seconds(claims.expires),
            iat: seconds(claims.issued),
            jti: claims.id,
            client_id: claims.client_id,
            turnpike: Extension {
                tenant: claims.tenant,
                groups: claims.groups,
                scope: claims.scope,
                credential,
                token,
            },
        }
    }
}

fn seconds(moment: Timestamp) -> i64 {
    moment.as_micros().div_euclid(1_000_000)
}

/// Verifies a token with the key that it names.
pub(super) fn verify(
    key: &TokenKey,
    header: &Header,
    text: &str,
    claims: Value,
    now: Timestamp,
) -> Result<VerifiedToken, TokenFailure> {
    if header.algorithm != Algorithm::EdDSA {
        return Err(TokenFailure::Algorithm);
    }
    if header.kind.as_deref() != Some("at+jwt") {
        return Err(TokenFailure::Kind);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(TokenFailure::Malformed)?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFailure::Signature);
    UnparsedPublicKey::new(&ED25519, decode(&key.public_key)?)
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| TokenFailure::Signature)?;
    let wire: Wire = serde_json::from_value(claims).map_err(|_| TokenFailure::Claim)?;
    judge(key, wire, now)
}

fn judge(key: &TokenKey, wire: Wire, now: Timestamp) -> Result<VerifiedToken, TokenFailure> {
    if wire.iss != key.issuer {
        return Err(TokenFailure::IssuerUnknown);
    }
    if !wire.aud.iter().any(|audience| **audience == *OWN) {
        return Err(TokenFailure::Audience);
    }
    let life = wire.exp.checked_sub(wire.iat).ok_or(TokenFailure::Claim)?;
    if !(1..=LONGEST_LIFE).contains(&life) || wire.iat < 0 || !(1..=ID_LIMIT).contains(&wire.jti.len()) {
        return Err(TokenFailure::Claim);
    }
    let [issued, expires] = [wire.iat, wire.exp].map(|at| Timestamp::from_micros(0).plus_seconds(at));
    if now >= expires {
        return Err(TokenFailure::Expired);
    }
    if issued > now.plus_seconds(i64::from(LONGEST_SKEW)) {
        return Err(TokenFailure::NotYetValid);
    }
    let Extension {
        tenant,
        groups,
        scope,
        credential,
        token,
    } = wire.turnpike;
    let given_for = match (credential, token) {
        (Some(id), None) => GivenFor::Credential(id),
        (None, Some(token)) => GivenFor::Token {
            issuer: token.issuer,
            subject: token.subject,
            id: token.id,
            issued: token.issued,
        },
        _ => return Err(TokenFailure::Claim),
    };
    Ok(VerifiedToken {
        tenant,
        issuer: Name::turnpike(),
        subject: wire.sub.to_string().into(),
        id: Some(wire.jti),
        issued,
        expires,
        groups,
        bearer: Bearer::Own {
            principal: wire.sub,
            scope: scope.map(Box::new),
            given_for,
        },
    })
}
