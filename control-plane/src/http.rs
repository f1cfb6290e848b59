//! What the control plane answers over HTTP: Turnpike's own tokens, and what others need to verify them.
//!
//! It shares the listener with `/healthz`, `/readyz` and `/metrics`. Every route and whom it is for stands in one table.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::{MethodRouter, get, post},
};
use turnpike_access::digest::Peppers;
use turnpike_runtime::{task::Tasks, token::Tokens};

use crate::{
    execute::Executor,
    token_key::{PUBLISHED_BEFORE, TokenKeys},
};

mod client;
mod edge_keys;
mod form;
mod leaks;
mod published;
mod refusal;
mod scope;
mod sign;
mod subject;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use edge_keys::EdgeKeys;

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Everybody: it tells nothing of tenants.
    Public,
    /// Those who operate the process. It asks nobody who they are: its address is for them alone.
    Operations,
    /// Those who prove with a key, or with a token, who they are.
    Client,
    /// Whoever shows a key, which may be ended then; it tells no more than that the key was genuine.
    Finder,
}

/// What answers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    /// [`turnpike_runtime::operations`].
    Operations,
    Token,
    Leaks,
    Keys,
    EdgeKeys,
    Metadata,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) policy: Policy,
    endpoint: Endpoint,
}

/// Every route of the listener.
pub(crate) const ROUTES: [Route; 8] = [
    route("/healthz", Policy::Operations, Endpoint::Operations),
    route("/readyz", Policy::Operations, Endpoint::Operations),
    route("/metrics", Policy::Operations, Endpoint::Operations),
    route("/oauth/token", Policy::Client, Endpoint::Token),
    route("/leaks", Policy::Finder, Endpoint::Leaks),
    route("/.well-known/jwks.json", Policy::Public, Endpoint::Keys),
    route("/.well-known/edge-keys.json", Policy::Public, Endpoint::EdgeKeys),
    route(
        "/.well-known/oauth-authorization-server",
        Policy::Public,
        Endpoint::Metadata,
    ),
];

const fn route(path: &'static str, policy: Policy, endpoint: Endpoint) -> Route {
    Route {
        path,
        policy,
        endpoint,
    }
}

/// What the endpoints work on.
pub(crate) struct Web {
    pub(crate) executor: Executor,
    pub(crate) peppers: Arc<Peppers>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) keys: TokenKeys,
    pub(crate) edge_keys: EdgeKeys,
    /// For what is done beside an answer.
    pub(crate) tasks: Tasks,
}

/// Empty until the state is loaded: the listener is there before.
pub(crate) type Late = Arc<OnceLock<Web>>;

/// The routes of the table that are answered here.
pub(crate) fn router(late: Late) -> Router {
    let routes = ROUTES.into_iter();
    let router = routes.fold(Router::new(), |router, route| match route.handler() {
        Some(handler) => {
            let policy = route.policy;
            let kept = map_response(move |response| std::future::ready(keep(policy, response)));
            router.route(route.path, handler.layer(kept))
        }
        None => router,
    });
    router.with_state(late)
}

impl Route {
    fn handler(&self) -> Option<MethodRouter<Late>> {
        Some(match self.endpoint {
            Endpoint::Operations => return None,
            Endpoint::Token => post(token::issue),
            Endpoint::Leaks => post(leaks::report),
            Endpoint::Keys => get(published::keys),
            Endpoint::EdgeKeys => get(edge_keys::keys),
            Endpoint::Metadata => get(published::metadata),
        })
    }
}

/// How long others may keep an answer: what is for everybody, for as long as a key is published before it signs.
fn keep(policy: Policy, mut response: Response) -> Response {
    let value = match policy {
        Policy::Public if response.status().is_success() => {
            HeaderValue::from_str(&format!("public, max-age={PUBLISHED_BEFORE}")).ok()
        }
        _ => None,
    };
    let value = value.unwrap_or(HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
