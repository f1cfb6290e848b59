//! Providers and the models they serve, aliases and fallback rules.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    grant::Subject,
    id::{Id, InvalidName, ModelId, Name, Timestamp},
    pattern::{Glob, Tags},
};

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// OpenAI, and every server that speaks like it: vLLM, Ollama, Mistral …
    Openai,
    /// Azure OpenAI: deployments in the path, `api-key`, `api-version`.
    AzureOpenai,
    /// Anthropic's Messages API.
    Anthropic,
}

impl ProviderKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Openai, Self::AzureOpenai, Self::Anthropic];

    /// As it is written in commands and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::AzureOpenai => "azure-openai",
            Self::Anthropic => "anthropic",
        }
    }
}

impl FromStr for ProviderKind {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| InvalidName::new(text, "provider kind", "use openai, azure-openai or anthropic"))
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which models of a provider exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catalogue {
    /// Any name may be asked for under the provider, and is judged by name alone unless it is listed.
    #[default]
    Open,
    /// Only listed models exist.
    Closed,
}

/// An integration with an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderProfile {
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// Where it is, with `/v1` where the vendor's own SDK has it: `https://api.openai.com/v1`.
    pub base_url: Arc<str>,
    /// Its secret, sealed under the keyring; absent for servers that want none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secret: Option<Arc<str>>,
    /// Azure's `api-version`, where the client does not name one; Anthropic's `anthropic-version` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<Arc<str>>,
    /// Which of its models exist.
    #[serde(default)]
    pub catalogue: Catalogue,
    /// Its own, and those of its models where they have no such key.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Whether, and as what, it is told in a signed header who calls. Absent: it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityHeader>,
}

/// What a provider is told of who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityHeader {
    /// Its name in `aud`; absent: its base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Arc<str>>,
}

/// A provider as it is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Unique in the tenant; the first part of its models' names.
    pub name: Name,
    /// How to reach it.
    pub profile: ProviderProfile,
    /// When it was made.
    pub created: Timestamp,
    /// Changes with every update, so that an edge can tell a pooled connection's or opened secret's age.
    pub revision: u64,
}

/// What a million tokens cost, in millionths of a US dollar. `None` is "not known", which is not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Completion tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Prompt tokens read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
}

/// What is known of a model, beside its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelProfile {
    /// The name that the provider knows it by, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_name: Option<Arc<str>>,
    /// `gpt-4`, `claude` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Name>,
    /// `production`, `staging` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// `customer:tenantA` …
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// What it costs.
    #[serde(default)]
    pub prices: Prices,
    /// `tools`, `vision`, `streaming` …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Name>,
    /// The longest prompt and answer together, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
}

/// A model of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `provider/name`.
    pub id: ModelId,
    /// What is known of it.
    pub profile: ModelProfile,
    /// When it was made.
    pub created: Timestamp,
}

/// "Who is not allowed one of these gets that": tried when a request was denied. Or "whose budget is spent gets that".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Its id.
    pub id: Id,
    /// Which models it stands in for.
    pub from: Glob,
    /// What is tried in their place.
    pub to: ModelId,
    /// Only for members of these teams, or of the groups, where any of either is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Name>,
    /// Only for those whose verified token carries one of these groups, or who are in one of the teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Subject>,
    /// For those whose budget is spent, and not for those who are not allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_budget: bool,
}
