//! `/authz`: a proxy such as nginx, with `auth_request`, asks whether a request may pass.
//!
//! The proxy sends the client's credential on and says what it is for: `action`, and `resource` as `type:name`, or
//! `model` with or without `provider`, each as a query parameter or as a header with `x-turnpike-` before it. It must set
//! all of these headers, so that none of the client's own is taken for its. Where there is a query, no header counts.
//!
//! The answer is 204, with who it is for the service behind the proxy; 401; or 403. Any other is an error to nginx, so that
//! an unknown model is a 403 too.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request::Parts as Head};
use percent_encoding::percent_decode_str;
use turnpike_access::{audit::Ending, authenticate::Caller, pattern::Resource};

use super::{
    answer::AnswerBody,
    authenticate::{Presented, identify},
    handle::{DECISION, MODEL, POSITION, PROVIDER, unavailable},
    judge,
    reject::Refusal,
    ruling::{Ruling, Thing, rule},
    state::{RequestId, State},
    ticket::{Ticket, cut},
};

const ACTION: HeaderName = HeaderName::from_static("x-turnpike-action");
const RESOURCE: HeaderName = HeaderName::from_static("x-turnpike-resource");
/// For the service behind the proxy: who calls.
pub(super) const PRINCIPAL: HeaderName = HeaderName::from_static("x-turnpike-principal");
/// For the service behind the proxy: of which tenant.
pub(super) const TENANT: HeaderName = HeaderName::from_static("x-turnpike-tenant");
/// Longest value, in bytes.
const MAX_TEXT: usize = 256;

/// What the proxy asks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked<'h> {
    /// A dotted verb.
    pub action: Cow<'h, str>,
    /// `type:name`.
    pub resource: Option<Cow<'h, str>>,
    /// As a client would write it.
    pub model: Option<Cow<'h, str>>,
    /// Who serves the model.
    pub provider: Option<Cow<'h, str>>,
}

/// The proxy's question can't be understood; 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unclear(&'static str);

/// Answers the proxy.
pub(super) fn answer(
    state: &State,
    client: Option<IpAddr>,
    head: &Head,
    presented: &Presented<'_>,
    id: &RequestId,
    ticket: &mut Ticket,
) -> Result<Response<AnswerBody>, Refusal> {
    let snapshot = judge::load(state)?;
    let position = snapshot.position().get();
    ticket.note(|record| record.position = position);
    let caller = identify(state, &snapshot, presented, ticket)?;
    let asked = Asked::read(head.uri.query(), &head.headers)
        .map_err(|unclear| Refusal::Malformed(unclear.to_string().into()))?;
    let decision = id.decision();
    ticket.note(|record| {
        record.action = Some(cut(&asked.action));
        record.decision_id = Some(Arc::from(decision.as_str()));
    });
    let circumstances = caller.circumstances(ticket.time(), client);
    let ruling = rule(
        &snapshot,
        &caller,
        &asked.action,
        &asked.thing(),
        circumstances,
        ticket,
    );
    if !ruling.allowed {
        return Err(Refusal::Forbidden {
            action: asked.action.into_owned().into(),
            model: asked.model.map(|model| model.as_ref().into()),
            decision: decision.into(),
            reason: ruling.reason,
        });
    }
    ticket.note(|record| record.status = StatusCode::NO_CONTENT.as_u16());
    ticket
        .finish(Ending::Complete)
        .map_err(|_| unavailable("audit_unavailable"))?;
    let mut response = Response::new(AnswerBody::from(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(POSITION, position.into());
    for (name, text) in identity(&caller, &ruling, &decision) {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// What the service behind a proxy may know of a request that passes. What is `None` must not reach it as the client
/// wrote it.
pub(super) fn identity(
    caller: &Caller<'_>,
    ruling: &Ruling,
    decision: &str,
) -> [(HeaderName, Option<Arc<str>>); 4] {
    [
        (DECISION, Some(Arc::from(decision))),
        (PRINCIPAL, Some(Arc::from(caller.principal.to_string()))),
        (TENANT, Some(caller.tenant.name().shared())),
        (MODEL, ruling.model.clone()),
    ]
}

impl<'h> Asked<'h> {
    /// Reads the query or, where there is none, the headers.
    ///
    /// # Errors
    /// Something is missing, there twice, or none of what may be said.
    pub fn read(query: Option<&'h str>, headers: &'h HeaderMap) -> Result<Self, Unclear> {
        let mut said = Said::default();
        match query.filter(|query| !query.is_empty()) {
            Some(query) => {
                for pair in query.split('&') {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    let value = percent_decode_str(value).decode_utf8();
                    said.set(name, value.map_err(|_| Unclear("The query is not UTF-8."))?)?;
                }
            }
            None => {
                for (name, header) in [
                    ("action", &ACTION),
                    ("resource", &RESOURCE),
                    ("model", &MODEL),
                    ("provider", &PROVIDER),
                ] {
                    for value in headers.get_all(header) {
                        let text = value.to_str();
                        let text = text.map_err(|_| Unclear("The x-turnpike headers must be ASCII."))?;
                        said.set(name, text.into())?;
                    }
                }
            }
        }
        said.asked()
    }

    /// The same, from names and values that were set by whoever configures the proxy.
    ///
    /// # Errors
    /// Something is missing, or none of what may be said.
    pub fn of(pairs: impl Iterator<Item = (&'h str, &'h str)>) -> Result<Self, Unclear> {
        let mut said = Said::default();
        for (name, value) in pairs {
            said.set(name, value.into())?;
        }
        said.asked()
    }

    pub(super) fn thing(&self) -> Thing<'_> {
        match (&self.model, &self.resource) {
            (Some(model), _) => Thing::Model {
                requested: model,
                provider: self.provider.as_deref(),
            },
            (None, resource) => {
                let (kind, name) = resource.as_deref().and_then(typed).unwrap_or_default();
                Thing::Other(Resource::named(kind, name))
            }
        }
    }
}

/// What has been said so far.
#[derive(Debug, Default)]
struct Said<'h> {
    action: Option<Cow<'h, str>>,
    resource: Option<Cow<'h, str>>,
    model: Option<Cow<'h, str>>,
    provider: Option<Cow<'h, str>>,
}

impl<'h> Said<'h> {
    fn set(&mut self, name: &str, value: Cow<'h, str>) -> Result<(), Unclear> {
        let place = match name {
            "action" => &mut self.action,
            "resource" => &mut self.resource,
            "model" => &mut self.model,
            "provider" => &mut self.provider,
            _ => {
                return Err(Unclear(
                    "The query may have action, resource, model and provider, and nothing else.",
                ));
            }
        };
        if value.is_empty() || value.len() > MAX_TEXT || value.contains(char::is_control) {
            return Err(Unclear(
                "Action, resource, model and provider must have 1 to 256 bytes and no control characters.",
            ));
        }
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Unclear("Action, resource, model and provider may be given once.")),
        }
    }

    fn asked(self) -> Result<Asked<'h>, Unclear> {
        let Self {
            action,
            resource,
            model,
            provider,
        } = self;
        if resource.is_some() == model.is_some() {
            return Err(Unclear("Name what it is about: a resource or a model, not both."));
        }
        if resource.as_deref().is_some_and(|text| typed(text).is_none()) {
            return Err(Unclear(
                "Write the resource as type:name; a model goes by the name of model.",
            ));
        }
        if provider.is_some() && model.is_none() {
            return Err(Unclear("A provider is named for a model alone."));
        }
        Ok(Asked {
            action: action.ok_or(Unclear("Name the action that is to be judged."))?,
            resource,
            model,
            provider,
        })
    }
}

