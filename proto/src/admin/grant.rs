//! Grants.

use std::sync::Arc;

use turnpike_access::{
    grant::{Conditions, Effect, Grant, Subject},
    id::{Id, Name, Principal},
    pattern::Selector,
    snapshot::HeldGrant,
};

use super::{Page, Write, v1};
use crate::{
    ConversionError,
    field::{known, optional, parse, required, shown, text},
};

/// A grant to be made; its id is the server's to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// How long to wait.
    pub write: Write,
    subject: Subject,
    role: Name,
    effect: Effect,
    selector: Selector,
    conditions: Conditions,
    reason: Option<Arc<str>>,
    owner: Option<Subject>,
}

impl NewGrant {
    /// The grant under an id. Unless it says who answers for it, whoever makes it does.
    pub fn with_id(self, id: Id, maker: Option<&Principal>) -> Grant {
        Grant {
            id,
            subject: self.subject,
            role: self.role,
            effect: self.effect,
            selector: self.selector,
            conditions: self.conditions,
            reason: self.reason,
            owner: self.owner.or_else(|| maker.cloned().map(Subject::Principal)),
        }
    }
}

impl TryFrom<v1::CreateGrantRequest> for NewGrant {
    type Error = ConversionError;

    fn try_from(request: v1::CreateGrantRequest) -> Result<Self, ConversionError> {
        let v1::CreateGrantRequest { grant, options } = request;
        let v1::Grant {
            id: _,
            subject,
            role,
            effect,
            selector,
            conditions,
            reason,
            created_us: _,
            created_by: _,
            owner,
        } = required("grant", grant)?;
        let selector = Selector::try_from(selector.unwrap_or_default());
        let conditions = Conditions::try_from(conditions.unwrap_or_default());
        Ok(Self {
            write: options.try_into()?,
            subject: parse("grant.subject", &subject)?,
            role: parse("grant.role", &role)?,
            effect: read_effect(&effect)?,
            selector: selector.map_err(|error: ConversionError| error.within("grant.selector"))?,
            conditions: conditions.map_err(|error: ConversionError| error.within("grant.conditions"))?,
            reason: known(reason),
            owner: optional("grant.owner", &owner)?,
        })
    }
}

fn read_effect(text: &str) -> Result<Effect, ConversionError> {
    match text {
        "" | "allow" => Ok(Effect::Allow),
        "deny" => Ok(Effect::Deny),
        _ => Err(ConversionError::new("grant.effect", "is allow or deny")),
    }
}

impl From<&HeldGrant> for v1::Grant {
    fn from(held: &HeldGrant) -> Self {
        let Grant {
            id,
            subject,
            role,
            effect,
            selector,
            conditions,
            reason,
            owner,
        } = &held.grant;
        let effect = match effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        Self {
            id: id.to_string(),
            subject: subject.to_string(),
            role: role.to_string(),
            effect: effect.to_owned(),
            selector: Some(selector.into()),
            conditions: Some(conditions.into()),
            reason: text(reason.as_ref()),
            created_us: held.created.as_micros(),
            created_by: held.created_by.to_string(),
            owner: shown(owner.as_ref()),
        }
    }
}

/// Which grants to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListGrants {
    /// Of this subject only.
    pub subject: Option<Subject>,
    /// Which part.
    pub page: Page,
}

impl TryFrom<v1::ListGrantsRequest> for ListGrants {
    type Error = ConversionError;

    fn try_from(request: v1::ListGrantsRequest) -> Result<Self, ConversionError> {
        let v1::ListGrantsRequest { subject, page } = request;
        Ok(Self {
            subject: optional("subject", &subject)?,
            page: page.try_into()?,
        })
    }
}
