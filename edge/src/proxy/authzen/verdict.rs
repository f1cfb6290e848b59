//! Decisions as they are written. A yes has no context: a client that does not understand one may take it for a no
//! (section 5.5).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::proxy::{ruling::Ruling, state::RequestId};

/// One decision.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

/// Many, in the order of the questions.
#[derive(Debug, Serialize)]
pub(super) struct Many {
    pub(super) evaluations: Vec<Verdict>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Context {
    No {
        /// Names the decision to whoever can look it up.
        id: String,
        reason_admin: BTreeMap<&'static str, String>,
        reason_user: BTreeMap<&'static str, &'static str>,
    },
    Error {
        error: Error,
    },
}

#[derive(Debug, Serialize)]
struct Error {
    status: u16,
    message: String,
}

impl Verdict {
    pub(super) fn of(ruling: &Ruling, id: &RequestId) -> Self {
        let no = || Context::No {
            id: id.decision(),
            reason_admin: [("403", format!("{}: {}", ruling.reason, ruling.sentence))].into(),
            reason_user: [("403", "You are not allowed to do this.")].into(),
        };
        Self {
            decision: ruling.allowed,
            context: (!ruling.allowed).then(no),
        }
    }

    /// One of many that could not be decided.
    pub(super) fn error(status: u16, message: &str) -> Self {
        let error = Error {
            status,
            message: message.to_owned(),
        };
        Self {
            decision: false,
            context: Some(Context::Error { error }),
        }
    }
}
