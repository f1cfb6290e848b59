//! What a request needs of a model that stands in for another: its dialect, what it must be able to do, and room.
//!
//! Nobody can ask for a substitute what it can't answer. A model that declares nothing is tried: where it lists
//! capabilities, they must include what is needed; where it says how much fits, that must fit.

use std::fmt;

use crate::{
    decide::Reason,
    id::{Id, ModelId},
    model::{Fallback, ProviderKind},
    resolve::ResolvedModel,
};

/// What a model may be able to do, as its capabilities name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Calling the client's functions.
    Tools,
    /// Pictures in the prompt.
    Vision,
    /// Answers in JSON, or by a schema.
    Json,
}

impl Capability {
    /// Every one that a request can need.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Vision, Self::Json];

    /// As a model's capabilities have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Json => "json",
        }
    }
}

/// What a request needs, as far as it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// What the model must be able to do.
    pub capabilities: Vec<Capability>,
    /// Prompt and answer together, in tokens: an estimate.
    pub context_tokens: Option<u64>,
}

/// A fallback rule that was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The rule.
    pub rule: Id,
    /// The model that it names.
    pub to: ModelId,
    /// Why not.
    pub why: Unfit,
}

/// Why a rule was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is for members of other teams, or groups.
    OtherPeople,
    /// The model that it names is not there.
    Missing,
    /// The caller may not use that model either.
    Denied(Reason),
    /// That model is spoken to in another way than the client speaks.
    Dialect,
    /// That model is not listed with something that the request needs.
    Lacks(Capability),
    /// The request does not fit into that model.
    TooLong {
        /// Estimated.
        needed: u64,
        /// What fits.
        fits: u64,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherPeople => f.write_str("it is for members of other teams or groups"),
            Self::Missing => f.write_str("the model that it names is not there"),
            Self::Denied(reason) => write!(f, "its model is not allowed either: {}", reason.sentence()),
            Self::Dialect => f.write_str("its model is spoken to in another dialect than the client's"),
            Self::Lacks(capability) => {
                write!(
                    f,
                    "its model is not listed with {}, which the request needs",
                    capability.as_str()
                )
            }
            Self::TooLong { needed, fits } => {
                write!(
                    f,
                    "its model takes {fits} tokens, the request needs {needed} by estimate"
                )
            }
        }
    }
}

/// Whether a provider of a kind is asked for an action in the way in which its clients speak. Bodies are not translated.
pub fn speaks(kind: ProviderKind, action: &str) -> bool {
    match (kind, action) {
        (ProviderKind::Anthropic, "inference.messages") => true,
        (ProviderKind::Anthropic, _) | (_, "inference.messages") => false,
        (ProviderKind::AzureOpenai, "inference.responses") => false,
        _ => true,
    }
}

impl Needs {
    /// All that a request may need, with and without more room than any model has.
    pub(crate) fn all() -> Vec<Self> {
        let every = 0..1_usize << Capability::ALL.len();
        let subset = |bits: usize| {
            let among = Capability::ALL.into_iter().enumerate();
            among.filter_map(move |(place, one)| (bits >> place & 1 == 1).then_some(one))
        };
        let with = |room: Option<u64>| {
            every.clone().map(move |bits| Self {
                capabilities: subset(bits).collect(),
                context_tokens: room,
            })
        };
        with(None).chain(with(Some(u64::MAX))).collect()
    }

    /// What of the needs a model, as listed, surely lacks.
    pub(crate) fn unmet(&self, model: &ResolvedModel<'_>) -> Option<Unfit> {
        let profile = &model.listed?.profile;
        let listed = |capability: &Capability| {
            let mut named = profile.capabilities.iter();
            named.any(|name| name.as_str() == capability.as_str())
        };
        let mut needed = self
            .capabilities
            .iter()
            .filter(|_| !profile.capabilities.is_empty());
        if let Some(lacking) = needed.find(|one| !listed(one)) {
            return Some(Unfit::Lacks(*lacking));
        }
        let (needed, fits) = self.context_tokens.zip(profile.context_tokens)?;
        (needed > fits).then_some(Unfit::TooLong { needed, fits })
    }
}

impl Fallback {
    pub(crate) fn passed_over(&self, why: Unfit) -> PassedOver {
        PassedOver {
            rule: self.id,
            to: self.to.clone(),
            why,
        }
    }
}
