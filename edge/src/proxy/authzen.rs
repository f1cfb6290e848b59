//! The OpenID AuthZEN Authorization API 1.0: services that do not put Turnpike in their path ask it.
//!
//! Whoever asks authenticates as for any request and needs `access.check` on the resource `access`, named by the subject
//! that it asks about, such as `user:alice`. The answers are those of [`decide`](turnpike_access::decide), each in the
//! audit. Sections are of the specification's final text.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    request::Parts as Head,
};
use hyper::body::Incoming;
use turnpike_access::audit::Ending;

use self::{
    evaluate::{Asking, Fault},
    question::Parts,
    read::{Batch, Evaluation, Semantic},
    verdict::{Many, Verdict},
};
use super::{
    answer::AnswerBody,
    authenticate::{Presented, identify},
    handle::{DECISION, POSITION, header, unavailable},
    judge,
    receive::receive,
    reject::{REQUEST_ID, Refusal},
    route::AuthZen,
    state::{RequestId, State},
    ticket::{Ticket, cut},
};
use crate::settings::{ByteSize, limits::Limits};

mod configuration;
mod evaluate;
mod page;
pub mod properties;
pub mod question;
pub mod read;
mod search;
mod subject;
#[cfg(test)]
mod tests;
mod verdict;

pub(super) use configuration::configuration;

/// The largest body of a question.
const BODY_LIMIT: ByteSize = ByteSize::new(1 << 20);

/// Answers a question of somebody who presents a credential.
pub(super) async fn answer(
    state: &Arc<State>,
    client: Option<IpAddr>,
    question: AuthZen,
    (head, body): (&Head, Incoming),
    presented: &Presented<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Response<AnswerBody>, Refusal> {
    if let Some(name) = header(&head.headers, &REQUEST_ID) {
        ticket.note(|record| record.metadata.push((Arc::from(REQUEST_ID.as_str()), cut(name))));
    }
    judge::admit(state, presented, ticket)?;
    check_content(&head.headers)?;
    let limits = Limits {
        body_limit: state.limits.body_limit.min(BODY_LIMIT),
        ..state.limits.clone()
    };
    let body = receive(body, &limits).await?;

    let snapshot = judge::load(state)?;
    let position = snapshot.position().get();
    ticket.note(|record| record.position = position);
    let caller = identify(state, &snapshot, presented, ticket)?;
    let asking = Asking {
        snapshot: &snapshot,
        circumstances: caller.circumstances(ticket.time(), client),
        caller,
    };
    let body = match question {
        AuthZen::Evaluation => {
            let evaluation = read::evaluation(&body).map_err(malformed)?;
            single(
                &asking,
                &Parts::of(&evaluation, &Evaluation::default()),
                id,
                ticket,
            )?
        }
        AuthZen::Evaluations => match read::evaluations(&body).map_err(malformed)? {
            Batch {
                defaults,
                evaluations,
                ..
            } if evaluations.is_empty() => {
                single(&asking, &Parts::of(&defaults, &Evaluation::default()), id, ticket)?
            }
            batch => many(state, &asking, &batch, id, ticket)?,
        },
        AuthZen::SearchSubject | AuthZen::SearchResource | AuthZen::SearchAction => {
            let (known, page) = read::search(&body).map_err(malformed)?;
            let found = search::search(&asking, question, &known, page.as_ref(), ticket);
            let found = found.map_err(|fault| refusal(fault, id))?;
            record(ticket)?;
            json(&found)
        }
    };
    Ok(respond(
        body,
        position,
        (question == AuthZen::Evaluation).then(|| id.decision()),
    ))
}

/// One evaluation, whose faults are the request's.
fn single(
    asking: &Asking<'_>,
    parts: &Parts<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Bytes, Refusal> {
    let ruling = asking
        .evaluate(parts, id, ticket)
        .map_err(|fault| refusal(fault, id))?;
    record(ticket)?;
    Ok(json(&Verdict::of(&ruling, id)))
}

/// Many evaluations, each with its record, until the semantic says that it is enough. The faults of one are no more than
/// its no (section 7.2.1).
fn many(
    state: &Arc<State>,
    asking: &Asking<'_>,
    batch: &Batch,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Bytes, Refusal> {
    let mut evaluations = Vec::with_capacity(batch.evaluations.len());
    for (index, one) in batch.evaluations.iter().enumerate() {
        let parts = Parts::of(one, &batch.defaults);
        let verdict = if index + 1 == batch.evaluations.len() {
            // The last record is the request's own: until it is written, the request is unanswered.
            one_of_many(asking, &parts, id, ticket)?
        } else {
            let id = state.next_id();
            let mut further = ticket.further(&id);
            let verdict = one_of_many(asking, &parts, &id, &mut further)?;
            ticket.adopt(further);
            verdict
        };
        let enough = match batch.semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !verdict.decision,
            Semantic::PermitOnFirstPermit => verdict.decision,
        };
        evaluations.push(verdict);
        if enough {
            break;
        }
    }
    Ok(json(&Many { evaluations }))
}

fn one_of_many(
    asking: &Asking<'_>,
    parts: &Parts<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Verdict, Refusal> {
    let verdict = match asking.evaluate(parts, id, ticket) {
        Ok(ruling) => Verdict::of(&ruling, id),
        Err(fault) => {
            let refusal = refusal(fault, id);
            ticket.note(|record| record.reason = Arc::from(refusal.reason()));
            Verdict::error(refusal.status().as_u16(), &refusal.message())
        }
    };
    record(ticket)?;
    Ok(verdict)
}

fn record(ticket: &mut Ticket) -> Result<(), Refusal> {
    ticket.note(|record| record.status = 200);
    ticket
        .finish(Ending::Complete)
        .map_err(|_| unavailable("audit_unavailable"))
}

fn refusal(fault: Fault, id: &RequestId) -> Refusal {
    match fault {
        Fault::Unclear(sentence) => malformed(sentence),
        Fault::Forbidden { reason } => Refusal::Forbidden {
            action: evaluate::CHECK.into(),
            model: None,
            decision: id.decision().into(),
            reason,
        },
    }
}

/// Section 10.1: the content type is `application/json`, and whatever else is a bad request.
fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    let essence = header(headers, &CONTENT_TYPE).and_then(|text| text.split(';').next());
    if essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
        && !headers.contains_key(CONTENT_ENCODING)
    {
        return Ok(());
    }
    Err(Refusal::Malformed(
        "The content type must be application/json, and the body not encoded.".into(),
    ))
}

/// Section 10.1.3: who names its request is answered under that name.
pub(super) fn echo_request_id(asked: &HeaderMap, answered: &mut HeaderMap) {
    if let Some(id) = asked.get(REQUEST_ID) {
        answered.insert(REQUEST_ID, id.clone());
    }
}

fn respond(body: Bytes, position: u64, decision: Option<String>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(POSITION, position.into());
    if let Some(decision) = decision.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(DECISION, decision);
    }
    response
}

fn json(value: &impl serde::Serialize) -> Bytes {
    // Strings, numbers and booleans can't fail to be written.
    serde_json::to_vec(value).unwrap_or_default().into()
}

fn malformed(sentence: String) -> Refusal {
    Refusal::Malformed(sentence.into())
}
