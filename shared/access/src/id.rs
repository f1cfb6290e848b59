//! Names and identifiers: what may be called what, and how it is written.
//!
//! A name is unique within its tenant and kind and never changes; it is the identity. An id is made at random
//! by whoever sends the command, never here.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::table::{self, Key};

mod name;

pub use name::Name;

/// Why a piece of text is not the name or id that it was given as. The message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    text: String,
    what: &'static str,
    rule: &'static str,
}

impl InvalidName {
    pub(crate) fn new(text: &str, what: &'static str, rule: &'static str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
            what,
            rule,
        }
    }
}

/// Twelve base62 characters: the public, loggable id of a credential, a grant or a fallback rule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id([u8; Self::LENGTH]);

impl Id {
    /// Length in characters.
    pub const LENGTH: usize = 12;
    /// The base62 alphabet, in digit order.
    pub const ALPHABET: &'static [u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// An id out of 72 random bits or more, supplied by the caller.
    pub fn from_random(random: u128) -> Self {
        let mut rest = random;
        Self(std::array::from_fn(|_| {
            let digit = usize::try_from(rest % 62).unwrap_or_default();
            rest /= 62;
            Self::ALPHABET.get(digit).copied().unwrap_or(b'0')
        }))
    }
}

impl FromStr for Id {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        <[u8; Self::LENGTH]>::try_from(text.as_bytes())
            .ok()
            .filter(|bytes| bytes.iter().all(u8::is_ascii_alphanumeric))
            .map(Self)
            .ok_or_else(|| InvalidName::new(text, "id", "an id is 12 characters of A-Z, a-z and 0-9"))
    }
}

impl TryFrom<String> for Id {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.as_str().to_owned()
    }
}

impl Key for Id {
    fn table_hash(&self) -> u32 {
        table::hash_bytes(&self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who a decision is about: written `user:alice` or `virtual-account:checkout-bot`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Principal {
    /// A person.
    User(Name),
    /// An application.
    VirtualAccount(Name),
}

impl Principal {
    /// The name, unique among principals of the same kind in the tenant.
    pub fn name(&self) -> &Name {
        match self {
            Self::User(name) | Self::VirtualAccount(name) => name,
        }
    }

    /// `user` or `virtual-account`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::VirtualAccount(_) => "virtual-account",
        }
    }
}

impl Key for Principal {
    fn table_hash(&self) -> u32 {
        match self {
            Self::User(name) => name.table_hash(),
            Self::VirtualAccount(name) => !name.table_hash(),
        }
    }
}

impl FromStr for Principal {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once(':') {
            Some(("user", name)) => Ok(Self::User(name.parse()?)),
            Some(("virtual-account", name)) => Ok(Self::VirtualAccount(name.parse()?)),
            _ => Err(InvalidName::new(
                text,
                "principal",
                "write user:NAME or virtual-account:NAME",
            )),
        }
    }
}

impl TryFrom<String> for Principal {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.to_string()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        f.write_str(":")?;
        f.write_str(self.name().as_str())
    }
}

/// The full name of a model: `provider/name`. The name may itself hold slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelId {
    text: Arc<str>,
    slash: u8,
}

impl ModelId {
    const RULE: &'static str =
        "write provider/name; the name is 1 to 160 printable characters without spaces";

    /// Puts a model's name under a provider.
    pub fn new(provider: &Name, name: &str) -> Result<Self, InvalidName> {
        format!("{provider}/{name}").parse()
    }

    /// Stands for whatever a provider's open catalogue does not list. No text is read as it.
    pub(crate) fn unlisted(provider: &Name) -> Self {
        Self {
            text: Arc::from(format!("{provider}/*")),
            // A name's length is limited.
            slash: u8::try_from(provider.as_str().len()).unwrap_or_default(),
        }
    }

    /// `provider/name`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `provider/name`, sharing the id's memory.
    pub fn shared(&self) -> Arc<str> {
        self.text.clone()
    }

    /// The part before the first slash.
    pub fn provider(&self) -> &str {
        self.text.get(..usize::from(self.slash)).unwrap_or_default()
    }

    /// The part after the first slash: the bare name.
    pub fn name(&self) -> &str {
        self.text.get(usize::from(self.slash) + 1..).unwrap_or_default()
    }
}

impl FromStr for ModelId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::new(text, "model", Self::RULE);
        let (provider, name) = text.split_once('/').ok_or_else(invalid)?;
        provider.parse::<Name>()?;
        let valid =
            (1..=160).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b'*');
        let slash = u8::try_from(provider.len()).map_err(|_| invalid())?;
        if valid {
            Ok(Self {
                text: Arc::from(text),
                slash,
            })
        } else {
            Err(invalid())
        }
    }
}

impl TryFrom<String> for ModelId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ModelId> for String {
    fn from(id: ModelId) -> Self {
        id.text.as_ref().to_owned()
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// As its text hashes, because maps are asked for a model by text ([`std::borrow::Borrow`]).
impl std::hash::Hash for ModelId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Key for ModelId {
    fn table_hash(&self) -> u32 {
        self.text.table_hash()
    }
}

impl std::borrow::Borrow<str> for ModelId {
    fn borrow(&self) -> &str {
        &self.text
    }
}

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment and so many seconds.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

/// An alias, a tag or another short text that is not a [`Name`]: 1 to 128 visible ASCII characters, no slash.
pub fn check_label(text: &str, what: &'static str) -> Result<(), InvalidName> {
    let valid = (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'/' && b != b'*');
    if valid {
        Ok(())
    } else {
        Err(InvalidName::new(
            text,
            what,
            "use 1 to 128 visible ASCII characters other than '/' and '*'",
        ))
    }
}
