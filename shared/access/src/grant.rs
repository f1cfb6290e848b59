//! Grants: who may, or may not, do what with which resources under which conditions.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    id::{Id, InvalidName, Name, Principal, Timestamp},
    pattern::Selector,
    schedule::Schedule,
};

/// Who is granted something: `user:alice`, `virtual-account:bot`, `team:payments`, `group:okta/engineers`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// One user or virtual account.
    Principal(Principal),
    /// Everybody in a team, its virtual accounts too.
    Team(Name),
    /// Whoever's verified token carries the group.
    Group {
        /// The issuer that vouches for it.
        issuer: Name,
        /// The group as the token has it.
        value: Arc<str>,
    },
}

impl FromStr for Subject {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const RULE: &str = "write user:NAME, virtual-account:NAME, team:NAME or group:ISSUER/VALUE";
        let invalid = || InvalidName::new(text, "subject", RULE);
        match text.split_once(':').ok_or_else(invalid)? {
            ("user" | "virtual-account", _) => Ok(Self::Principal(text.parse()?)),
            ("team", name) => Ok(Self::Team(name.parse()?)),
            ("group", rest) => {
                let (issuer, value) = rest.split_once('/').ok_or_else(invalid)?;
                if value.is_empty() || value.len() > 256 {
                    return Err(invalid());
                }
                Ok(Self::Group {
                    issuer: issuer.parse()?,
                    value: Arc::from(value),
                })
            }
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(principal) => principal.fmt(f),
            Self::Team(name) => write!(f, "team:{name}"),
            Self::Group { issuer, value } => write!(f, "group:{issuer}/{value}"),
        }
    }
}

/// Whether a grant gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It gives, unless something denies.
    #[default]
    Allow,
    /// It takes, whatever allows.
    Deny,
}

/// How the caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A personal access token or a virtual account's key.
    ApiKey,
    /// A JWT of an issuer that the tenant trusts.
    Jwt,
    /// An opaque token that the tenant's issuer was asked about.
    OauthToken,
    /// A short-lived token of Turnpike's own.
    TurnpikeToken,
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 4] = [Self::ApiKey, Self::Jwt, Self::OauthToken, Self::TurnpikeToken];

    /// As it is written in audit records and conditions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::OauthToken => "oauth_token",
            Self::TurnpikeToken => "turnpike_token",
        }
    }
}

/// A way of proving who calls that a grant is content with: `api_key`, or `jwt:okta` for one issuer's alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MethodRule {
    /// How.
    pub method: AuthMethod,
    /// Whose tokens; absent: any issuer's.
    pub issuer: Option<Name>,
}

impl MethodRule {
    fn admits(&self, method: AuthMethod, issuer: Option<&Name>) -> bool {
        self.method == method && (self.issuer.is_none() || self.issuer.as_ref() == issuer)
    }
}

impl From<AuthMethod> for MethodRule {
    fn from(method: AuthMethod) -> Self {
        Self { method, issuer: None }
    }
}

impl FromStr for MethodRule {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const RULE: &str =
            "use api_key, jwt, oauth_token or turnpike_token; jwt:ISSUER and oauth_token:ISSUER name one";
        let (method, issuer) = match text.split_once(':') {
            Some((method, issuer)) => (method, Some(issuer.parse()?)),
            None => (text, None),
        };
        AuthMethod::ALL
            .into_iter()
            .find(|one| one.as_str() == method)
            .filter(|one| issuer.is_none() || matches!(one, AuthMethod::Jwt | AuthMethod::OauthToken))
            .map(|method| Self { method, issuer })
            .ok_or_else(|| InvalidName::new(text, "authentication method", RULE))
    }
}

impl TryFrom<String> for MethodRule {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<MethodRule> for String {
    fn from(rule: MethodRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for MethodRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.as_str())?;
        self.issuer
            .as_ref()
            .map_or(Ok(()), |issuer| write!(f, ":{issuer}"))
    }
}

/// When a grant counts. Every part that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// One of these ways of proving who calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<MethodRule>,
    /// The token was issued at most so many seconds ago; a key, which has no such age, never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_token_age_seconds: Option<u32>,
    /// The client's address is in one of these networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// In the hours of one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
}

/// The circumstances of a request that conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The moment that is judged.
    pub now: Timestamp,
    /// How the caller proved who it is.
    pub method: AuthMethod,
    /// Whose token it was, where it was one.
    pub issuer: Option<&'a Name>,
    /// When the token was issued, where it was one.
    pub issued: Option<Timestamp>,
    /// The client's address, where there is one.
    pub client: Option<IpAddr>,
}

/// The first condition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionMismatch {
    /// Another way of proving who calls.
    Method,
    /// The token is older, or there is none.
    TokenAge,
    /// From elsewhere.
    Network,
    /// Not yet.
    NotYet,
    /// No longer.
    Expired,
    /// At another hour of the week.
    Schedule,
}

impl Conditions {
    /// Whether all of them hold, or which fails first.
    pub fn hold(&self, circumstances: &Circumstances<'_>) -> Result<(), ConditionMismatch> {
        let Self {
            methods,
            max_token_age_seconds,
            networks,
            not_before,
            expires,
            schedules,
        } = self;
        let Circumstances {
            now,
            method,
            issuer,
            issued,
            client,
        } = circumstances;
        if not_before.is_some_and(|from| *now < from) {
            return Err(ConditionMismatch::NotYet);
        }
        if expires.is_some_and(|end| *now >= end) {
            return Err(ConditionMismatch::Expired);
        }
        if !methods.is_empty() && !methods.iter().any(|one| one.admits(*method, *issuer)) {
            return Err(ConditionMismatch::Method);
        }
        let young = |age: u32| issued.is_some_and(|issued| *now < issued.plus_seconds(age.into()));
        if !max_token_age_seconds.is_none_or(young) {
            return Err(ConditionMismatch::TokenAge);
        }
        if !in_networks(networks, *client) {
            return Err(ConditionMismatch::Network);
        }
        if schedules.is_empty() || schedules.iter().any(|one| one.includes(*now)) {
            Ok(())
        } else {
            Err(ConditionMismatch::Schedule)
        }
    }
}

/// Whether an address is in one of the networks; no networks means anywhere.
pub(crate) fn in_networks(networks: &[IpNet], client: Option<IpAddr>) -> bool {
    // An IPv4 client of a dual-stack listener is judged as the IPv4 address that it is.
    let contains = |client: IpAddr| networks.iter().any(|net| net.contains(&client.to_canonical()));
    networks.is_empty() || client.is_some_and(contains)
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its id.
    pub id: Id,
    /// Who.
    pub subject: Subject,
    /// Which actions, by the role's name.
    pub role: Name,
    /// Gives or takes.
    #[serde(default)]
    pub effect: Effect,
    /// Which resources.
    #[serde(default)]
    pub selector: Selector,
    /// When.
    #[serde(default)]
    pub conditions: Conditions,
    /// Why, for whoever reviews it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// The principal or team that answers for it; absent: whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Subject>,
}
