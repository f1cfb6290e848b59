//! What a tenant chooses about its audit: what its records survive, and for how long they are kept.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a tenant chooses about its audit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// What a record survives.
    #[serde(default, skip_serializing_if = "AuditMode::is_default")]
    pub mode: AuditMode,
    /// For how many days records are kept; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

impl AuditSettings {
    /// The fewest days: what is younger is not deleted by anybody.
    pub const FEWEST_DAYS: u32 = 2;

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a record survives once the client has its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditMode {
    /// The death of the edge's process: the record is with the kernel before the answer ends.
    #[default]
    Buffered,
    /// Power failure: that the request was made and what was decided is on disk before the answer begins, and before
    /// anything is sent to a provider. Where it can't be, the request is refused.
    Strict,
}

impl AuditMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Buffered, Self::Strict];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Strict => "strict",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for AuditMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is buffered or strict")]
pub struct NotAMode;

impl FromStr for AuditMode {
    type Err = NotAMode;

    fn from_str(text: &str) -> Result<Self, NotAMode> {
        let mut all = Self::ALL.into_iter();
        all.find(|mode| mode.as_str() == text).ok_or(NotAMode)
    }
}
