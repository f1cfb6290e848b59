//! Models, aliases and fallback rules.

use std::sync::Arc;

use turnpike_access::{
    grant::Subject,
    id::{Id, ModelId, Name},
    model::{Fallback, Model, ModelProfile, Prices},
    pattern::Glob,
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, known, optional, pairs, parse, required, shown, tags, text, texts},
};

const FIELDS: &str = "upstream_name, family, environment, tags, prices, capabilities or context_tokens";

/// A model for the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewModel {
    /// `provider/name`.
    pub id: ModelId,
    /// What is known of it.
    pub profile: ModelProfile,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateModelRequest> for NewModel {
    type Error = ConversionError;

    fn try_from(request: v1::CreateModelRequest) -> Result<Self, ConversionError> {
        let v1::CreateModelRequest { model, options } = request;
        let (id, profile) = read_model(required("model", model)?)?;
        Ok(Self {
            id,
            profile,
            write: options.try_into()?,
        })
    }
}

/// What is to become of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChange {
    /// Which model.
    pub id: ModelId,
    /// How long to wait.
    pub write: Write,
    profile: ModelProfile,
    fields: Vec<String>,
}

impl TryFrom<v1::UpdateModelRequest> for ModelChange {
    type Error = ConversionError;

    fn try_from(request: v1::UpdateModelRequest) -> Result<Self, ConversionError> {
        let v1::UpdateModelRequest {
            model,
            fields,
            options,
        } = request;
        let (id, profile) = read_model(required("model", model)?)?;
        let known = |field: &&String| {
            FIELDS
                .replace(" or ", ", ")
                .split(", ")
                .any(|one| one == field.as_str())
        };
        if let Some(unknown) = fields.iter().find(|field| !known(field)) {
            return Err(ConversionError::new(
                "fields",
                format!("{unknown:?} is none; use {FIELDS}"),
            ));
        }
        Ok(Self {
            id,
            write: options.try_into()?,
            profile,
            fields,
        })
    }
}

impl ModelChange {
    /// What is known of the model after the change.
    pub fn apply(&self, from: &ModelProfile) -> ModelProfile {
        let ModelProfile {
            upstream_name,
            family,
            environment,
            tags,
            prices,
            capabilities,
            context_tokens,
        } = self.profile.clone();
        let mut to = from.clone();
        for field in &self.fields {
            match field.as_str() {
                "upstream_name" => to.upstream_name = upstream_name.clone(),
                "family" => to.family = family.clone(),
                "environment" => to.environment = environment.clone(),
                "tags" => to.tags = tags.clone(),
                "prices" => to.prices = prices,
                "capabilities" => to.capabilities = capabilities.clone(),
                "context_tokens" => to.context_tokens = context_tokens,
                // Refused when the request was read.
                _ => {}
            }
        }
        to
    }
}

fn read_model(model: v1::Model) -> Result<(ModelId, ModelProfile), ConversionError> {
    let v1::Model {
        id,
        upstream_name,
        family,
        environment,
        tags: pairs,
        prices,
        capabilities,
        context_tokens,
        created_us: _,
    } = model;
    let v1::Prices {
        input,
        output,
        cached,
    } = prices.unwrap_or_default();
    let profile = ModelProfile {
        upstream_name: known(upstream_name),
        family: optional("model.family", &family)?,
        environment: optional("model.environment", &environment)?,
        tags: tags(pairs),
        prices: Prices {
            input,
            output,
            cached,
        },
        capabilities: all("model.capabilities", capabilities)?,
        context_tokens,
    };
    Ok((parse("model.id", &id)?, profile))
}

impl From<&Model> for v1::Model {
    fn from(model: &Model) -> Self {
        let Model { id, profile, created } = model;
        let ModelProfile {
            upstream_name,
            family,
            environment,
            tags,
            prices:
                Prices {
                    input,
                    output,
                    cached,
                },
            capabilities,
            context_tokens,
        } = profile;
        Self {
            id: id.to_string(),
            upstream_name: text(upstream_name.as_ref()),
            family: shown(family.as_ref()),
            environment: shown(environment.as_ref()),
            tags: pairs(tags),
            prices: Some(v1::Prices {
                input: *input,
                output: *output,
                cached: *cached,
            }),
            capabilities: texts(capabilities),
            context_tokens: *context_tokens,
            created_us: created.as_micros(),
        }
    }
}

/// An alias that is to mean a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAlias {
    /// The alias.
    pub alias: Arc<str>,
    /// What it is to mean.
    pub target: ModelId,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::SetAliasRequest> for SetAlias {
    type Error = ConversionError;

    fn try_from(request: v1::SetAliasRequest) -> Result<Self, ConversionError> {
        let v1::SetAliasRequest { alias, options } = request;
        let v1::Alias { name, target } = required("alias", alias)?;
        Ok(Self {
            alias: required("alias.name", known(name))?,
            target: parse("alias.target", &target)?,
            write: options.try_into()?,
        })
    }
}

impl From<(&Arc<str>, &ModelId)> for v1::Alias {
    fn from((name, target): (&Arc<str>, &ModelId)) -> Self {
        Self {
            name: name.to_string(),
            target: target.to_string(),
        }
    }
}

/// A fallback rule to be made; its id is the server's to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFallback {
    /// How long to wait.
    pub write: Write,
    from: Glob,
    to: ModelId,
    teams: Vec<Name>,
    groups: Vec<Subject>,
    over_budget: bool,
}

impl NewFallback {
    /// The rule under an id.
    pub fn with_id(self, id: Id) -> Fallback {
        Fallback {
            id,
            from: self.from,
            to: self.to,
            teams: self.teams,
            groups: self.groups,
            over_budget: self.over_budget,
        }
    }
}

impl TryFrom<v1::CreateFallbackRequest> for NewFallback {
    type Error = ConversionError;

    fn try_from(request: v1::CreateFallbackRequest) -> Result<Self, ConversionError> {
        let v1::CreateFallbackRequest { fallback, options } = request;
        let v1::Fallback {
            id: _,
            from,
            to,
            teams,
            groups,
            over_budget,
        } = required("fallback", fallback)?;
        Ok(Self {
            write: options.try_into()?,
            from: parse("fallback.from", &from)?,
            to: parse("fallback.to", &to)?,
            teams: all("fallback.teams", teams)?,
            groups: all("fallback.groups", groups)?,
            over_budget,
        })
    }
}

impl From<&Fallback> for v1::Fallback {
    fn from(rule: &Fallback) -> Self {
        let Fallback {
            id,
            from,
            to,
            teams,
            groups,
            over_budget,
        } = rule;
        Self {
            id: id.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            teams: texts(teams),
            groups: texts(groups),
            over_budget: *over_budget,
        }
    }
}
