//! The story of one request, from its head to the head of its answer.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use http_body::Body as _;
use hyper::body::Incoming;
use turnpike_access::audit::{Ending, Outcome};

use super::{
    answer::{AnswerBody, Meter, Relay},
    asked::Asked,
    authenticate::{self, Credential, Presented},
    authzen, client,
    forward::{Answer, Outgoing},
    forward_auth, headers,
    judge::{self, Approved, Question},
    metadata,
    meter::SseMeter,
    models::{self, Shape},
    receive::receive,
    reject::{ANTHROPIC_REQUEST_ID, REQUEST_ID, Refusal},
    route::{self, Dialect, Endpoint, Match, ModelIn, RouteError},
    state::{RequestId, State},
    ticket::{Ticket, cut},
};
use crate::audit::Unrecorded;

pub(super) const DECISION: HeaderName = HeaderName::from_static("x-turnpike-decision");
pub(super) const POSITION: HeaderName = HeaderName::from_static("x-turnpike-position");
pub(super) const MODEL: HeaderName = HeaderName::from_static("x-turnpike-model");
const FALLBACK: HeaderName = HeaderName::from_static("x-turnpike-fallback");
pub(super) const PROVIDER: HeaderName = HeaderName::from_static("x-turnpike-provider");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// A body up to this size is read before the caller is looked up; a larger one is read for known callers only.
const SMALL_BODY: u64 = 64 * 1024;

/// Answers a request. There is an answer to everything.
pub(super) async fn handle(
    state: Arc<State>,
    peer: Option<IpAddr>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let id = state.next_id();
    let dialect = route::dialect_of(request.uri().path());
    let client = peer.map(|peer| client::address(peer, request.headers(), &state.trusted_proxies));
    let mut ticket = Ticket::begin(&state, &id, client);
    let (mut head, body) = request.into_parts();
    let mut response = match answer(&state, client, &mut head, body, &id, &mut ticket).await {
        Ok(response) => finish(response, dialect, &id),
        Err(refusal) => {
            attribute(&state, &head.headers, &mut ticket);
            refuse(&refusal, dialect, &id, &mut ticket).map(AnswerBody::from)
        }
    };
    if let Err(refusal) = settle(&mut ticket).await {
        response = refuse(&refusal, dialect, &id, &mut ticket).map(AnswerBody::from);
    }
    if dialect == Dialect::AuthZen {
        authzen::echo_request_id(&head.headers, response.headers_mut());
    }
    response
}

/// Sees to what the tenant wants its audit to survive.
pub(super) async fn settle(ticket: &mut Ticket) -> Result<(), Refusal> {
    ticket.settle().await.map_err(|error| {
        tracing::warn!(%error, "a request of a tenant whose audit is strict is refused");
        unavailable(match error {
            Unrecorded::Full => "audit_full",
            _ => "audit_unsynced",
        })
    })
}

