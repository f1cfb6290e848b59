//! A sealed value, in bytes and as text. It is ciphertext: it may be logged, stored and sent.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::SealError;

const PREFIX: &str = "sealed";

/// A value that only holders of the keyring can read.
///
/// As text, and in JSON: `sealed:KEY:BASE64URL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed {
    /// The number of the key it is sealed under.
    pub key: u32,
    /// A nonce of 12 bytes, the ciphertext, a tag of 16 bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}:{}:{}", self.key, URL_SAFE_NO_PAD.encode(&self.bytes))
    }
}

impl FromStr for Sealed {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let mut parts = text.splitn(3, ':');
        let (Some(PREFIX), Some(key), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::Malformed);
        };
        Ok(Self {
            key: key.parse().map_err(|_| SealError::Malformed)?,
            bytes: URL_SAFE_NO_PAD.decode(bytes).map_err(|_| SealError::Malformed)?,
        })
    }
}

impl TryFrom<String> for Sealed {
    type Error = SealError;

    fn try_from(text: String) -> Result<Self, SealError> {
        text.parse()
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        sealed.to_string()
    }
}
