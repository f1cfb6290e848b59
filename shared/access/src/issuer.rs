//! Issuers: whose tokens a tenant accepts, and how a token's claims become a principal and its groups.
//!
//! Fetching keys and verifying signatures is for others; here is what was decided about an issuer.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    id::{InvalidName, Name, Principal, Timestamp},
    log::Position,
};

/// The issuer's name under which a tenant's Turnpike tokens stand, in revocations, conditions and the audit.
pub const OWN: &str = "turnpike";

/// The most that clocks may differ, in seconds.
pub const LONGEST_SKEW: u32 = 60;

/// A signature algorithm that may be accepted (RFC 7518, section 3.1; RFC 8037). There is no `none` and no HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// As it is written in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

impl FromStr for Algorithm {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const RULE: &str = "use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA";
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| InvalidName::new(text, "algorithm", RULE))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a claim is: `groups`, or a JSON Pointer into nested ones (RFC 6901): `/realm_access/roles`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimPath(Arc<str>);

impl ClaimPath {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there. Text that begins with `/` is a pointer; any other is the name of a claim, dots and all.
    pub fn find<'c>(&self, claims: &'c serde_json::Value) -> Option<&'c serde_json::Value> {
        match self.0.starts_with('/') {
            true => claims.pointer(&self.0),
            false => claims.get(self.0.as_ref()),
        }
    }

    /// The texts that stand there: one, an array of them, or several separated by spaces as in `scope`.
    pub fn texts<'c>(&self, claims: &'c serde_json::Value) -> Vec<&'c str> {
        match self.find(claims) {
            Some(serde_json::Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(serde_json::Value::Array(all)) => all.iter().filter_map(|one| one.as_str()).collect(),
            _ => Vec::new(),
        }
    }
}

impl FromStr for ClaimPath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const RULE: &str =
            "write the claim's name, or a JSON Pointer such as /realm_access/roles, of up to 256 bytes";
        let valid = !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
        if valid {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidName::new(text, "claim", RULE))
        }
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ClaimPath> for String {
    fn from(path: ClaimPath) -> Self {
        path.0.as_ref().to_owned()
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an issuer's tokens are verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verification {
    /// JWTs; the keys are where `<issuer>/.well-known/openid-configuration` says, or RFC 8414's document.
    Discovery {},
    /// JWTs; the keys are at this URL.
    Jwks {
        /// Of a JSON Web Key Set (RFC 7517).
        url: Arc<str>,
    },
    /// JWTs; the keys are these.
    Keys {
        /// A JSON Web Key Set (RFC 7517), as JSON text.
        jwks: Arc<str>,
    },
    /// Opaque tokens: the issuer is asked (RFC 7662).
    Introspection {
        /// Of the introspection endpoint.
        url: Arc<str>,
        /// Turnpike's own client id there.
        client_id: Arc<str>,
        /// Turnpike's own client secret there, sealed under the keyring.
        sealed_secret: Arc<str>,
    },
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PrincipalRule {
    /// The account whose profile lists `<issuer's name>/<the claim>` among its subjects.
    Subject {},
    /// The user with the e-mail address that the claim holds; `email_verified` must be true where it is present.
    Email {},
    /// The user, or virtual account, whose name the claim holds.
    Name {
        /// Whether it is a virtual account's.
        #[serde(default)]
        virtual_account: bool,
    },
    /// Always the same: the required claims say whose tokens these are.
    Fixed {
        /// Whose.
        principal: Principal,
    },
}

/// What a user is who is not recorded yet: served by these defaults, and recorded when first seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JustInTime {
    /// The teams that such users are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Name>,
}

/// What was decided about an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerProfile {
    /// Exactly what stands in `iss`.
    pub url: Arc<str>,
    /// How its tokens are verified.
    pub verification: Verification,
    /// One of these must stand in `aud`. Never empty.
    pub audiences: Vec<Arc<str>>,
    /// What its keys may sign with; each key signs with its own algorithm alone.
    pub algorithms: Vec<Algorithm>,
    /// The claim that says who it is: `sub`.
    pub claim: ClaimPath,
    /// Who that is.
    pub principal: PrincipalRule,
    /// Users that are not recorded yet are served by these defaults; absent: they are not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub just_in_time: Option<JustInTime>,
    /// The claims that hold groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ClaimPath>,
    /// Claims that must be there with one of these texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<ClaimPath, Vec<Arc<str>>>,
    /// How far clocks may differ, in seconds; at most [`LONGEST_SKEW`].
    #[serde(default)]
    pub leeway_seconds: u32,
    /// Only access tokens of RFC 9068: `typ` is `at+jwt`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub access_tokens_only: bool,
    /// Tokens that are bound to a key of their sender (`cnf`, RFC 7800) are accepted from whoever presents them: somebody
    /// before the edge has checked the binding. Otherwise they are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_sender_constrained: bool,
}