async fn answer(
    state: &Arc<State>,
    client: Option<IpAddr>,
    head: &mut Parts,
    body: Incoming,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Response<AnswerBody>, Refusal> {
    let Match { route, model } = route::find(&head.method, head.uri.path()).map_err(no_route)?;
    ticket.note_route(route);
    ticket.trace(route, &head.headers);
    check_head(state, head, ticket)?;
    headers::check_host(head.version, &head.headers).map_err(|error| malformed(&error))?;
    if route.endpoint == Endpoint::AuthZenConfiguration {
        return authzen::configuration(state, head, ticket);
    }
    let presented = authenticate::present(state, &head.headers, ticket.time()).await?;
    if let Endpoint::AuthZen(question) = route.endpoint {
        let asked = (&*head, body);
        return authzen::answer(state, client, question, asked, &presented, id, ticket).await;
    }
    if route.endpoint == Endpoint::ForwardAuth {
        return forward_auth::answer(state, client, head, &presented, id, ticket);
    }
    match route.model {
        ModelIn::Nowhere => list(state, client, head, &presented, None, ticket),
        ModelIn::Path if route.endpoint == Endpoint::GetModel => {
            list(state, client, head, &presented, model.as_deref(), ticket)
        }
        _ => {
            if body.size_hint().upper().is_none_or(|size| size > SMALL_BODY) {
                judge::admit(state, &presented, ticket)?;
            }
            let body = match receive(body, &state.limits).await {
                Ok(body) => body,
                Err(refusal) => return Err(after_admission(state, &presented, ticket, refusal)),
            };
            let asked = Asked::read(route, model.as_deref(), &head.headers, &body);
            let asked = asked.map_err(|refusal| after_admission(state, &presented, ticket, refusal))?;
            let needs = || asked.needs(&body);
            let question = Question {
                route,
                presented: &presented,
                client,
                model: asked.model(),
                provider: header(&head.headers, &PROVIDER),
                accepts_fallback: header(&head.headers, &FALLBACK) != Some("none"),
                needs: &needs,
            };
            let approved = judge(state, head, question, id, ticket).await?;
            // Nobody asks for the headers any more: the caller is known.
            let headers = std::mem::take(&mut head.headers);
            let outgoing = asked.outgoing(&approved, route, head.uri.query(), headers, &body);
            relay(state, &approved, outgoing, asked.streams(), id, ticket).await
        }
    }
}

/// The judgement; once more where a token's issuer was changed while the body came.
async fn judge(
    state: &State,
    head: &Parts,
    question: Question<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Approved, Refusal> {
    let judged = judge::judge(state, &question, id, ticket);
    match question.presented {
        Presented::Token(text, _) if authenticate::is_overtaken(&judged) => {
            let presented = authenticate::verify(state, text, &head.headers, ticket.time()).await?;
            let question = Question {
                presented: &presented,
                ..question
            };
            judge::judge(state, &question, id, ticket)
        }
        _ => judged,
    }
}

/// Who is nobody learns that and no more, whatever else is wrong with the request; and what is wrong with a known
/// caller's request is recorded as theirs.
fn after_admission(
    state: &State,
    presented: &Presented<'_>,
    ticket: &mut Ticket,
    refusal: Refusal,
) -> Refusal {
    judge::admit(state, presented, ticket).err().unwrap_or(refusal)
}

/// What must be right about any request's head.
pub(super) fn check_head(state: &State, head: &Parts, ticket: &mut Ticket) -> Result<(), Refusal> {
    let size: usize = head
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if size as u64 > state.limits.header_limit.get() {
        return Err(Refusal::HeadersTooLarge);
    }
    // The listener saw it where the header map no longer tells.
    if let Some(error) = head.extensions.get::<headers::AmbiguousLength>() {
        return Err(malformed(error));
    }
    headers::check_length(&head.headers).map_err(|error| malformed(&error))?;
    let pairs = metadata::from_headers(&head.headers).map_err(|error| malformed(&error))?;
    ticket.note(|record| {
        record.metadata = pairs;
        record.user_agent = header(&head.headers, &USER_AGENT).map(cut);
        record.trace_id = record.trace_id.take().or_else(|| trace_id(&head.headers));
    });
    Ok(())
}

/// Sends the request on, and lets the answer through.
async fn relay(
    state: &Arc<State>,
    approved: &Approved,
    outgoing: Outgoing,
    streams: bool,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Response<AnswerBody>, Refusal> {
    let endpoint = outgoing.route.endpoint;
    let mut outgoing = outgoing;
    let operation = crate::metrics::operation(outgoing.route.action);
    let call = || approved.target.call(operation, &approved.model);
    ticket.trace_call(call, &mut outgoing.headers);
    settle(ticket).await?;
    let answer = state.upstream.send(approved, outgoing).await?;
    let mut response = match answer {
        Answer::Read(response) => {
            let status = response.status().as_u16();
            ticket.note(|record| (record.status, record.upstream_status) = (status, Some(status)));
            ticket
                .finish(Ending::Complete)
                .map_err(|_| unavailable("audit_unavailable"))?;
            response.map(AnswerBody::from)
        }
        Answer::Stream { response, asked } => {
            let status = response.status().as_u16();
            let meter = meter_for(response.headers(), endpoint, asked);
            let streamed = streams && matches!(meter, Meter::Sse(_));
            ticket.note(|record| {
                (record.status, record.upstream_status) = (status, Some(status));
                record.streamed = streamed;
            });
            let ticket = ticket.take();
            let watch = approved.ends_with.clone();
            let watch = watch.map(|by| state.sentinel.watch(by, approved.position, &state.current));
            response.map(|body| {
                let relay = Relay::new(state, body, endpoint, meter, ticket, id.clone(), watch);
                AnswerBody::Relayed(Box::new(relay))
            })
        }
    };
    let withheld = matches!(response.body(), AnswerBody::Relayed(relay) if relay.may_withhold());
    let headers = response.headers_mut();
    headers::prepare_response(headers);
    if withheld {
        headers.remove(CONTENT_LENGTH);
    }
    describe(headers, approved);
    Ok(response)
}

fn meter_for(headers: &HeaderMap, endpoint: Endpoint, hide_usage: bool) -> Meter {
    if headers.contains_key(CONTENT_ENCODING) {
        return Meter::Blind;
    }
    match header(headers, &CONTENT_TYPE) {
        Some(text) if text.starts_with("text/event-stream") => {
            Meter::Sse(Box::new(SseMeter::new(endpoint, hide_usage)))
        }
        Some(text) if text.starts_with("application/json") => Meter::Json(endpoint, Default::default()),
        _ => Meter::Blind,
    }
}

/// The list of models, or one of them.
fn list(
    state: &Arc<State>,
    client: Option<IpAddr>,
    head: &Parts,
    presented: &Presented<'_>,
    model: Option<&str>,
    ticket: &mut Ticket,
) -> Result<Response<AnswerBody>, Refusal> {
    let snapshot = judge::load(state)?;
    let position = snapshot.position().get();
    ticket.note(|record| {
        record.position = position;
        record.model_requested = model.map(cut);
    });
    let caller = authenticate::identify(state, &snapshot, presented, ticket)?;
    let circumstances = caller.circumstances(ticket.time(), client);
    let shape = if head.headers.contains_key(ANTHROPIC_VERSION) {
        Shape::Anthropic
    } else {
        Shape::OpenAi
    };
    let body = match model {
        None => models::list(&snapshot, &caller, circumstances, shape),
        Some(model) => models::get(&snapshot, &caller, circumstances, shape, model)?,
    };
    ticket.note(|record| {
        record.outcome = Outcome::Allowed;
        record.reason = Arc::from("granted");
        record.status = 200;
    });
    ticket
        .finish(Ending::Complete)
        .map_err(|_| unavailable("audit_unavailable"))?;
    let mut response = Response::new(AnswerBody::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(POSITION, position.into());
    Ok(response)
}

/// A request that was refused before its caller was looked at is recorded as the caller's all the same.
pub(super) fn attribute(state: &State, headers: &HeaderMap, ticket: &mut Ticket) {
    if !ticket.identified()
        && let Ok(credential) = Credential::read(headers)
        && let Some(presented) = credential.known(state, ticket.time())
    {
        // Whether it opens anything does not matter any more.
        drop(judge::admit(state, &presented, ticket));
    }
}

/// The answer to a request that is refused, recorded.
pub(super) fn refuse(
    refusal: &Refusal,
    dialect: Dialect,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Response<Bytes> {
    ticket.note(|record| {
        record.status = refusal.status().as_u16();
        record.reason = Arc::from(refusal.reason());
        record.ending = Ending::Complete;
        // That a request was refused before the decision is explained by the same kind of id.
        record.decision_id.get_or_insert_with(|| Arc::from(id.decision()));
    });
    let decision = ticket.decision();
    let position = ticket.position();
    let recorded = ticket.finish(Ending::Complete);
    let unrecorded = unavailable("audit_unavailable");
    let refusal = if recorded.is_ok() { refusal } else { &unrecorded };
    let mut response = refusal.response(dialect, id.request());
    let headers = response.headers_mut();
    if let Some(decision) = decision.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(DECISION, decision);
    }
    // Zero: no state was looked at. Who is nobody is told the same whether one was, or not.
    if position > 0 && !matches!(refusal, Refusal::Unauthenticated { .. }) {
        headers.insert(POSITION, position.into());
    }
    response
}

/// What the edge says of a request that it let through.
fn describe(headers: &mut HeaderMap, approved: &Approved) {
    let mut insert = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    insert(DECISION, &approved.decision);
    insert(MODEL, &approved.model);
    if let Some(from) = &approved.fallback_from {
        insert(FALLBACK, from);
    }
    headers.insert(POSITION, approved.position.into());
}

fn finish(mut response: Response<AnswerBody>, dialect: Dialect, id: &RequestId) -> Response<AnswerBody> {
    if let Ok(value) = HeaderValue::from_str(id.request()) {
        if dialect == Dialect::Anthropic {
            response.headers_mut().insert(ANTHROPIC_REQUEST_ID, value.clone());
        }
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

pub(super) fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The trace that the client began, by W3C Trace Context, section 3.2.2.
fn trace_id(headers: &HeaderMap) -> Option<Arc<str>> {
    let id = headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    let valid = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0');
    valid.then(|| Arc::from(id))
}

pub(super) fn no_route(error: RouteError) -> Refusal {
    match error {
        RouteError::Malformed(sentence) => Refusal::Malformed(sentence.into()),
        RouteError::NotFound => Refusal::RouteNotFound,
        RouteError::MethodNotAllowed { allow } => Refusal::MethodNotAllowed { allow },
    }
}

pub(super) fn malformed(error: &dyn std::error::Error) -> Refusal {
    Refusal::Malformed(error.to_string().into())
}

pub(super) fn unavailable(reason: &'static str) -> Refusal {
    Refusal::Unavailable {
        reason,
        retry_after: std::time::Duration::from_secs(1),
    }
}
