//! The names that people give: of tenants, teams, users, virtual accounts, roles, providers.

use std::{cmp, fmt, hash, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::InvalidName;
use crate::table::Key;

/// The name of a tenant, team, user, virtual account, role, provider, environment or family.
///
/// 1 to 64 characters of `a-z 0-9 . _ @ + -`, starting with a letter or a digit. Cheap to clone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name {
    text: Arc<str>,
    /// Kept beside the text, so that a name is looked up and compared without reading it.
    hash: u32,
}

impl Name {
    const RULE: &'static str =
        "use 1 to 64 of a-z, 0-9, '.', '_', '@', '+' and '-', starting with a letter or a digit";

    /// The operators' own tenant.
    pub fn platform() -> Self {
        Self::of("platform")
    }

    /// The issuer of Turnpike's own tokens, in every tenant.
    pub fn turnpike() -> Self {
        Self::of(crate::issuer::OWN)
    }

    fn of(text: &str) -> Self {
        Self {
            text: Arc::from(text),
            hash: text.table_hash(),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as text that shares the name's memory.
    pub fn shared(&self) -> Arc<str> {
        self.text.clone()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let valid = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'@' | b'+' | b'-')
            });
        if valid {
            Ok(Self::of(text))
        } else {
            Err(InvalidName::new(text, "name", Self::RULE))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.text.as_ref().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }
}

impl Eq for Name {}

/// As its text hashes, because maps are asked for a name by text ([`std::borrow::Borrow`]).
impl hash::Hash for Name {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl Key for Name {
    fn table_hash(&self) -> u32 {
        self.hash
    }
}
