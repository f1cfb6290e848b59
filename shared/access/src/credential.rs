//! Keys: how they are written, and what is kept of them.
//!
//! A full key is `tp_pat_<id>_<secret>_<check>` or `tp_va_…`. Only its id and a digest of its secret are kept.

use std::{fmt, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    digest::KeyDigest,
    id::{Id, Name, Principal, Timestamp},
    pattern::Glob,
    tenant::CredentialPolicy,
};

/// Whose key it is, as its prefix says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `tp_pat_`: a user's personal access token.
    PersonalAccessToken,
    /// `tp_va_`: a virtual account's key.
    VirtualAccount,
}

impl KeyKind {
    /// The kind of key that a principal of this kind has.
    pub fn of(owner: &Principal) -> Self {
        match owner {
            Principal::User(_) => Self::PersonalAccessToken,
            Principal::VirtualAccount(_) => Self::VirtualAccount,
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::PersonalAccessToken => "tp_pat_",
            Self::VirtualAccount => "tp_va_",
        }
    }
}

/// Number of base62 characters of a secret: 43, that is 256 bits.
pub const SECRET_LENGTH: usize = 43;
const CHECK_LENGTH: usize = 6;

/// The bytes of a full key, of each kind.
pub const KEY_LENGTHS: [usize; 2] = [
    key_length(KeyKind::PersonalAccessToken),
    key_length(KeyKind::VirtualAccount),
];

const fn key_length(kind: KeyKind) -> usize {
    kind.prefix().len() + Id::LENGTH + 1 + SECRET_LENGTH + 1 + CHECK_LENGTH
}

/// The text is not a key of ours, or was mistyped: its form or its checksum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed key")]
pub struct MalformedKey;

/// A key as somebody presents it. `Debug` shows the id alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PresentedKey<'a> {
    kind: KeyKind,
    id: Id,
    secret: &'a str,
}

impl<'a> PresentedKey<'a> {
    /// Takes a key apart; its checksum is verified before anything is looked up. Allocates nothing.
    pub fn parse(text: &'a str) -> Result<Self, MalformedKey> {
        let kind = [KeyKind::PersonalAccessToken, KeyKind::VirtualAccount]
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(MalformedKey)?;
        let (body, check) = text.rsplit_once('_').ok_or(MalformedKey)?;
        let (id, secret) = body
            .get(kind.prefix().len()..)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(MalformedKey)?;
        let well_formed = secret.len() == SECRET_LENGTH && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        if !well_formed || check.as_bytes() != checksum(body) {
            return Err(MalformedKey);
        }
        Ok(Self {
            kind,
            id: id.parse().map_err(|_| MalformedKey)?,
            secret,
        })
    }

    /// Whose key it says it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public id.
    pub fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn secret(&self) -> &'a str {
        self.secret
    }
}

impl fmt::Debug for PresentedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_…", self.kind.prefix(), self.id)
    }
}

/// Writes the full key, the only time it exists: `secret` is [`SECRET_LENGTH`] random base62 characters.
pub fn write_key(kind: KeyKind, id: Id, secret: &str) -> String {
    let mut key = format!("{}{id}_{secret}", kind.prefix());
    let check = checksum(&key);
    key.push('_');
    key.extend(check.iter().map(|&digit| char::from(digit)));
    key
}

/// CRC-32 (IEEE) of the text, as six base62 digits, the highest first.
fn checksum(body: &str) -> [u8; CHECK_LENGTH] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECK_LENGTH];
    for digit in digits.iter_mut().rev() {
        let value = usize::try_from(rest % 62).unwrap_or_default();
        *digit = Id::ALPHABET.get(value).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

/// What a credential is narrowed to. Every part that is given must hold; a scope never adds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Models `provider/name`, one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Glob>,
    /// Actions, one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Glob>,
    /// Environments, one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Name>,
    /// The client's network, one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
}

/// Whether a credential opens anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CredentialStatus {
    /// It does.
    Active,
    /// Not until it is resumed.
    Suspended,
    /// Never again.
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why, in the words of whoever did it.
        reason: Arc<str>,
    },
}

/// The version before the last rotation, while both work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousVersion {
    /// Its digest.
    pub digest: KeyDigest,
    /// Until when it works.
    pub until: Timestamp,
}

