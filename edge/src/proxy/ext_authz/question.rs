//! What is asked: by the route's configuration, the path and the body.

use std::{borrow::Cow, collections::BTreeMap};

use http::{HeaderName, header::CONTENT_LENGTH};
use turnpike_access::pattern::Resource;

use super::wire::Told;
use crate::proxy::{
    asked::Asked as InBody,
    forward_auth::Asked,
    handle::{header, no_route},
    reject::Refusal,
    route::{self, EXT_AUTHZ, Endpoint, Match, ModelIn},
    ruling::Thing,
};

/// Says that Envoy cut the body off.
const PARTIAL_BODY: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");

/// The `context_extensions` of a route: `action`, and `resource` as `type:name`, or `model` with or without `provider`;
/// `credential`, which is `keep` or `remove`. Without a resource or a model the request itself names the model; without an
/// action its path does.
#[derive(Debug)]
pub(super) struct Configured<'c> {
    action: Option<&'c str>,
    asked: Option<Asked<'c>>,
    /// Whether the upstream must not see the client's credential.
    pub(super) remove_credential: bool,
}

/// What is judged.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) action: Cow<'q, str>,
    about: About<'q>,
}

#[derive(Debug)]
enum About<'q> {
    Configured(&'q Asked<'q>),
    Model(Cow<'q, str>),
    /// The list of models, which is the upstream's and shows all of them.
    EveryModel,
}

impl<'c> Configured<'c> {
    pub(super) fn read(extensions: &'c BTreeMap<String, String>) -> Result<Self, Refusal> {
        let mut remove_credential = false;
        let mut pairs = Vec::new();
        for (name, value) in extensions {
            match (name.as_str(), value.as_str()) {
                ("credential", "keep") => {}
                ("credential", "remove") => remove_credential = true,
                ("credential", _) => {
                    return Err(misconfigured("credential must be keep or remove"));
                }
                pair => pairs.push(pair),
            }
        }
        let action = match pairs.as_slice() {
            [("action", action)] => Some(*action),
            _ => None,
        };
        let asked = match (action, pairs.is_empty()) {
            (None, false) => {
                let asked = Asked::of(pairs.into_iter());
                Some(asked.map_err(|unclear| misconfigured(&unclear.to_string()))?)
            }
            _ => None,
        };
        Ok(Self {
            action,
            asked,
            remove_credential,
        })
    }
}

impl<'q> Question<'q> {
    pub(super) fn of(told: &'q Told, configured: &'q Configured<'_>) -> Result<Self, Refusal> {
        if let Some(asked) = &configured.asked {
            return Ok(Self {
                action: Cow::Borrowed(&asked.action),
                about: About::Configured(asked),
            });
        }
        let found = match (
            route::find(&told.head.method, told.head.uri.path()),
            configured.action,
        ) {
            (Ok(found), _) => found,
            // The configuration knows what the path does not say.
            (Err(_), Some(_)) => Match {
                route: &EXT_AUTHZ,
                model: None,
            },
            (Err(error), None) => return Err(no_route(error)),
        };
        let route = found.route;
        let about = match (route.endpoint, route.model) {
            (Endpoint::ListModels, _) => About::EveryModel,
            (Endpoint::GetModel, _) => About::Model(found.model.unwrap_or_default()),
            (_, ModelIn::Nowhere) => return Err(Refusal::RouteNotFound),
            _ => {
                let body = told.whole_body()?;
                let asked = InBody::read(route, found.model.as_deref(), &told.head.headers, body)?;
                About::Model(asked.into_model())
            }
        };
        Ok(Self {
            action: configured.action.unwrap_or(route.action).into(),
            about,
        })
    }

    pub(super) fn thing(&self) -> Thing<'_> {
        match &self.about {
            About::Configured(asked) => asked.thing(),
            About::Model(model) => Thing::Model {
                requested: model,
                provider: None,
            },
            About::EveryModel => Thing::Other(Resource::named("model", "*")),
        }
    }
}

impl Told {
    /// The body, if Envoy has sent all of it.
    fn whole_body(&self) -> Result<&[u8], Refusal> {
        let headers = &self.head.headers;
        let length = self.body.len() as u64;
        let announced = header(headers, &CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        if header(headers, &PARTIAL_BODY) == Some("true")
            || announced.is_some_and(|all| all > length && length > 0)
        {
            return Err(Refusal::PayloadTooLarge { limit: length });
        }
        Ok(&self.body)
    }
}

fn misconfigured(what: &str) -> Refusal {
    Refusal::Malformed(format!("The proxy's context_extensions are not what they must be: {what}").into())
}
