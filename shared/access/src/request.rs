//! Just-in-time access: somebody asks for a grant for some time, somebody else decides.
//!
//! A request gives nothing. Who may decide is judged where commands are judged; that nobody decides about its own is
//! [`may_decide`]. An approval makes an ordinary grant that expires, so that the one decision function knows nothing of
//! requests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    authenticate::Caller,
    command::Command,
    grant::{Conditions, Effect, Grant, Subject},
    id::{Id, Name, Principal, Timestamp},
    pattern::Selector,
    snapshot::Tenant,
};

/// How long access may be asked for where the tenant says nothing, in seconds.
pub const DEFAULT_MAX_SECONDS: u32 = 86_400;
/// How long a request waits for a decision, in seconds.
pub const WAITS_SECONDS: i64 = 7 * 86_400;
/// Requests of a principal that may wait at once.
pub const MAX_OPEN: usize = 10;
/// Requests of a principal that the state holds, decided ones too; the log has all.
pub const MAX_HELD: usize = 20;

/// A request for a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRequest {
    /// Its id.
    pub id: Id,
    /// Who asks, and would be granted it.
    pub principal: Principal,
    /// Which actions, by the role's name.
    pub role: Name,
    /// On which resources.
    #[serde(default)]
    pub selector: Selector,
    /// For how long, from the approval on.
    pub seconds: u32,
    /// What for.
    pub reason: Arc<str>,
    /// Nobody can decide about it from then on.
    pub lapses: Timestamp,
}

/// A request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldRequest {
    /// The request.
    pub request: AccessRequest,
    /// When it was made.
    pub asked: Timestamp,
    /// What was decided; absent: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Which end.
    pub outcome: Outcome,
    /// When.
    pub time: Timestamp,
    /// By whom, as the log names them.
    pub by: Arc<str>,
    /// Why, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It was granted until then.
    Approved {
        /// The grant.
        grant: Id,
        /// Its end.
        expires: Timestamp,
    },
    /// It was refused.
    Refused,
    /// Whoever asked wants it no more, or was deactivated.
    Withdrawn,
}

impl HeldRequest {
    /// Whether somebody can still decide about it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.decided.is_none() && now < self.request.lapses
    }

    /// One word: `open`, `lapsed`, `approved`, `expired`, `refused`, `withdrawn`.
    pub fn status(&self, now: Timestamp) -> &'static str {
        match self.decided.as_ref().map(|decided| &decided.outcome) {
            None if now < self.request.lapses => "open",
            None => "lapsed",
            Some(Outcome::Approved { expires, .. }) if now < *expires => "approved",
            Some(Outcome::Approved { .. }) => "expired",
            Some(Outcome::Refused) => "refused",
            Some(Outcome::Withdrawn) => "withdrawn",
        }
    }
}

impl AccessRequest {
    /// The grant that an approval at this moment makes; with `at_most`, for no more seconds than these.
    pub fn grant(&self, id: Id, now: Timestamp, at_most: Option<u32>) -> Grant {
        let seconds = at_most.map_or(self.seconds, |most| most.min(self.seconds));
        Grant {
            id,
            subject: Subject::Principal(self.principal.clone()),
            role: self.role.clone(),
            effect: Effect::Allow,
            selector: self.selector.clone(),
            conditions: Conditions {
                expires: Some(now.plus_seconds(seconds.into())),
                ..Conditions::default()
            },
            reason: Some(self.reason.clone()),
            // Whoever wanted it answers for what it is used for.
            owner: Some(Subject::Principal(self.principal.clone())),
        }
    }
}

/// Why a caller may not give a command about a request, whatever is granted to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTheirs {
    /// It is the caller's own request: somebody else decides.
    Own,
    /// It is somebody else's: only whoever asks for itself can ask or withdraw.
    Others,
}

impl NotTheirs {
    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Own => "nobody decides about a request of their own, with whichever key; ask somebody else",
            Self::Others => "access is asked for, and withdrawn, only by whoever is to have it",
        }
    }
}

/// Whether a command about a request is this caller's to give. Everything else is for the grants to say.
///
/// # Errors
/// The caller decides about its own request, or asks in the name of somebody else.
pub fn may_decide(tenant: &Tenant, caller: &Caller<'_>, command: &Command) -> Result<(), NotTheirs> {
    let own = |principal: &Principal| caller.tenant.name() == tenant.name() && caller.principal == principal;
    let asked_by = |id: Id| tenant.access_request(id).map(|held| &held.request.principal);
    match command {
        Command::RequestAccess(request) if !own(&request.principal) => Err(NotTheirs::Others),
        Command::WithdrawAccess { id, .. } if asked_by(*id).is_some_and(|asked| !own(asked)) => {
            Err(NotTheirs::Others)
        }
        Command::ApproveAccess { id, .. } | Command::RefuseAccess { id, .. }
            if asked_by(*id).is_some_and(own) =>
        {
            Err(NotTheirs::Own)
        }
        _ => Ok(()),
    }
}
