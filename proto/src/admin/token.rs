//! Tokens that shall stop working.

use std::sync::Arc;

use turnpike_access::{
    id::{Name, Timestamp},
    issuer::TokenMatch,
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{moment, parse, required},
};

/// Which tokens shall stop working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedTokens {
    /// Whose tokens.
    pub issuer: Name,
    /// Why.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
    which: Which,
    issued_before: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    Id(Arc<str>),
    Subject(Arc<str>),
    All,
}

impl RevokedTokens {
    /// The tokens, those that were issued until now where no moment was named.
    pub fn tokens(&self, now: Timestamp) -> TokenMatch {
        let issued_before = self.issued_before.unwrap_or(now);
        match &self.which {
            Which::Id(id) => TokenMatch::Id { id: id.clone() },
            Which::Subject(subject) => TokenMatch::Subject {
                subject: subject.clone(),
                issued_before,
            },
            Which::All => TokenMatch::All { issued_before },
        }
    }
}

impl TryFrom<v1::RevokeTokensRequest> for RevokedTokens {
    type Error = ConversionError;

    fn try_from(request: v1::RevokeTokensRequest) -> Result<Self, ConversionError> {
        use v1::revoke_tokens_request::Tokens;
        let v1::RevokeTokensRequest {
            issuer,
            tokens,
            issued_before_us,
            reason,
            options,
        } = request;
        let which = match required("tokens", tokens)? {
            Tokens::Id(id) if id.is_empty() => return Err(ConversionError::new("id", "is missing")),
            Tokens::Id(_) if issued_before_us.is_some() => {
                return Err(ConversionError::new("issued_before_us", "does not go with an id"));
            }
            Tokens::Subject(subject) if subject.is_empty() => {
                return Err(ConversionError::new("subject", "is missing"));
            }
            Tokens::Id(id) => Which::Id(id.into()),
            Tokens::Subject(subject) => Which::Subject(subject.into()),
            Tokens::All(v1::AllTokens {}) => Which::All,
        };
        Ok(Self {
            issuer: parse("issuer", &issuer)?,
            reason: reason.into(),
            write: options.try_into()?,
            which,
            issued_before: moment(issued_before_us),
        })
    }
}
