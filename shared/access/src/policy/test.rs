//! Assertions of a policy file: who must be allowed what, and who must not.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::{
    grant::MethodRule,
    id::{InvalidName, ModelId, Name, Principal},
};

/// One assertion: `may:` or `may-not:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Test {
    /// It must be allowed.
    May(Question),
    /// It must not be allowed.
    MayNot(Question),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who.
    pub principal: Principal,
    /// A dotted verb: `inference.chat`.
    pub action: Arc<str>,
    /// The model, as a client would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// Any other resource: `TYPE:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceName>,
    /// The model that must be served, fallback rules being followed; absent: the very model that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<ModelId>,
    /// When; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Moment>,
    /// How the caller proves who it is; absent: by key, or by token of the issuer of the groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodRule>,
    /// How long ago the token was issued; absent: just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_age_seconds: Option<u32>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The groups that the caller's token carries: `ISSUER/VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
}

/// `TYPE:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName {
    /// `prompt` …
    pub kind: Name,
    /// Its name.
    pub name: Arc<str>,
}

impl FromStr for ResourceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (kind, name) = text
            .split_once(':')
            .ok_or_else(|| InvalidName::new(text, "resource", "write TYPE:NAME"))?;
        Ok(Self {
            kind: kind.parse()?,
            name: Arc::from(name),
        })
    }
}

/// `ISSUER/VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName {
    /// The issuer that vouches for it.
    pub issuer: Name,
    /// The group as the token has it.
    pub value: Arc<str>,
}

impl FromStr for GroupName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once('/') {
            Some((issuer, value)) if !value.is_empty() => Ok(Self {
                issuer: issuer.parse()?,
                value: Arc::from(value),
            }),
            _ => Err(InvalidName::new(text, "group", "write ISSUER/VALUE")),
        }
    }
}

impl TryFrom<String> for ResourceName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl TryFrom<String> for GroupName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.to_string()
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.issuer, self.value)
    }
}
