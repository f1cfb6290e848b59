//! What the edge must know of a request's body, found without a full parse, and the few bytes that it may change.
//!
//! A body is read strictly: one that two JSON readers could understand differently is refused. What the fields mean
//! is left to the provider.

use std::{borrow::Cow, ops::Range};

mod keys;
pub mod multipart;
mod needs;
mod scan;
mod splice;
#[cfg(test)]
mod tests;

pub use needs::needs;
pub use scan::scan;
pub use splice::{splice, splice_form};

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 128;
/// Longest name of a model, in bytes, after unescaping.
pub const MAX_MODEL: usize = 256;

/// Where a model is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model<'b> {
    /// The name, unescaped.
    pub name: Cow<'b, str>,
    /// Its bytes in the body: in JSON with its quotes, in a form without.
    pub span: Range<usize>,
}

/// `stream_options` of a chat request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// The whole value.
    pub span: Range<usize>,
    /// The value of `include_usage` within it.
    pub include_usage: Option<Range<usize>>,
    /// Whether it is `null`, which is as good as absent.
    pub null: bool,
    /// Whether it is an object without members.
    pub empty: bool,
}

/// What was found at the top level of a JSON body. All spans are byte offsets within it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan<'b> {
    /// `model`.
    pub model: Option<Model<'b>>,
    /// `stream`; `null` and absence are false.
    pub stream: bool,
    /// `stream_options`.
    pub stream_options: Option<StreamOptions>,
    /// Whether the client itself asks for usage at the end of a stream.
    pub include_usage: bool,
    /// The largest of `max_tokens`, `max_completion_tokens` and `max_output_tokens`. `None` where no count is given, or
    /// something that is not one, which is for the provider to refuse.
    pub max_tokens: Option<u64>,
    /// `n`, likewise.
    pub n: Option<u64>,
    /// Just after the opening brace.
    pub start: usize,
    /// Whether the object has no members.
    pub empty: bool,
}

/// Why a body is refused, in a sentence for the client; all are 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, or not an object.
    #[error("The body is not a valid JSON object: {0}.")]
    NotJson(String),
    /// Not UTF-8.
    #[error("The body is not UTF-8.")]
    NotUtf8,
    /// No body at all.
    #[error("The body is empty.")]
    Empty,
    /// Nested beyond [`MAX_DEPTH`].
    #[error("The body is nested more than 128 deep.")]
    TooDeep,
    /// A field that matters is there twice, or in disguise.
    #[error("The field {0:?} is ambiguous: write it once, in lower case and without escapes.")]
    Ambiguous(&'static str),
    /// A field that matters has the wrong type.
    #[error("The field {0:?} must be {1}.")]
    WrongType(&'static str, &'static str),
    /// There is no model.
    #[error("The field \"model\" is missing.")]
    ModelMissing,
    /// The form can't be read, or in more than one way.
    #[error("The form is not valid: {0}.")]
    Form(&'static str),
}

impl Scan<'_> {
    /// The model, which most routes can't do without.
    pub fn require_model(&self) -> Result<&Model<'_>, BodyError> {
        self.model.as_ref().ok_or(BodyError::ModelMissing)
    }
}
