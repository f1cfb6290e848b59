//! Why a token was not accepted, for the audit; the public answer tells less.

use std::fmt;

use turnpike_access::jws::JwsError;

/// Tokens can't be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum TokenSetupError {
    /// The cryptography of TLS.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client.
    #[error("the HTTP client that asks issuers can't be set up")]
    Client,
}

/// Why a token was not accepted. Holds nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenFailure {
    /// Not a token in its strict form.
    Malformed,
    /// Its header demands an extension, or brings its own key.
    Header,
    /// Not an algorithm of the issuer, or not that of the key.
    Algorithm,
    /// `typ` says that it was made for something else.
    Kind,
    /// No issuer that is trusted has this `iss`.
    IssuerUnknown,
    /// Several issuers could be meant.
    IssuerAmbiguous,
    /// It is meant for somebody else.
    Audience,
    /// Its issuer has no such key.
    KeyUnknown,
    /// The signature is not good.
    Signature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// A claim is missing, of the wrong type, or not what the issuer was configured for.
    Claim,
    /// It is bound to a key of its sender, which is not checked here.
    SenderConstrained,
    /// Its issuer says that it is not active.
    Inactive,
    /// Its issuer can't be asked, and nothing is known from before.
    IssuerUnavailable,
    /// Its issuer can't be asked, and the keys known from before are older than is allowed.
    KeysStale,
}

impl TokenFailure {
    /// One word for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Header => "token_header",
            Self::Algorithm => "token_algorithm",
            Self::Kind => "token_type",
            Self::IssuerUnknown => "token_issuer_unknown",
            Self::IssuerAmbiguous => "issuer_ambiguous",
            Self::Audience => "token_audience",
            Self::KeyUnknown => "token_key_unknown",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Claim => "token_claim",
            Self::SenderConstrained => "token_sender_constrained",
            Self::Inactive => "token_inactive",
            Self::IssuerUnavailable => "issuer_unavailable",
            Self::KeysStale => "issuer_keys_stale",
        }
    }

    /// Whether the token may be good: nobody could say.
    pub fn is_unavailable(self) -> bool {
        matches!(self, Self::IssuerUnavailable | Self::KeysStale)
    }
}

impl fmt::Display for TokenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<JwsError> for TokenFailure {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Malformed => Self::Malformed,
            JwsError::Algorithm => Self::Algorithm,
            JwsError::Header => Self::Header,
        }
    }
}
