//! The control plane's small authority: one key, which signs certificates for edges and for the listener that they call.

use std::{fmt, str::FromStr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SignatureAlgorithm,
};
use rustls_pki_types::{PrivatePkcs8KeyDer, TrustAnchor};
use turnpike_access::id::{Name, Timestamp};

use super::{InvalidEnrolmentToken, SERVER_NAME};
use crate::{
    keyring::{Keyring, SealError, Sealed},
    secret::Secret,
    token::own::{TokenSigner, TokenSignerError},
};

/// What the authority's key is sealed for.
const PURPOSE: &str = "turnpike.edge.authority-key.v1";
/// What the authority is called in certificates.
const NAME: &str = "Turnpike edges";
/// The DER of [`NAME`] as the one common name of a subject, as [`TrustAnchor`] wants it: without the sequence around it.
const SUBJECT: [u8; 25] = *b"\x31\x17\x30\x15\x06\x03\x55\x04\x03\x0c\x0eTurnpike edges";
/// An Ed25519 key in DER up to the key itself (RFC 8410), the sequence around it included.
pub(super) const PUBLIC_KEY_BEGINS: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// Clocks may differ by so much.
const SKEW: Duration = Duration::from_secs(300);
/// The certificate of a listener is good for so long. Its key is in the memory of one process, which has the authority's own
/// beside it: to be shorter would protect nothing.
const LISTENER_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why the authority can't sign, or is not one.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// It was sealed with another keyring.
    #[error("the edges' authority cannot be sealed or opened: {0}")]
    Sealing(#[from] SealError),
    /// It is no key.
    #[error(transparent)]
    Key(#[from] TokenSignerError),
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Not a public key.
    #[error("not an Ed25519 public key")]
    PublicKey,
}

/// The authority's public key: who has it can tell which certificates it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityKey([u8; 32]);

/// What signs certificates.
pub struct Authority {
    signer: TokenSigner,
    key: AuthorityKey,
    issuer: Issuer<'static, KeyPair>,
}

/// What a listener shows, in PEM.
pub struct ServerIdentity {
    /// Its certificate.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
    /// The authority as a certificate, by which edges' certificates are verified.
    pub authority: String,
}

impl Authority {
    /// A fresh one.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn generate() -> Result<Self, AuthorityError> {
        Self::of(TokenSigner::generate()?)
    }

    /// Opens one that [`Authority::seal`] sealed.
    ///
    /// # Errors
    /// The keyring does not open it.
    pub fn open(keyring: &Keyring, sealed: &Sealed) -> Result<Self, AuthorityError> {
        Self::of(TokenSigner::from_pkcs8(keyring.open(PURPOSE, sealed)?)?)
    }

    /// Seals it, to be stored.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn seal(&self, keyring: &Keyring) -> Result<Sealed, AuthorityError> {
        Ok(keyring.seal(PURPOSE, self.signer.pkcs8().expose())?)
    }

    fn of(signer: TokenSigner) -> Result<Self, AuthorityError> {
        let key = raw(signer.public_key()).ok_or(AuthorityError::PublicKey)?;
        let pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(signer.pkcs8().expose()))?;
        Ok(Self {
            signer,
            key: AuthorityKey(key),
            issuer: Issuer::new(authority_params(), pair),
        })
    }

    /// What trusts it.
    pub fn public_key(&self) -> AuthorityKey {
        self.key
    }

    /// A certificate in PEM for an edge's public key, `x` of its JWK. It opens connections as a client alone.
    ///
    /// # Errors
    /// It is no key.
    pub fn certify(
        &self,
        edge: &Name,
        public_key: &str,
        now: Timestamp,
        life: Duration,
    ) -> Result<String, AuthorityError> {
        let key = raw(public_key).ok_or(AuthorityError::PublicKey)?;
        let mut params = leaf(edge.as_str(), now, life)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params.signed_by(&EdgePublicKey(key), &self.issuer)?.pem())
    }

    /// What a listener for edges shows: a key of its own, made now.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn server(&self, now: Timestamp) -> Result<ServerIdentity, AuthorityError> {
        let pair = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = leaf(SERVER_NAME, now, LISTENER_LIFE)?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(SERVER_NAME.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&pair, &self.issuer)?;
        Ok(ServerIdentity {
            certificate: certificate.pem(),
            key: Secret::new(pair.serialize_pem()),
            authority: authority_params().self_signed(self.issuer.key())?.pem(),
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.key)
    }
}

impl AuthorityKey {
    /// What TLS verifies certificates by.
    pub fn anchor(&self) -> TrustAnchor<'static> {
        // Without the sequence around it.
        let (_, begins) = PUBLIC_KEY_BEGINS.split_at(2);
        TrustAnchor {
            subject: SUBJECT[..].into(),
            subject_public_key_info: [begins, &self.0].concat().into(),
            name_constraints: None,
        }
    }
}

impl fmt::Display for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for AuthorityKey {
    type Err = InvalidEnrolmentToken;

    fn from_str(text: &str) -> Result<Self, InvalidEnrolmentToken> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidEnrolmentToken);
        }
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| InvalidEnrolmentToken)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidEnrolmentToken)?;
        }
        Ok(Self(key))
    }
}

/// A public key as others hold it.
struct EdgePublicKey([u8; 32]);

impl PublicKeyData for EdgePublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

/// `x` of a JWK as bytes.
pub(super) fn raw(public_key: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(public_key).ok()?.try_into().ok()
}

pub(super) fn text(key: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Nobody looks at its dates: the authority is trusted by its key.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf(name: &str, now: Timestamp, life: Duration) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let now = now.as_micros().div_euclid(1_000_000);
    let moment = |seconds| {
        time::OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|_| AuthorityError::Certificate(rcgen::Error::Time))
    };
    params.not_before = moment(now.saturating_sub(seconds(SKEW)))?;
    params.not_after = moment(now.saturating_add(seconds(life)))?;
    Ok(params)
}
