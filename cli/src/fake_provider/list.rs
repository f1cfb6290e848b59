//! The list of models, in OpenAI's and in Anthropic's dialect.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json, response::IntoResponse};
use serde_json::{Value, json};

use super::Provider;
use super::asked::Asked;
use super::chat::CREATED;

pub(super) async fn models(
    State(provider): State<Arc<Provider>>,
    Extension(asked): Extension<Arc<Asked>>,
) -> Json<Value> {
    let names = &provider.settings.models;
    let data: Vec<Value> = names.iter().map(|name| entry(&asked, name)).collect();
    Json(if asked.is_anthropic() {
        json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
    } else {
        json!({"object": "list", "data": data})
    })
}

/// Every model exists, since every model is served.
pub(super) async fn model(Path(name): Path<String>, Extension(asked): Extension<Arc<Asked>>) -> Response {
    Json(entry(&asked, &name)).into_response()
}

fn entry(asked: &Asked, name: &str) -> Value {
    if asked.is_anthropic() {
        json!({"type": "model", "id": name, "display_name": name, "created_at": "2023-11-14T22:13:20Z"})
    } else {
        json!({"id": name, "object": "model", "created": CREATED, "owned_by": "fake"})
    }
}
