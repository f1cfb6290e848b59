//! Why a message means nothing in the domain.

use std::fmt::Display;

/// A field of a message does not hold what it must. The text is for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConversionError {
    /// The field's path in the message: `grant.selector.resources.name`.
    pub field: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
}

impl ConversionError {
    /// An error about a field, by its path.
    pub fn new(field: impl Into<String>, problem: impl Display) -> Self {
        Self {
            field: field.into(),
            problem: problem.to_string(),
        }
    }

    /// The same, seen from the message that the field's message is part of.
    pub(crate) fn within(self, outer: &str) -> Self {
        Self {
            field: format!("{outer}.{}", self.field),
            problem: self.problem,
        }
    }
}
