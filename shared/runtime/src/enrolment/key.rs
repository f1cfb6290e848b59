//! An edge's key: whoever has the private half is the edge.

use std::fmt;

use rcgen::KeyPair;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::authority::{AuthorityError, PUBLIC_KEY_BEGINS, raw};
use crate::{
    identity::signed,
    secret::{Secret, SecretBytes},
    token::own::{TokenSigner, TokenSignerError},
};

/// What a proof is signed over begins with this, so that no signature made for anything else is one.
const DOMAIN: &str = "turnpike.edge.enrolment.v1";

/// The key of an edge, kept by it alone.
pub struct EdgeKey(TokenSigner);

impl EdgeKey {
    /// A fresh key.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn generate() -> Result<Self, TokenSignerError> {
        TokenSigner::generate().map(Self)
    }

    /// The key that [`EdgeKey::pkcs8`] gave.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Self, TokenSignerError> {
        TokenSigner::from_pkcs8(pkcs8).map(Self)
    }

    /// The private key, to be kept.
    pub fn pkcs8(&self) -> &SecretBytes {
        self.0.pkcs8()
    }

    /// The public key: `x` of its JWK.
    pub fn public_key(&self) -> &str {
        self.0.public_key()
    }

    /// That whoever asks for a certificate for the edge has the private key. Whoever overhears it can ask for the same
    /// certificate, and can't use it.
    pub fn proof(&self, edge: &str) -> Vec<u8> {
        self.0.sign_bytes(&proven(edge))
    }

    /// The private key in PEM, as TLS wants it beside a certificate.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn pem(&self) -> Result<Secret, AuthorityError> {
        let der = PrivatePkcs8KeyDer::from(self.pkcs8().expose());
        Ok(Secret::new(KeyPair::try_from(&der)?.serialize_pem()))
    }
}

impl fmt::Debug for EdgeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EdgeKey({})", self.public_key())
    }
}

/// Whether whoever asks for an edge's certificate has the private half of a public key.
pub fn proves(edge: &str, public_key: &str, proof: &[u8]) -> bool {
    raw(public_key).is_some() && signed(public_key, &proven(edge), proof)
}

/// The public key that a certificate is about, `x` of its JWK. Whether the certificate holds is for TLS to say.
pub fn key_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let info = parsed.subject_public_key_info();
    let key: &[u8; 32] = info.strip_prefix(&PUBLIC_KEY_BEGINS[..])?.try_into().ok()?;
    Some(super::authority::text(key))
}

/// Names hold no NUL, so that no two read alike.
fn proven(edge: &str) -> Vec<u8> {
    format!("{DOMAIN}\0{edge}").into_bytes()
}