/// All that is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Public and loggable.
    pub id: Id,
    /// The owner's tenant.
    pub tenant: Name,
    /// Whose key it is.
    pub owner: Principal,
    /// Digest of the secret.
    pub digest: KeyDigest,
    /// The version before, for a while after a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<PreviousVersion>>,
    /// What it is narrowed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Box<Scope>>,
    /// When it stops working by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Whether it opens anything.
    pub status: CredentialStatus,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: Arc<str>,
    /// What its maker calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// When it got its present secret, where that is not its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Timestamp>,
    /// What its owner was warned of, since its present secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// It opens nothing, and was laid out for whoever should not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoy: Option<Decoy>,
    /// The last time that it was suspended, over or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Box<Suspension>>,
    /// Its present secret, which Turnpike made by itself, was handed over.
    #[serde(default, skip_serializing_if = "is_false")]
    pub handed_over: bool,
    /// Why it was made, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
}

/// A suspension of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Why, in the words of whoever did it.
    pub reason: Arc<str>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Timestamp>,
}

/// What is known of a decoy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoy {
    /// When it was first used, and the alert raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

/// How a secret that Turnpike made by itself came to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandOver {
    /// It was picked up by whoever is the event's actor.
    PickUp,
    /// The tenant's webhook took it.
    Webhook,
}

/// What the owner of a credential is warned of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// Its secret is to be changed soon.
    RotationDue,
    /// It has not been used for long.
    Unused,
    /// It ends soon by itself.
    Expiring,
}

impl Warning {
    /// One word for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RotationDue => "rotation_due",
            Self::Unused => "unused",
            Self::Expiring => "expiring",
        }
    }
}

impl Credential {
    /// A credential as it is made: it is narrowed to nothing, and never expires by itself.
    pub fn new(
        id: Id,
        tenant: Name,
        owner: Principal,
        digest: KeyDigest,
        created: (Timestamp, Arc<str>),
    ) -> Self {
        let (created, created_by) = created;
        Self {
            id,
            tenant,
            owner,
            digest,
            previous: None,
            scope: None,
            expires: None,
            status: CredentialStatus::Active,
            created,
            created_by,
            label: None,
            rotated: None,
            warnings: Vec::new(),
            decoy: None,
            suspension: None,
            handed_over: false,
            reason: None,
        }
    }

    /// When it stops working by itself: its own end, or the longest life that its tenant permits, if that is earlier.
    pub fn end(&self, policy: &CredentialPolicy) -> Option<Timestamp> {
        let longest = policy
            .max_lifetime_seconds
            .map(|life| self.created.plus_seconds(life.into()));
        match (self.expires, longest) {
            (Some(own), Some(longest)) => Some(own.min(longest)),
            (own, longest) => own.or(longest),
        }
    }

    /// Since when it has its present secret.
    pub fn secret_since(&self) -> Timestamp {
        self.rotated.unwrap_or(self.created)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg";

    #[test]
    fn a_key_that_was_written_can_be_read() {
        let id = "abcDEF123456".parse().unwrap();
        let text = write_key(KeyKind::VirtualAccount, id, SECRET);
        assert!(text.starts_with("tp_va_abcDEF123456_0123"), "{text}");
        let key = PresentedKey::parse(&text).unwrap();
        assert_eq!(
            (key.kind(), key.id(), key.secret()),
            (KeyKind::VirtualAccount, id, SECRET)
        );
    }

    #[test]
    fn the_checksum_is_the_one_that_the_format_fixes() {
        // CRC-32("123456789") is 0xCBF43926 = 3421780262, worked out by hand in base62.
        assert_eq!(&checksum("123456789"), b"3jZRME");
    }

    #[test]
    fn a_presented_key_shows_only_its_id() {
        let text = write_key(
            KeyKind::PersonalAccessToken,
            "abcDEF123456".parse().unwrap(),
            SECRET,
        );
        assert_eq!(
            format!("{:?}", PresentedKey::parse(&text).unwrap()),
            "tp_pat_abcDEF123456_…"
        );
    }

    proptest! {
        #[test]
        fn any_single_changed_character_is_noticed(place in 0usize..72, other in proptest::char::range('!', '~')) {
            let text = write_key(KeyKind::PersonalAccessToken, "abcDEF123456".parse().unwrap(), SECRET);
            let mut changed: Vec<char> = text.chars().collect();
            if let Some(one) = changed.get_mut(place) {
                if *one == other { return Ok(()); }
                *one = other;
            } else { return Ok(()); }
            let changed: String = changed.into_iter().collect();
            prop_assert_eq!(PresentedKey::parse(&changed), Err(MalformedKey));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,120}") {
            let _ = PresentedKey::parse(&text);
        }
    }
}
