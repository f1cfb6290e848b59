//! What goes wrong, as one sentence that says what to do about it.

use tonic::{Code, Status};
use turnpike_access::decide::Reason;

/// A command that could not be done. Its text is for people, and is printed on standard error.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody answers at the control plane's address.
    #[error(
        "cannot reach the control plane at {url}: {cause}; is it running? set --control-plane or TURNPIKE_CONTROL_PLANE"
    )]
    Unreachable {
        /// The address that was tried.
        url: String,
        /// What the network said.
        cause: String,
    },
    /// The control plane answered that it won't, or can't.
    #[error("{}", sentence(.0))]
    Refused(Box<Status>),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Something on this side: a file, an environment variable, a port.
    #[error("{0}")]
    Local(String),
}

impl Failure {
    /// Whether the change that was asked for is made all the same: it was asked for before, under the same idempotency key.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Refused(status) if status.metadata().contains_key("x-turnpike-done-at"))
    }

    /// A failure on this side.
    pub fn local(text: impl Into<String>) -> Self {
        Self::Local(text.into())
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

/// The server's message, and what to do about it where the code alone tells.
fn sentence(status: &Status) -> String {
    let message = match status.message() {
        "" => "no reason was given",
        message => message,
    };
    match status.code() {
        Code::Unauthenticated => format!(
            "the control plane does not accept this caller: {message}; set TURNPIKE_TOKEN (or --token) to a personal access token that works, or run `turnpike login`"
        ),
        // What is denied, or nobody's to ask for, or more than the caller has, no grant helps with.
        Code::PermissionDenied if message.ends_with(Reason::NoGrant.sentence()) => format!(
            "refused: {message}; `turnpike whoami` shows who is asking, and somebody with the role admin can grant it"
        ),
        Code::PermissionDenied => format!("refused: {message}; `turnpike whoami` shows who is asking"),
        Code::NotFound => {
            format!("{message}; check the name, and the tenant that TURNPIKE_TENANT or the key means")
        }
        Code::AlreadyExists => message.to_owned(),
        Code::InvalidArgument => format!("not valid: {message}"),
        Code::FailedPrecondition => format!("not possible as things stand: {message}"),
        Code::Aborted => format!("another change came first: {message}; try again"),
        Code::DeadlineExceeded | Code::Cancelled => {
            format!(
                "no answer in time: {message}; the change may have been made all the same; look before trying again, or raise --timeout"
            )
        }
        Code::Unavailable => {
            format!("the control plane cannot answer now: {message}; try again, or look at its /readyz")
        }
        Code::Unimplemented => {
            format!("the control plane does not know this command: {message}; is it of the same version?")
        }
        Code::ResourceExhausted => format!("too much: {message}"),
        _ => format!("the control plane failed: {message}; its log knows more"),
    }
}

/// An error and everything that caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let words = one.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_without_a_key_is_told_which_variable_to_set() {
        let text = Failure::from(Status::unauthenticated("no credential")).to_string();
        assert!(
            text.contains("no credential") && text.contains("TURNPIKE_TOKEN"),
            "{text}"
        );
    }

    #[test]
    fn a_refusal_repeats_the_action_that_the_server_named() {
        let text = Failure::from(Status::permission_denied("grants.write on tenant dev")).to_string();
        assert!(text.starts_with("refused: grants.write on tenant dev"), "{text}");
    }

    #[test]
    fn only_who_lacks_a_grant_is_told_that_somebody_can_make_one() {
        let helps = |message: &str| {
            let text = Failure::from(Status::permission_denied(message)).to_string();
            text.contains("can grant it")
        };
        assert!(helps(
            "grants.write on grant x is not allowed: no grant allows it"
        ));
        assert!(!helps(
            "grants.write on grant x is not allowed: a grant denies it"
        ));
        assert!(!helps(
            "nobody decides about a request of their own, with whichever key; ask somebody else"
        ));
    }

    #[test]
    fn every_failure_is_one_line() {
        for code in 1..=16 {
            let text = Failure::from(Status::new(Code::from(code), "why")).to_string();
            assert!(text.contains("why") && !text.contains('\n'), "{text}");
        }
    }
}
