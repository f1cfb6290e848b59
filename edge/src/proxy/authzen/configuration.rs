//! `/.well-known/authzen-configuration`: where the endpoints are (section 9).

use std::sync::Arc;

use http::{HeaderValue, Response, header::CONTENT_TYPE, header::HOST, request::Parts as Head};
use serde::Serialize;
use turnpike_access::audit::Outcome;

use super::{Refusal, State, json, record};
use crate::proxy::{answer::AnswerBody, handle::header, ticket::Ticket};

#[derive(Serialize)]
struct Configuration<'u> {
    policy_decision_point: &'u str,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
    search_subject_endpoint: String,
    search_resource_endpoint: String,
    search_action_endpoint: String,
}

/// Tells the endpoints under the edge's public address or, where none is set, the one that the client called.
pub(in crate::proxy) fn configuration(
    state: &State,
    head: &Head,
    ticket: &mut Ticket,
) -> Result<Response<AnswerBody>, Refusal> {
    let base = match &state.public_url {
        Some(url) => url.to_string(),
        None => called(state, head)?,
    };
    let endpoint = |path: &str| format!("{base}/access/v1/{path}");
    let body = json(&Configuration {
        policy_decision_point: &base,
        access_evaluation_endpoint: endpoint("evaluation"),
        access_evaluations_endpoint: endpoint("evaluations"),
        search_subject_endpoint: endpoint("search/subject"),
        search_resource_endpoint: endpoint("search/resource"),
        search_action_endpoint: endpoint("search/action"),
    });
    ticket.note(|record| {
        record.outcome = Outcome::Allowed;
        record.reason = Arc::from("public");
    });
    record(ticket)?;
    let mut response = Response::new(AnswerBody::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The address that the client called, which is nobody's to choose but its own.
fn called(state: &State, head: &Head) -> Result<String, Refusal> {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let host = authority
        .or_else(|| header(&head.headers, &HOST))
        .and_then(|text| text.parse::<http::uri::Authority>().ok())
        .ok_or(Refusal::Malformed("The request names no host.".into()))?;
    let scheme = if state.speaks_tls { "https" } else { "http" };
    Ok(format!("{scheme}://{}", host.as_str()))
}
