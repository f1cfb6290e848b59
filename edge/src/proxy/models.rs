//! `GET /v1/models`: what this caller may use, told by the same decision that enforces it.

use bytes::Bytes;
use serde::Serialize;
use turnpike_access::{
    authenticate::Caller,
    choose::may_use,
    grant::Circumstances,
    listing::usable,
    resolve::{ResolvedModel, resolve},
    snapshot::Snapshot,
};

use super::{judge::unresolved, reject::Refusal};

/// Which list a client expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    OpenAi,
    /// It sent `anthropic-version`.
    Anthropic,
}

#[derive(Serialize)]
struct OpenAiModel<'m> {
    id: &'m str,
    object: &'static str,
    /// Seconds since the epoch.
    created: i64,
    owned_by: &'m str,
}

#[derive(Serialize)]
struct AnthropicModel<'m> {
    r#type: &'static str,
    id: &'m str,
    display_name: &'m str,
    created_at: String,
}

#[derive(Serialize)]
struct OpenAiList<T> {
    object: &'static str,
    data: Vec<T>,
}

#[derive(Serialize)]
struct AnthropicList<'m, T> {
    data: Vec<T>,
    has_more: bool,
    first_id: Option<&'m str>,
    last_id: Option<&'m str>,
}

/// The list.
pub(super) fn list(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    circumstances: Circumstances<'_>,
    shape: Shape,
) -> Bytes {
    let found: Vec<_> = usable(snapshot, caller, circumstances).collect();
    match shape {
        Shape::OpenAi => json(&OpenAiList {
            object: "list",
            data: found.iter().map(openai).collect(),
        }),
        Shape::Anthropic => json(&AnthropicList {
            data: found.iter().map(anthropic).collect(),
            has_more: false,
            first_id: found.first().map(|model| model.id.as_str()),
            last_id: found.last().map(|model| model.id.as_str()),
        }),
    }
}

/// One model, as if there were none where the caller may not use it.
pub(super) fn get(
    snapshot: &Snapshot,
    caller: &Caller<'_>,
    circumstances: Circumstances<'_>,
    shape: Shape,
    requested: &str,
) -> Result<Bytes, Refusal> {
    let model = resolve(snapshot, caller.tenant, requested, None).map_err(unresolved)?;
    if !may_use(snapshot, caller, circumstances, &model) {
        return Err(Refusal::ModelNotFound { reason: "no_grant" });
    }
    Ok(match shape {
        Shape::OpenAi => json(&openai(&model)),
        Shape::Anthropic => json(&anthropic(&model)),
    })
}

fn openai<'m>(model: &'m ResolvedModel<'_>) -> OpenAiModel<'m> {
    let created = created_us(model).div_euclid(1_000_000);
    OpenAiModel {
        id: model.id.as_str(),
        object: "model",
        created,
        owned_by: model.id.provider(),
    }
}

fn anthropic<'m>(model: &'m ResolvedModel<'_>) -> AnthropicModel<'m> {
    let created_at = jiff::Timestamp::from_microsecond(created_us(model)).unwrap_or_default();
    AnthropicModel {
        r#type: "model",
        id: model.id.as_str(),
        display_name: model.id.name(),
        created_at: created_at.to_string(),
    }
}

fn created_us(model: &ResolvedModel<'_>) -> i64 {
    model
        .listed
        .map_or(model.provider.created, |listed| listed.created)
        .as_micros()
}

fn json(value: &impl Serialize) -> Bytes {
    // Strings and numbers can't fail to be written.
    serde_json::to_vec(value).unwrap_or_default().into()
}
