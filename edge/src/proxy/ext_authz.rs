//! Envoy's external authorization: `envoy.service.auth.v3.Authorization/Check`, on a listener of its own.
//!
//! What is asked is said by the route's configuration, as [`Configured`] reads it, by the path, which may be one of the
//! edge's own routes, and by the body that Envoy sends along. Headers of the client say who it is and nothing else.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;
use turnpike_access::audit::Ending;
use turnpike_proto::ext_authz::v3::{CheckRequest, CheckResponse};

use self::{
    question::{Configured, Question},
    wire::{Passed, Told},
};
use super::{
    authenticate::{self, Presented, identify},
    forward_auth::identity,
    handle::{self, unavailable},
    judge,
    reject::Refusal,
    route::{self, EXT_AUTHZ},
    ruling::{Ruling, Thing, rule},
    state::{RequestId, State},
    ticket::{Ticket, cut},
};

mod question;
mod serve;
#[cfg(test)]
mod tests;
mod wire;

pub use serve::serve;

/// Answers Envoy. There is an answer to everything: what can't be read is refused.
async fn check(state: &Arc<State>, request: CheckRequest) -> CheckResponse {
    let id = state.next_id();
    let attributes = request.attributes.unwrap_or_default();
    // Envoy has looked at the proxies before it; a header says nothing more.
    let client = wire::client(&attributes);
    let told = Told::of(attributes);
    let nothing = HeaderMap::new();
    let headers = told.as_ref().map_or(&nothing, |told| &told.head.headers);
    let mut ticket = Ticket::begin(state, &id, client);
    ticket.note_route(&EXT_AUTHZ);
    let answered = match &told {
        Ok(told) => answer(state, client, told, &id, &mut ticket).await,
        Err(refusal) => Err(refusal.clone()),
    };
    let dialect = route::dialect_of(told.as_ref().map_or("/", |told| told.head.uri.path()));
    let refuse = |refusal: &Refusal, ticket: &mut Ticket| {
        wire::denied(
            handle::refuse(refusal, dialect, &id, ticket),
            refusal.reason(),
            &id,
        )
    };
    let response = answered.map(wire::ok).unwrap_or_else(|refusal| {
        handle::attribute(state, headers, &mut ticket);
        refuse(&refusal, &mut ticket)
    });
    match handle::settle(&mut ticket).await {
        Ok(()) => response,
        Err(refusal) => refuse(&refusal, &mut ticket),
    }
}

async fn answer(
    state: &State,
    client: Option<IpAddr>,
    told: &Told,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Passed, Refusal> {
    handle::check_head(state, &told.head, ticket)?;
    let presented = authenticate::present(state, &told.head.headers, ticket.time()).await?;
    // Who is nobody learns that and no more.
    judge::admit(state, &presented, ticket)?;
    let configured = Configured::read(&told.extensions)?;
    let question = Question::of(told, &configured)?;
    decide(state, client, &presented, &question, id, ticket).map(|passed| Passed {
        remove_credential: configured.remove_credential,
        ..passed
    })
}

fn decide(
    state: &State,
    client: Option<IpAddr>,
    presented: &Presented<'_>,
    question: &Question<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Passed, Refusal> {
    let snapshot = judge::load(state)?;
    let position = snapshot.position().get();
    let decision = id.decision();
    let caller = identify(state, &snapshot, presented, ticket)?;
    let (action, thing) = (question.action.as_ref(), question.thing());
    ticket.note(|record| {
        record.position = position;
        record.action = Some(cut(action));
        record.decision_id = Some(Arc::from(decision.as_str()));
    });
    let circumstances = caller.circumstances(ticket.time(), client);
    let ruling = rule(&snapshot, &caller, action, &thing, circumstances, ticket);
    if !ruling.allowed {
        return Err(refused(
            &ruling,
            &thing,
            caller.tenant.settings().hide_models,
            action,
            decision,
        ));
    }
    ticket.note(|record| record.status = 200);
    ticket
        .finish(Ending::Complete)
        .map_err(|_| unavailable("audit_unavailable"))?;
    Ok(Passed {
        position,
        identity: identity(&caller, &ruling, &decision),
        remove_credential: false,
    })
}

/// As the edge itself refuses what it proxies.
fn refused(ruling: &Ruling, thing: &Thing<'_>, hide_models: bool, action: &str, decision: String) -> Refusal {
    let reason = ruling.reason;
    let is_model = matches!(thing, Thing::Model { .. });
    match &ruling.model {
        None if reason == "model_ambiguous" => {
            Refusal::Ambiguous("Several providers have a model of this name: write provider/name.".into())
        }
        model if is_model && (hide_models || model.is_none()) => Refusal::ModelNotFound { reason },
        model => Refusal::Forbidden {
            action: action.to_owned().into(),
            model: model.as_deref().map(Box::from),
            decision: decision.into(),
            reason,
        },
    }
}
