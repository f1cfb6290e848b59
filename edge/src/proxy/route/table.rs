//! The routes themselves. The busiest come first, since the table is searched in order.

use http::Method;

use super::{
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
];

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
