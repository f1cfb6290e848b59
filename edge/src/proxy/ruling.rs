//! One decision about one thing, for whoever enforces it elsewhere, and what the audit is told of it.

use std::sync::Arc;

use turnpike_access::{
    audit::Outcome,
    authenticate::Caller,
    choose::{ModelRequest, choose},
    decide::{Decision, Request, decide},
    grant::Circumstances,
    pattern::Resource,
    resolve::{ResolvedModel, Unresolved},
    snapshot::Snapshot,
};

use super::ticket::{Ticket, cut};

/// What something is done to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing<'a> {
    /// A model of the catalogue, as it was written.
    Model {
        requested: &'a str,
        /// Who serves it, where that was written beside it.
        provider: Option<&'a str>,
    },
    /// Anything else.
    Other(Resource<'a>),
}

/// The answer.
#[derive(Debug, Clone)]
pub(super) struct Ruling {
    pub(super) allowed: bool,
    /// One word for machines.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) sentence: &'static str,
    /// `provider/name`, where the thing is a model that exists.
    pub(super) model: Option<Arc<str>>,
}

impl Ruling {
    /// No, before anything could be decided.
    pub(super) fn no(reason: &'static str, sentence: &'static str) -> Self {
        Self {
            allowed: false,
            reason,
            sentence,
            model: None,
        }
    }

    fn of(decision: &Decision<'_>, model: Option<&ResolvedModel<'_>>) -> Self {
        Self {
            allowed: decision.allowed(),
            reason: decision.reason.as_str(),
            sentence: decision.reason.sentence(),
            model: model.map(|model| model.id.shared()),
        }
    }
}

/// Decides, without substitutes: whoever enforces it sends what was asked for.
pub(super) fn rule<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    action: &str,
    thing: &Thing<'_>,
    circumstances: Circumstances<'_>,
    ticket: &mut Ticket,
) -> Ruling {
    match *thing {
        Thing::Model { requested, provider } => {
            let request = ModelRequest {
                action,
                requested,
                provider,
                circumstances,
                accepts_fallback: false,
            };
            ticket.note(|record| record.model_requested = Some(cut(requested)));
            match choose(snapshot, caller, &request) {
                Ok(choice) => {
                    ticket.note(|record| {
                        record.model_served = choice.decision.allowed().then(|| choice.model.id.shared());
                        record.provider = Some(choice.model.provider.name.shared());
                        record.environment = choice.model.environment().map(|name| name.shared());
                    });
                    note(ticket, &choice.decision);
                    Ruling::of(&choice.decision, Some(&choice.model))
                }
                Err(Unresolved::Unknown) => Ruling::no("model_unknown", "the tenant has no such model"),
                Err(Unresolved::Ambiguous) => {
                    Ruling::no("model_ambiguous", "several providers have a model of this name")
                }
            }
        }
        Thing::Other(resource) => {
            let request = Request {
                action,
                resource,
                circumstances,
            };
            let decision = decide(snapshot, caller, &request);
            ticket.note(|record| {
                record.resource = Some(cut(&[resource.kind, ":", resource.name].concat()));
                record.environment = resource.environment.map(|name| name.shared());
            });
            note(ticket, &decision);
            Ruling::of(&decision, None)
        }
    }
}

fn note(ticket: &mut Ticket, decision: &Decision<'_>) {
    ticket.note(|record| {
        record.reason = Arc::from(decision.reason.as_str());
        record.grants = decision.grant_id().into_iter().collect();
        if decision.allowed() {
            record.outcome = Outcome::Allowed;
        }
    });
}
