//! Which request goes where: the one table of data-plane routes, and the exact match of a path against it.
//!
//! What a route does is left to others; a path that is not clean is refused here, never tidied.

use std::borrow::Cow;

use http::Method;

mod path;
mod table;
#[cfg(test)]
mod tests;

pub use table::{EXT_AUTHZ, ROUTES};

/// Whose way of speaking a client expects, in answers and in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI, and everything that is not Anthropic's.
    OpenAi,
    /// Anthropic: everything under `/v1/messages`.
    Anthropic,
    /// The OpenID AuthZEN Authorization API: an error's body is its sentence and nothing else.
    AuthZen,
}

/// What a service that does not put Turnpike in its path asks by AuthZEN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthZen {
    /// May this subject do this to that?
    Evaluation,
    /// The same of many at once.
    Evaluations,
    /// Which subjects may?
    SearchSubject,
    /// To which resources?
    SearchResource,
    /// What may it do?
    SearchAction,
}

/// What a route serves. Decides how bodies are read and how usage is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// OpenAI chat completions.
    ChatCompletions,
    /// OpenAI's older text completions.
    Completions,
    /// Embeddings.
    Embeddings,
    /// OpenAI's Responses API.
    Responses,
    /// Anthropic's Messages API.
    Messages,
    /// Anthropic's token counting.
    CountTokens,
    /// Speech to text.
    Transcriptions,
    /// Speech to English text.
    Translations,
    /// Text to speech.
    Speech,
    /// Pictures from a prompt.
    ImageGenerations,
    /// Pictures from pictures and a prompt.
    ImageEdits,
    /// Pictures from a picture.
    ImageVariations,
    /// Content classification.
    Moderations,
    /// Ranking of documents.
    Rerank,
    /// The list of models, answered by the edge itself.
    ListModels,
    /// One model, answered by the edge itself.
    GetModel,
    /// A question by AuthZEN, answered by the edge itself.
    AuthZen(AuthZen),
    /// Where the AuthZEN endpoints are; asked without a credential.
    AuthZenConfiguration,
    /// A proxy asks whether a request may pass, as nginx's `auth_request` does.
    ForwardAuth,
    /// The same over gRPC, as Envoy does.
    ExtAuthz,
}

/// Where a request names its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelIn {
    /// The field `model` at the top of the JSON body.
    Body,
    /// A part of the path; a body that names another is refused.
    Path,
    /// The field `model` of a `multipart/form-data` body.
    Form,
    /// It names none.
    Nowhere,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The only method that it takes, but for [`Endpoint::ForwardAuth`], which takes any.
    pub method: Method,
    /// The path, as in audit records and metrics: `/v1/chat/completions`. `{model}` stands for a model's name.
    pub template: &'static str,
    /// What is served there.
    pub endpoint: Endpoint,
    /// The action that is judged: `inference.chat`. Empty where nothing is, or where the request itself names it.
    pub action: &'static str,
    /// How the client speaks.
    pub dialect: Dialect,
    /// Where the model is.
    pub model: ModelIn,
}

/// A route that was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Match<'p> {
    /// The row.
    pub route: &'static Route,
    /// The model of the path, decoded, where the template has one.
    pub model: Option<Cow<'p, str>>,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path could be read in two ways; 400.
    #[error("{0}")]
    Malformed(&'static str),
    /// There is no such route; 404.
    #[error("there is no such route")]
    NotFound,
    /// The route exists, for another method; 405.
    #[error("this route takes {allow} only")]
    MethodNotAllowed {
        /// For the header `allow`.
        allow: &'static str,
    },
}

/// Finds the route of a request; `path` is without its query. Allocates only for encoded characters in a model's
/// name.
pub fn find<'p>(method: &Method, path: &'p str) -> Result<Match<'p>, RouteError> {
    // A path that equals a template byte for byte is clean, so the common case looks at nothing else.
    if let Some(route) = ROUTES.iter().find(|route| route.is_at(path)) {
        return route.admit(method, None);
    }
    for route in ROUTES {
        if let Some(raw) = route.capture(path) {
            let model = path::check(raw, path::Slashes::Encoded)?;
            if model.starts_with('/') || model.ends_with('/') {
                return Err(RouteError::Malformed("the path has an empty segment"));
            }
            return route.admit(method, Some(model));
        }
    }
    path::check(path, path::Slashes::Plain)?;
    Err(RouteError::NotFound)
}

/// How the client of a path speaks, whether or not there is a route.
pub fn dialect_of(path: &str) -> Dialect {
    if path.starts_with("/v1/messages") {
        Dialect::Anthropic
    } else if path.starts_with("/access/v1/") || path.starts_with("/.well-known/authzen-") {
        Dialect::AuthZen
    } else {
        Dialect::OpenAi
    }
}

impl Route {
    /// OpenAI's paths are known with and without their `/v1`.
    fn is_at(&self, path: &str) -> bool {
        self.template == path || self.unversioned() == Some(path)
    }

    fn unversioned(&self) -> Option<&'static str> {
        if self.dialect != Dialect::OpenAi {
            return None;
        }
        self.template.strip_prefix("/v1")
    }

    /// What stands in the place of `{model}`, as it was written.
    fn capture<'p>(&self, path: &'p str) -> Option<&'p str> {
        let capture = |template: &str| {
            let (before, after) = template.split_once("{model}")?;
            let model = path.strip_prefix(before)?.strip_suffix(after)?;
            (!model.is_empty()).then_some(model)
        };
        capture(self.template).or_else(|| capture(self.unversioned()?))
    }

    fn admit<'p>(
        &'static self,
        method: &Method,
        model: Option<Cow<'p, str>>,
    ) -> Result<Match<'p>, RouteError> {
        if *method == self.method || self.endpoint == Endpoint::ForwardAuth {
            Ok(Match { route: self, model })
        } else {
            Err(RouteError::MethodNotAllowed {
                allow: self.method.as_str(),
            })
        }
    }
}
