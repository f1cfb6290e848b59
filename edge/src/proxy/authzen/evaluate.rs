//! One evaluation: whether it may be asked, who is asked about, and the decision.

use std::sync::Arc;

use turnpike_access::{
    authenticate::Caller,
    decide::{Request, decide},
    grant::Circumstances,
    pattern::Resource,
    snapshot::Snapshot,
};

use super::{
    question::{Parts, Unclear, Who},
    subject,
};
use crate::proxy::{
    ruling::{Ruling, rule},
    state::RequestId,
    ticket::{Ticket, cut},
};

/// What whoever asks about others must be allowed.
pub(super) const CHECK: &str = "access.check";

/// Whoever asks, on the snapshot that all its questions are answered by.
pub(super) struct Asking<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) caller: Caller<'s>,
    pub(super) circumstances: Circumstances<'s>,
}

/// Why there is no decision.
pub(super) enum Fault {
    /// What is asked is not clear.
    Unclear(Unclear),
    /// It may not be asked.
    Forbidden { reason: &'static str },
}

impl From<Unclear> for Fault {
    fn from(unclear: Unclear) -> Self {
        Self::Unclear(unclear)
    }
}

impl Asking<'_> {
    /// Whether questions about this subject may be asked. `*` stands for all of a type.
    pub(super) fn may_ask(&self, who: Who<'_>) -> Result<(), Fault> {
        let name = who.to_string();
        let request = Request {
            action: CHECK,
            resource: Resource::named("access", &name),
            circumstances: self.circumstances,
        };
        let decision = decide(self.snapshot, &self.caller, &request);
        match decision.allowed() {
            true => Ok(()),
            false => Err(Fault::Forbidden {
                reason: decision.reason.as_str(),
            }),
        }
    }

    /// Decides, and notes what was decided.
    pub(super) fn evaluate(
        &self,
        parts: &Parts<'_>,
        id: &RequestId,
        ticket: &mut Ticket,
    ) -> Result<Ruling, Fault> {
        let who = parts.who()?;
        let action = parts.action()?;
        let what = parts.what()?;
        let setting = parts.setting(ticket.time())?;
        self.may_ask(who)?;
        ticket.note(|record| {
            record.decision_id = Some(Arc::from(id.decision()));
            record.action = Some(cut(action));
            record.subject = Some(cut(&who.to_string()));
        });
        let subject = match subject::find(self.caller.tenant, who, setting.method()) {
            Ok(subject) => subject,
            Err(absent) => {
                ticket.note(|record| record.reason = Arc::from(absent.reason()));
                return Ok(Ruling::no(absent.reason(), absent.sentence()));
            }
        };
        ticket.note(|record| record.subject = Some(Arc::from(subject.principal.to_string())));
        let circumstances = setting.circumstances(&subject);
        Ok(rule(
            self.snapshot,
            &subject,
            action,
            &what.thing(),
            circumstances,
            ticket,
        ))
    }
}
