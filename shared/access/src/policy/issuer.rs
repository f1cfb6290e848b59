//! An issuer in a policy file: the domain's, without the secret that may be in it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::entry::{Held, Secret};
use crate::{
    id::Name,
    issuer::{Algorithm, ClaimPath, IssuerProfile, JustInTime, PrincipalRule, Verification},
};

/// An issuer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IssuerEntry {
    /// Its name.
    pub name: Name,
    /// What was decided about it; where it is asked about tokens, with an empty secret.
    #[serde(flatten, serialize_with = "shown")]
    pub profile: IssuerProfile,
    /// Turnpike's own client secret there.
    #[serde(flatten)]
    pub secret: Secret,
}

/// [`IssuerProfile`] as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    #[serde(default, skip_serializing)]
    name: Option<Name>,
    url: Arc<str>,
    verification: VerificationEntry,
    audiences: Vec<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    algorithms: Vec<Algorithm>,
    claim: ClaimPath,
    principal: PrincipalRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    just_in_time: Option<JustInTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<ClaimPath>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    required: BTreeMap<ClaimPath, Vec<Arc<str>>>,
    #[serde(default)]
    leeway_seconds: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    access_tokens_only: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accept_sender_constrained: bool,
    #[serde(default, skip_serializing)]
    secret: Option<Held>,
    #[serde(default, rename = "secret-from-env", skip_serializing)]
    from_env: Option<String>,
}

/// [`Verification`] as it stands in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum VerificationEntry {
    /// The keys are where the issuer's metadata says.
    Discovery {},
    /// The keys are at this URL.
    Jwks {
        /// Of a JSON Web Key Set.
        url: Arc<str>,
    },
    /// The keys are these.
    Keys {
        /// A JSON Web Key Set, as JSON text.
        jwks: Arc<str>,
    },
    /// The issuer is asked.
    Introspection {
        /// Of the introspection endpoint.
        url: Arc<str>,
        /// Turnpike's own client id there.
        client_id: Arc<str>,
    },
}

impl From<Verification> for VerificationEntry {
    fn from(verification: Verification) -> Self {
        match verification {
            Verification::Discovery {} => Self::Discovery {},
            Verification::Jwks { url } => Self::Jwks { url },
            Verification::Keys { jwks } => Self::Keys { jwks },
            Verification::Introspection {
                url,
                client_id,
                sealed_secret: _,
            } => Self::Introspection { url, client_id },
        }
    }
}

impl From<VerificationEntry> for Verification {
    fn from(entry: VerificationEntry) -> Self {
        match entry {
            VerificationEntry::Discovery {} => Self::Discovery {},
            VerificationEntry::Jwks { url } => Self::Jwks { url },
            VerificationEntry::Keys { jwks } => Self::Keys { jwks },
            VerificationEntry::Introspection { url, client_id } => Self::Introspection {
                url,
                client_id,
                sealed_secret: Arc::default(),
            },
        }
    }
}

impl<'de> Deserialize<'de> for IssuerEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Shown {
            name,
            url,
            verification,
            audiences,
            algorithms,
            claim,
            principal,
            just_in_time,
            groups,
            required,
            leeway_seconds,
            access_tokens_only,
            accept_sender_constrained,
            secret,
            from_env,
        } = Shown::deserialize(deserializer)?;
        let secret = Secret::read(secret, from_env).map_err(D::Error::custom)?;
        let asked = matches!(verification, VerificationEntry::Introspection { .. });
        if asked != (secret != Secret::None) {
            return Err(D::Error::custom(
                "verification by introspection, and no other, has a secret: write secret-from-env: VARIABLE, or secret: held",
            ));
        }
        Ok(Self {
            name: name.ok_or_else(|| D::Error::missing_field("name"))?,
            profile: IssuerProfile {
                url,
                verification: verification.into(),
                audiences,
                algorithms,
                claim,
                principal,
                just_in_time,
                groups,
                required,
                leeway_seconds,
                access_tokens_only,
                accept_sender_constrained,
            },
            secret,
        })
    }
}

fn shown<S: serde::Serializer>(profile: &IssuerProfile, serializer: S) -> Result<S::Ok, S::Error> {
    let IssuerProfile {
        url,
        verification,
        audiences,
        algorithms,
        claim,
        principal,
        just_in_time,
        groups,
        required,
        leeway_seconds,
        access_tokens_only,
        accept_sender_constrained,
    } = profile.clone();
    let shown = Shown {
        name: None,
        url,
        verification: verification.into(),
        audiences,
        algorithms,
        claim,
        principal,
        just_in_time,
        groups,
        required,
        leeway_seconds,
        access_tokens_only,
        accept_sender_constrained,
        secret: None,
        from_env: None,
    };
    shown.serialize(serializer)
}
