//! Access that is asked for, and decided about.

use std::sync::Arc;

use turnpike_access::{
    id::{Id, Name, Principal, Timestamp},
    pattern::Selector,
    request::{AccessRequest, Decided, HeldRequest, Outcome, WAITS_SECONDS},
};

use super::{Page, Write, v1};
use crate::{
    ConversionError,
    field::{micros, parse, text},
};

/// Access that is to be asked for; who asks, and the id, are the server's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// How long to wait.
    pub write: Write,
    role: Name,
    selector: Selector,
    seconds: u32,
    reason: Arc<str>,
}

impl NewRequest {
    /// The request of this principal, made now.
    pub fn of(self, principal: Principal, id: Id, now: Timestamp) -> AccessRequest {
        AccessRequest {
            id,
            principal,
            role: self.role,
            selector: self.selector,
            seconds: self.seconds,
            reason: self.reason,
            lapses: now.plus_seconds(WAITS_SECONDS),
        }
    }
}

impl TryFrom<v1::RequestAccessRequest> for NewRequest {
    type Error = ConversionError;

    fn try_from(request: v1::RequestAccessRequest) -> Result<Self, ConversionError> {
        let v1::RequestAccessRequest {
            role,
            selector,
            seconds,
            reason,
            options,
        } = request;
        let selector = Selector::try_from(selector.unwrap_or_default());
        Ok(Self {
            write: options.try_into()?,
            role: parse("role", &role)?,
            selector: selector.map_err(|error: ConversionError| error.within("selector"))?,
            seconds,
            reason: reason.into(),
        })
    }
}

/// Which requests to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequests {
    /// Those that nobody waits for, too.
    pub all: bool,
    /// Which part.
    pub page: Page,
}

impl TryFrom<v1::ListRequestsRequest> for ListRequests {
    type Error = ConversionError;

    fn try_from(request: v1::ListRequestsRequest) -> Result<Self, ConversionError> {
        let v1::ListRequestsRequest { all, page } = request;
        Ok(Self {
            all,
            page: page.try_into()?,
        })
    }
}

/// An approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApproveAccess {
    /// Of which request.
    pub id: Id,
    /// For no more seconds than these.
    pub at_most: Option<u32>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::ApproveRequest> for ApproveAccess {
    type Error = ConversionError;

    fn try_from(request: v1::ApproveRequest) -> Result<Self, ConversionError> {
        let v1::ApproveRequest {
            id,
            at_most_seconds,
            options,
        } = request;
        Ok(Self {
            id: parse("id", &id)?,
            at_most: at_most_seconds,
            write: options.try_into()?,
        })
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefuseAccess {
    /// Of which request.
    pub id: Id,
    /// Why.
    pub reason: Arc<str>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::RefuseRequest> for RefuseAccess {
    type Error = ConversionError;

    fn try_from(request: v1::RefuseRequest) -> Result<Self, ConversionError> {
        let v1::RefuseRequest { id, reason, options } = request;
        Ok(Self {
            id: parse("id", &id)?,
            reason: reason.into(),
            write: options.try_into()?,
        })
    }
}

/// A withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawAccess {
    /// Of which request.
    pub id: Id,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::WithdrawRequest> for WithdrawAccess {
    type Error = ConversionError;

    fn try_from(request: v1::WithdrawRequest) -> Result<Self, ConversionError> {
        let v1::WithdrawRequest { id, options } = request;
        Ok(Self {
            id: parse("id", &id)?,
            write: options.try_into()?,
        })
    }
}

impl v1::RequestedAccess {
    /// What is shown of a request at a moment.
    pub fn at(held: &HeldRequest, now: Timestamp) -> Self {
        let HeldRequest {
            request,
            asked,
            decided,
        } = held;
        let AccessRequest {
            id,
            principal,
            role,
            selector,
            seconds,
            reason,
            lapses,
        } = request;
        let shown = Self {
            id: id.to_string(),
            principal: principal.to_string(),
            role: role.to_string(),
            selector: Some(selector.into()),
            seconds: *seconds,
            reason: reason.to_string(),
            asked_us: asked.as_micros(),
            lapses_us: lapses.as_micros(),
            status: held.status(now).to_owned(),
            ..Self::default()
        };
        match decided {
            Some(decided) => shown.with(decided),
            None => shown,
        }
    }

    fn with(self, decided: &Decided) -> Self {
        let Decided {
            outcome,
            time,
            by,
            reason,
        } = decided;
        let (grant, expires) = match outcome {
            Outcome::Approved { grant, expires } => (grant.to_string(), Some(*expires)),
            Outcome::Refused | Outcome::Withdrawn => Default::default(),
        };
        Self {
            grant,
            expires_us: micros(expires),
            decided_us: Some(time.as_micros()),
            decided_by: by.to_string(),
            decision_reason: text(reason.as_ref()),
            ..self
        }
    }
}
