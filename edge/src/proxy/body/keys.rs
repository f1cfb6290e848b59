//! Telling the fields that matter from all others, whatever they are disguised as.

/// The fields that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Model,
    Stream,
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    N,
    IncludeUsage,
}

impl Field {
    /// At the top level of a body.
    pub(super) const TOP: &[Self] = &[
        Self::Model,
        Self::Stream,
        Self::StreamOptions,
        Self::MaxTokens,
        Self::MaxCompletionTokens,
        Self::MaxOutputTokens,
        Self::N,
    ];
    /// Within `stream_options`.
    pub(super) const OPTIONS: &[Self] = &[Self::IncludeUsage];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::N => "n",
            Self::IncludeUsage => "include_usage",
        }
    }

    /// The field that a reader which ignores case (Go's, for one) takes a key for.
    pub(super) fn folded(key: &str, among: &[Self]) -> Option<Self> {
        among.iter().copied().find(|field| same_folded(key, field.name()))
    }

    pub(super) fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Case folding as Go's `encoding/json` does it: ASCII, the long s and the Kelvin sign.
pub(super) fn same_folded(key: &str, name: &str) -> bool {
    // No folded character is longer than three bytes, so that most keys are told apart by length.
    if key.len() < name.len() || key.len() > name.len() * 3 {
        return false;
    }
    let folded = key.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(name.chars())
}
