//! The identity header: a short-lived token by which an edge tells a user's own model server who calls.
//!
//! Each edge signs with a key of its own, which it shows to the control plane when it attaches: whoever takes one
//! edge's key speaks for that edge alone. The control plane publishes the public halves at `/.well-known/edge-keys.json`.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use turnpike_access::id::{Id, Name, Principal, Timestamp};

use crate::{
    secret::SecretBytes,
    token::own::{TokenSigner, thumbprint},
};

mod statement;

pub use statement::{Applied, stated};

/// The header.
pub const HEADER: &str = "x-turnpike-identity";
/// How long a token is good for, in seconds.
pub const LIFE: i64 = 60;
/// `typ`: nothing else takes it for a token of its own (RFC 8725, section 3.11).
const KIND: &str = "turnpike-identity+jwt";
/// What a proof is signed over begins with this, so that no signature made for anything else is one.
const DOMAIN: &str = "turnpike.edge.identity.v1";

/// What the header says of a request.
#[derive(Debug, Clone, Copy)]
pub struct IdentityClaims<'a> {
    /// `iss`: the control plane's public URL.
    pub issuer: &'a str,
    /// `aud`: the provider.
    pub audience: &'a str,
    /// `iat`.
    pub issued: Timestamp,
    /// `sub`: `user:alice`, unique in its tenant.
    pub principal: &'a Principal,
    /// The tenant.
    pub tenant: &'a Name,
    /// How the caller proved who it is.
    pub method: &'a str,
    /// The key that was presented, or that the token was given for.
    pub credential: Option<Id>,
    /// `provider/name` of the model.
    pub model: &'a str,
    /// The decision that the token was made for.
    pub decision: &'a str,
}

/// An edge's key.
#[derive(Debug)]
pub struct EdgeSigner {
    signer: TokenSigner,
    edge: Arc<str>,
    key_id: String,
}

impl EdgeSigner {
    /// The key kept in the folder, or a new one, which is kept there from now on for this user alone.
    ///
    /// # Errors
    /// The folder can't be read or written, or holds something that is no key.
    pub fn keep(folder: &Path, edge: Arc<str>) -> io::Result<Self> {
        let path = folder.join("identity.key");
        let signer = match fs::read(&path) {
            Ok(bytes) => TokenSigner::from_pkcs8(SecretBytes::new(bytes)).map_err(|error| {
                let problem = format!("{}: {error}; delete it for a new one", path.display());
                io::Error::new(io::ErrorKind::InvalidData, problem)
            })?,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                let signer = TokenSigner::generate().map_err(io::Error::other)?;
                write(folder, &path, signer.pkcs8().expose())?;
                signer
            }
            Err(error) => return Err(error),
        };
        let key_id = key_id(&edge, signer.public_key());
        Ok(Self { signer, edge, key_id })
    }

    /// The public key: `x` of its JWK.
    pub fn public_key(&self) -> &str {
        self.signer.public_key()
    }

    /// That this edge, in this run, has the private key.
    pub fn proof(&self, run: u64) -> Vec<u8> {
        self.signer.sign_bytes(&proven(&self.edge, run))
    }

    /// A signature over a statement that begins with what no other statement does.
    pub fn sign_statement(&self, statement: &[u8]) -> Vec<u8> {
        self.signer.sign_bytes(statement)
    }

    /// The header's value.
    pub fn sign(&self, claims: &IdentityClaims<'_>) -> String {
        let IdentityClaims {
            issuer,
            audience,
            issued,
            principal,
            tenant,
            method,
            credential,
            model,
            decision,
        } = claims;
        let issued = issued.as_micros().div_euclid(1_000_000);
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": principal, "iat": issued, "exp": issued + LIFE,
            "turnpike": {
                "tenant": tenant, "method": method, "credential": credential, "model": model, "decision": decision,
            },
        });
        self.signer.sign_json(KIND, &self.key_id, &claims)
    }
}

/// Whether an edge has proven that the private half of a public key is its own.
pub fn proves(edge: &str, run: u64, public_key: &str, proof: &[u8]) -> bool {
    signed(public_key, &proven(edge, run), proof)
}

/// Whether a statement was signed by the private half of a public key.
pub fn signed(public_key: &str, statement: &[u8], signature: &[u8]) -> bool {
    let key = URL_SAFE_NO_PAD
        .decode(public_key)
        .ok()
        .filter(|key| key.len() == 32);
    key.is_some_and(|key| {
        UnparsedPublicKey::new(&ED25519, key)
            .verify(statement, signature)
            .is_ok()
    })
}

/// The JSON Web Key of an edge's public key (RFC 8037). `kid` names the edge.
pub fn jwk(edge: &str, public_key: &str) -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "kid": key_id(edge, public_key), "x": public_key,
    })
}

fn key_id(edge: &str, public_key: &str) -> String {
    format!("{edge}/{}", thumbprint(public_key))
}

/// Names hold no NUL, so that no two pairs read alike.
fn proven(edge: &str, run: u64) -> Vec<u8> {
    format!("{DOMAIN}\0{edge}\0{run}").into_bytes()
}

/// Renamed into place, so that a crash leaves a whole key or none.
fn write(folder: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    let new = folder.join("identity.key.new");
    // What a crash left may be somebody else's to read.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(key)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_edge_keeps_its_key_for_itself_and_proves_that_it_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let signer = EdgeSigner::keep(folder.path(), Arc::from("edge-1")).unwrap();
        let again = EdgeSigner::keep(folder.path(), Arc::from("edge-1")).unwrap();
        assert_eq!(again.public_key(), signer.public_key());
        let file = fs::metadata(folder.path().join("identity.key")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);

        let proof = signer.proof(7);
        assert!(proves("edge-1", 7, signer.public_key(), &proof));
        let elsewhere = tempfile::tempdir().unwrap();
        let other = EdgeSigner::keep(elsewhere.path(), Arc::from("edge-1")).unwrap();
        for (edge, run, key) in [
            ("edge-2", 7, signer.public_key()),
            ("edge-1", 8, signer.public_key()),
            ("edge-1", 7, other.public_key()),
            ("edge-1", 7, "no key"),
            ("edge-1", 7, ""),
        ] {
            assert!(!proves(edge, run, key, &proof), "{edge} {run} {key}");
        }
    }

    #[test]
    fn what_is_no_key_is_not_put_aside_silently() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("identity.key"), "rubbish").unwrap();
        let refused = EdgeSigner::keep(folder.path(), Arc::from("edge-1")).unwrap_err();
        assert!(refused.to_string().contains("identity.key"), "{refused}");
        assert!(!refused.to_string().contains("rubbish"), "{refused}");
    }
}