/// A model is the catalogue's, with its family, environment and tags, and never a mere name.
fn typed(text: &str) -> Option<(&str, &str)> {
    text.split_once(':')
        .filter(|(kind, name)| !kind.is_empty() && !name.is_empty() && *kind != "model")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().copied();
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_the_proxy_asks_is_read_from_its_headers_or_from_the_query_alone() {
        let set = headers(&[
            ("x-turnpike-action", "prompts.read"),
            ("x-turnpike-resource", "prompt:a:b"),
        ]);
        let asked = Asked::read(None, &set).unwrap();
        assert_eq!(
            (asked.action.as_ref(), asked.resource.as_deref()),
            ("prompts.read", Some("prompt:a:b"))
        );
        assert_eq!(typed("prompt:a:b"), Some(("prompt", "a:b")));
        let query = Asked::read(Some("action=x.y&model=openai%2Fgpt-4o"), &set).unwrap();
        assert_eq!(
            (query.action.as_ref(), query.resource, query.model.as_deref()),
            ("x.y", None, Some("openai/gpt-4o"))
        );
    }

    #[test]
    fn what_is_missing_twice_or_unheard_of_is_refused() {
        let none = HeaderMap::new();
        for query in [
            "action=a",
            "resource=prompt:x",
            "action=a&resource=prompt:x&model=m",
            "action=a&resource=prompt:x&resource=prompt:y",
            "action=a&action=b&resource=prompt:x",
            "action=a&resource=prompt",
            "action=a&resource=:x",
            "action=a&resource=prompt:",
            "action=a&resource=model:m",
            "action=a&resource=prompt:x&provider=p",
            "action=a&resource=prompt:x&more=1",
            "action=a&resource=prompt:x%0a",
            "action=&resource=prompt:x",
            "action=%ff&resource=prompt:x",
            "action=a&resource=prompt:x&",
        ] {
            assert!(Asked::read(Some(query), &none).is_err(), "{query}");
        }
        assert!(Asked::read(None, &none).is_err());
        let twice = headers(&[
            ("x-turnpike-action", "a"),
            ("x-turnpike-resource", "prompt:x"),
            ("x-turnpike-resource", "prompt:y"),
        ]);
        assert!(Asked::read(None, &twice).is_err());
    }
}
