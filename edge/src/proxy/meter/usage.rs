//! The shapes in which providers tell token counts. Lenient: a count that is none is not reported.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, Visitor},
};
use turnpike_access::audit::Usage;

use crate::proxy::route::Endpoint;

/// The parts of an answer, or of a stream's event, that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) usage: Option<Counts>,
    /// How many choices; only emptiness matters.
    pub(super) choices: Option<Vec<IgnoredAny>>,
    /// Anthropic's `message_start` wraps the answer in this,
    #[serde(borrow)]
    pub(super) message: Option<Inner<'a>>,
    /// and the Responses API in this.
    #[serde(borrow)]
    pub(super) response: Option<Inner<'a>>,
}

/// An answer within an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Inner<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) usage: Option<Counts>,
}

/// The union of what OpenAI (chat, embeddings, responses) and Anthropic call their counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    prompt_tokens: Count,
    completion_tokens: Count,
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    #[serde(alias = "input_tokens_details")]
    prompt_tokens_details: Option<Details>,
    #[serde(alias = "output_tokens_details")]
    completion_tokens_details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Count,
    reasoning_tokens: Count,
}

impl Counts {
    /// Takes over what is told here; what is not told stays. Later counts of a stream are cumulative.
    pub(super) fn add_to(&self, usage: &mut Usage, endpoint: Endpoint) {
        let (input, cached) = if endpoint == Endpoint::Messages {
            let (read, created) = (self.cache_read_input_tokens.0, self.cache_creation_input_tokens.0);
            // Anthropic counts cached tokens beside the input, we count them within it.
            let beside = read.unwrap_or(0).saturating_add(created.unwrap_or(0));
            (
                self.input_tokens.0.map(|input| input.saturating_add(beside)),
                read,
            )
        } else {
            let details = self.prompt_tokens_details.as_ref();
            (
                self.prompt_tokens.0.or(self.input_tokens.0),
                details.and_then(|details| details.cached_tokens.0),
            )
        };
        let details = self.completion_tokens_details.as_ref();
        usage.input = input.or(usage.input);
        usage.cached = cached.or(usage.cached);
        usage.output = self.completion_tokens.0.or(self.output_tokens.0).or(usage.output);
        usage.reasoning = details
            .and_then(|details| details.reasoning_tokens.0)
            .or(usage.reasoning);
    }
}

/// A count; anything but a non-negative integer is "not reported".
#[derive(Debug, Default, Clone, Copy)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(Count(Some(count)))
    }

    fn visit_i64<E>(self, _negative: i64) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_f64<E>(self, _fraction: f64) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_str<E>(self, _text: &str) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }
}
