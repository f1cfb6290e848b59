//! The one-time token, as text: `tp_enrol_<id>_<secret>_<authority>_<edge>`.

use std::fmt;

use turnpike_access::{
    credential::SECRET_LENGTH,
    id::{Id, Name},
};

use super::AuthorityKey;
use crate::{random, secret::Secret};

const PREFIX: &str = "tp_enrol_";

/// It is no enrolment token. What it is instead is not repeated: it may be another secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment token, or not the whole of one; `turnpike edge enrol` makes them")]
pub struct InvalidEnrolmentToken;

/// What an operator hands to an edge.
#[derive(Clone)]
pub struct EnrolmentToken {
    /// Its public id.
    pub id: Id,
    /// What proves that it is the one that was made.
    pub secret: Secret,
    /// Whom the edge is to trust.
    pub authority: AuthorityKey,
    /// What the edge is called.
    pub edge: Name,
}

impl EnrolmentToken {
    /// A fresh one.
    pub fn generate(edge: Name, authority: AuthorityKey) -> Self {
        Self {
            id: random::id(),
            secret: random::secret_base62(SECRET_LENGTH),
            authority,
            edge,
        }
    }

    /// The whole token.
    pub fn text(&self) -> Secret {
        let (id, secret) = (self.id, self.secret.expose());
        Secret::new(format!("{PREFIX}{id}_{secret}_{}_{}", self.authority, self.edge))
    }

    /// Reads a token. White space around it is left out.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &Secret) -> Result<Self, InvalidEnrolmentToken> {
        let text = text.expose().trim();
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidEnrolmentToken)?;
        let mut parts = rest.splitn(4, '_');
        let mut next = || parts.next().ok_or(InvalidEnrolmentToken);
        let (id, secret, authority, edge) = (next()?, next()?, next()?, next()?);
        let is_secret =
            secret.len() == SECRET_LENGTH && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_secret {
            return Err(InvalidEnrolmentToken);
        }
        Ok(Self {
            id: id.parse().map_err(|_| InvalidEnrolmentToken)?,
            secret: Secret::new(secret),
            authority: authority.parse().map_err(|_| InvalidEnrolmentToken)?,
            edge: edge.parse().map_err(|_| InvalidEnrolmentToken)?,
        })
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnrolmentToken({} for {})", self.id, self.edge)
    }
}
