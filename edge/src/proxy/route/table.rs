//! The routes themselves. The busiest come first, since the table is searched in order.

use http::Method;

use super::{
    AuthZen,
    Dialect::{self, Anthropic, OpenAi},
    Endpoint,
    ModelIn::{self, Body, Form, Nowhere, Path},
    Route,
};

/// Every route of the data plane. OpenAI's are known without their `/v1` too.
pub static ROUTES: &[Route] = &[
    post(
        "/v1/chat/completions",
        Endpoint::ChatCompletions,
        "inference.chat",
        OpenAi,
        Body,
    ),
    post(
        "/v1/messages",
        Endpoint::Messages,
        "inference.messages",
        Anthropic,
        Body,
    ),
    post(
        "/v1/responses",
        Endpoint::Responses,
        "inference.responses",
        OpenAi,
        Body,
    ),
    post(
        "/v1/embeddings",
        Endpoint::Embeddings,
        "inference.embeddings",
        OpenAi,
        Body,
    ),
    post(
        "/v1/completions",
        Endpoint::Completions,
        "inference.completions",
        OpenAi,
        Body,
    ),
    // Whoever may send a message may count its tokens.
    post(
        "/v1/messages/count_tokens",
        Endpoint::CountTokens,
        "inference.messages",
        Anthropic,
        Body,
    ),
    get("/v1/models", Endpoint::ListModels, Nowhere),
    post(
        "/v1/audio/transcriptions",
        Endpoint::Transcriptions,
        "inference.transcriptions",
        OpenAi,
        Form,
    ),
    post(
        "/v1/audio/translations",
        Endpoint::Translations,
        "inference.translations",
        OpenAi,
        Form,
    ),
    post(
        "/v1/audio/speech",
        Endpoint::Speech,
        "inference.speech",
        OpenAi,
        Body,
    ),
    post(
        "/v1/images/generations",
        Endpoint::ImageGenerations,
        "inference.images",
        OpenAi,
        Body,
    ),
    post(
        "/v1/images/edits",
        Endpoint::ImageEdits,
        "inference.images",
        OpenAi,
        Form,
    ),
    post(
        "/v1/images/variations",
        Endpoint::ImageVariations,
        "inference.images",
        OpenAi,
        Form,
    ),
    post(
        "/v1/moderations",
        Endpoint::Moderations,
        "inference.moderations",
        OpenAi,
        Body,
    ),
    post("/v1/rerank", Endpoint::Rerank, "inference.rerank", OpenAi, Body),
    azure(
        "/openai/deployments/{model}/chat/completions",
        Endpoint::ChatCompletions,
        "inference.chat",
    ),
    azure(
        "/openai/deployments/{model}/completions",
        Endpoint::Completions,
        "inference.completions",
    ),
    azure(
        "/openai/deployments/{model}/embeddings",
        Endpoint::Embeddings,
        "inference.embeddings",
    ),
    get("/v1/models/{model}", Endpoint::GetModel, Path),
    authzen("/access/v1/evaluation", AuthZen::Evaluation),
    authzen("/access/v1/evaluations", AuthZen::Evaluations),
    authzen("/access/v1/search/subject", AuthZen::SearchSubject),
    authzen("/access/v1/search/resource", AuthZen::SearchResource),
    authzen("/access/v1/search/action", AuthZen::SearchAction),
    // The action is the one that the proxy in front names.
    Route {
        method: Method::GET,
        template: "/authz",
        endpoint: Endpoint::ForwardAuth,
        action: "",
        dialect: OpenAi,
        model: Nowhere,
    },
    // What is asked there is no secret, and whoever asks can't have a key yet.
    Route {
        method: Method::GET,
        template: "/.well-known/authzen-configuration",
        endpoint: Endpoint::AuthZenConfiguration,
        action: "",
        dialect: Dialect::AuthZen,
        model: Nowhere,
    },
];

/// Where Envoy asks, which is not on the data listener. The action is the one that the route's configuration or the path
/// of the request names.
pub static EXT_AUTHZ: Route = Route {
    method: Method::POST,
    template: "/envoy.service.auth.v3.Authorization/Check",
    endpoint: Endpoint::ExtAuthz,
    action: "",
    dialect: OpenAi,
    model: Body,
};

const fn post(
    template: &'static str,
    endpoint: Endpoint,
    action: &'static str,
    dialect: Dialect,
    model: ModelIn,
) -> Route {
    Route {
        method: Method::POST,
        template,
        endpoint,
        action,
        dialect,
        model,
    }
}

const fn azure(template: &'static str, endpoint: Endpoint, action: &'static str) -> Route {
    post(template, endpoint, action, OpenAi, Path)
}

const fn get(template: &'static str, endpoint: Endpoint, model: ModelIn) -> Route {
    Route {
        method: Method::GET,
        template,
        endpoint,
        action: "models.list",
        dialect: OpenAi,
        model,
    }
}

/// Whoever asks about others needs `access.check`; that the action in question is judged too is what it asks for.
const fn authzen(template: &'static str, question: AuthZen) -> Route {
    post(
        template,
        Endpoint::AuthZen(question),
        "access.check",
        Dialect::AuthZen,
        Nowhere,
    )
}
