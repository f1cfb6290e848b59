//! The one map from what can go wrong to gRPC status codes and sentences.
//!
//! A thing of another tenant and an unknown one lead to the same text, and a refused caller never learns why its key
//! was not accepted.

use tonic::{Code, Status};
use turnpike_access::ledger::Refusal;
use turnpike_proto::ConversionError;
use turnpike_runtime::keyring::SealError;

use crate::{execute::ExecuteError, history::HistoryError, store::StoreError, token_key::TokenKeyError};

/// Where a change stands that was made before under the same idempotency key.
const DONE_AT: &str = "x-turnpike-done-at";

/// Why a call is not answered as it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A field of the request means nothing.
    #[error(transparent)]
    Message(#[from] ConversionError),
    /// The core refused or could not do it.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The past could not be put together.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A provider's secret could not be sealed.
    #[error("the secret could not be sealed: {0}")]
    Seal(#[from] SealError),
    /// The one-time token is wrong, or was used.
    #[error("the bootstrap token is not accepted: it is wrong, or there is an administrator already")]
    BootstrapToken,
    /// Nobody could say whether the token is good.
    #[error("the issuer of the token cannot be asked; try again")]
    IssuerUnavailable,
    /// No key for tokens could be made.
    #[error("the token key could not be made: {0}")]
    TokenKey(#[from] TokenKeyError),
    /// As many as may do it at once look at what policies would change.
    #[error("others are looking at what their policies would change; try again in a moment")]
    Rehearsing,
    /// A policy could not be written.
    #[error("the policy could not be written: {0}")]
    Policy(serde_norway::Error),
    /// The method stands in no table, or the server was put together wrongly.
    #[error("this method is not offered")]
    NotOffered,
    /// Somebody does the same, and it is too costly to do twice at once.
    #[error("the log is being verified already; try again in a moment")]
    Busy,
}

impl Failure {
    /// What was asked for is not there, or is none of the caller's business.
    pub(crate) fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::Execute(ExecuteError::Refused(Refusal::NotFound {
            what,
            name: name.to_string(),
        }))
    }

    /// The caller did not prove who it is.
    pub(crate) fn unauthenticated() -> Self {
        Self::Execute(ExecuteError::Unauthenticated)
    }

    fn code(&self) -> Code {
        match self {
            Self::Message(_) => Code::InvalidArgument,
            Self::Execute(error) => execute_code(error),
            Self::Store(error) if error.is_transient() => Code::Unavailable,
            Self::IssuerUnavailable => Code::Unavailable,
            Self::Store(_) | Self::Seal(_) | Self::TokenKey(_) | Self::Policy(_) => Code::Internal,
            Self::History(error) => history_code(error),
            Self::BootstrapToken => Code::Unauthenticated,
            Self::NotOffered => Code::Unimplemented,
            Self::Busy | Self::Rehearsing => Code::ResourceExhausted,
        }
    }
}

fn execute_code(error: &ExecuteError) -> Code {
    match error {
        ExecuteError::Refused(refusal) => match refusal {
            Refusal::NotFound { .. } => Code::NotFound,
            Refusal::Exists { .. } => Code::AlreadyExists,
            Refusal::NotNow(_) => Code::FailedPrecondition,
            Refusal::Invalid(_) => Code::InvalidArgument,
            Refusal::Changed => Code::Aborted,
        },
        ExecuteError::Unauthenticated => Code::Unauthenticated,
        ExecuteError::Forbidden { .. } | ExecuteError::Lends { .. } | ExecuteError::NotTheirs(_) => {
            Code::PermissionDenied
        }
        ExecuteError::Unavailable(_) => Code::Unavailable,
        ExecuteError::OutcomeUnknown(_) => Code::Unknown,
        ExecuteError::AlreadyDone(_) => Code::AlreadyExists,
        ExecuteError::Overloaded => Code::ResourceExhausted,
    }
}

fn history_code(error: &HistoryError) -> Code {
    match error {
        HistoryError::Store(error) if error.is_transient() => Code::Unavailable,
        HistoryError::Store(_) | HistoryError::Fold(_) | HistoryError::BrokenOff => Code::Internal,
        HistoryError::NotYet { .. } => Code::OutOfRange,
        HistoryError::Busy => Code::ResourceExhausted,
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let code = failure.code();
        if matches!(code, Code::Internal | Code::Unavailable | Code::Unknown) {
            tracing::warn!(error = %failure, "a call could not be answered");
        }
        // What a database says of itself is for the log, not for tenants.
        let text = match (&failure, code) {
            (Failure::Store(_) | Failure::History(HistoryError::Store(_)), Code::Unavailable) => {
                "the database cannot be reached; try again".to_owned()
            }
            (Failure::Store(_) | Failure::History(HistoryError::Store(_)), _) => {
                "the database cannot be used; the log of the control plane says why".to_owned()
            }
            _ => failure.to_string(),
        };
        let mut status = Self::new(code, text);
        if let Failure::Execute(ExecuteError::AlreadyDone(position)) = failure {
            status.metadata_mut().insert(DONE_AT, position.get().into());
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use turnpike_access::decide::Reason;

    use super::*;

    #[test]
    fn every_refusal_has_its_code_and_says_what_it_is_about() {
        let status = |failure: Failure| Status::from(failure);
        let missing = status(Failure::not_found("team", "payments"));
        assert_eq!(
            (missing.code(), missing.message()),
            (Code::NotFound, "team \"payments\" was not found")
        );
        let changed = status(ExecuteError::Refused(Refusal::Changed).into());
        assert_eq!(changed.code(), Code::Aborted);
        let forbidden = ExecuteError::Forbidden {
            action: "grants.write".to_owned(),
            resource: "grant x".to_owned(),
            reason: Reason::NoGrant,
        };
        let forbidden = status(forbidden.into());
        assert_eq!(forbidden.code(), Code::PermissionDenied);
        assert!(
            forbidden.message().starts_with("grants.write on grant x"),
            "{forbidden}"
        );
        assert_eq!(status(Failure::unauthenticated()).code(), Code::Unauthenticated);
        assert_eq!(
            status(ExecuteError::OutcomeUnknown("lost".to_owned()).into()).code(),
            Code::Unknown
        );
    }

    #[test]
    fn what_the_database_says_of_itself_stays_in_the_log() {
        let status = Status::from(Failure::from(StoreError::Damaged("row 7".to_owned())));
        assert!(!status.message().contains("row 7"), "{status}");
    }
}