impl IssuerProfile {
    /// The user that is served where no account is found by the claim, if the issuer has such.
    pub fn newcomer(&self, claim: &str) -> Option<Principal> {
        self.just_in_time.as_ref()?;
        let name = match self.principal {
            PrincipalRule::Subject {} | PrincipalRule::Email {} => claim.to_ascii_lowercase().parse(),
            // The account of that very name is looked for at the next request.
            PrincipalRule::Name {
                virtual_account: false,
            } => claim.parse(),
            PrincipalRule::Name {
                virtual_account: true,
            }
            | PrincipalRule::Fixed { .. } => return None,
        };
        name.ok().map(Principal::User)
    }
}

/// An issuer as it is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Unique in the tenant.
    pub name: Name,
    /// What was decided about it.
    pub profile: IssuerProfile,
    /// When it was made.
    pub created: Timestamp,
    /// Where it was last changed: what was verified by what stood here before is verified anew.
    pub revision: Position,
}

/// Which tokens of an issuer are dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenMatch {
    /// The one with this `jti`.
    Id {
        /// `jti`.
        id: Arc<str>,
    },
    /// Those of this `sub`, issued before the moment.
    Subject {
        /// `sub`.
        subject: Arc<str>,
        /// `iat` before this.
        issued_before: Timestamp,
    },
    /// All that were issued before the moment.
    All {
        /// `iat` before this.
        issued_before: Timestamp,
    },
}

/// The dead tokens of one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    /// By `jti`.
    #[serde(default)]
    pub ids: BTreeMap<Arc<str>, Timestamp>,
    /// By `sub`: those issued before.
    #[serde(default)]
    pub subjects: BTreeMap<Arc<str>, Timestamp>,
    /// Those issued before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

impl Revocations {
    /// Adds to the dead; nothing comes back to life.
    pub(crate) fn add(&mut self, tokens: TokenMatch, now: Timestamp) {
        match tokens {
            TokenMatch::Id { id } => {
                self.ids.insert(id, now);
            }
            TokenMatch::Subject {
                subject,
                issued_before,
            } => {
                let held = self.subjects.entry(subject).or_insert(issued_before);
                *held = issued_before.max(*held);
            }
            TokenMatch::All { issued_before } => {
                self.issued_before = self.issued_before.max(Some(issued_before))
            }
        }
    }

    /// Whether these are among the dead already.
    pub(crate) fn include(&self, tokens: &TokenMatch) -> bool {
        match tokens {
            TokenMatch::Id { id } => self.ids.contains_key(id),
            TokenMatch::Subject {
                subject,
                issued_before,
            } => self
                .subjects
                .get(subject)
                .is_some_and(|held| held >= issued_before),
            TokenMatch::All { issued_before } => {
                self.issued_before.is_some_and(|held| held >= *issued_before)
            }
        }
    }

    /// Whether a token is among the dead.
    pub fn cover(&self, id: Option<&str>, subject: &str, issued: Timestamp) -> bool {
        let Self {
            ids,
            subjects,
            issued_before,
        } = self;
        id.is_some_and(|id| ids.contains_key(id))
            || subjects.get(subject).is_some_and(|before| issued < *before)
            || issued_before.is_some_and(|before| issued < before)
    }
}

/// A public key of Turnpike's own tokens (Ed25519). The private half is sealed in the control plane's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// `kid`.
    pub id: Arc<str>,
    /// `iss` of the tokens that it signs.
    pub issuer: Arc<str>,
    /// The 32 bytes of the public key, base64url without padding: `x` of its JWK (RFC 8037).
    pub public_key: Arc<str>,
    /// Since when it signs. The newest key signs; the others verify what they signed.
    pub created: Timestamp,
}
