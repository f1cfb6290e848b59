//! The entries of a policy file: the domain's types, each with its name and what the file alone knows.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, de::MapAccess};

use super::{
    moment::Moment,
    split::{Own, put, split},
};
use crate::{
    grant::Grant,
    id::{Id, ModelId, Name, Principal},
    model::{Fallback, ModelProfile, ProviderProfile},
    offer::Offer,
    tenant::{AccountProfile, TeamProfile},
};

/// The id of an entry that has none; as text, for [`Own::ABSENT`].
const NO_ID: &str = "000000000000";

/// A team.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TeamEntry {
    /// Its name.
    pub name: Name,
    /// What is known of it.
    #[serde(flatten)]
    pub profile: TeamProfile,
    /// Who is in it; absent: nobody's business.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Principal>>,
}

/// A user or a virtual account; the section says which.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountEntry {
    /// Its name.
    pub name: Name,
    /// What is known of it.
    #[serde(flatten)]
    pub profile: AccountProfile,
}

/// A secret, which never stands in the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Secret {
    /// There is none.
    #[default]
    None,
    /// Whatever is held stays: `secret: held`.
    Held,
    /// What the variable of whoever applies the file holds: `secret-from-env: NAME`.
    FromEnv(Arc<str>),
}

/// A provider. Its profile holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderEntry {
    /// Its name.
    pub name: Name,
    /// How to reach it.
    #[serde(flatten)]
    pub profile: ProviderProfile,
    /// Its secret.
    #[serde(flatten)]
    pub secret: Secret,
}

/// A model of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelEntry {
    /// `provider/name`.
    pub name: ModelId,
    /// What is known of it.
    #[serde(flatten)]
    pub profile: ModelProfile,
}

/// A fallback rule. The rule's id means nothing: it is known by what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FallbackEntry {
    /// The rule.
    #[serde(flatten)]
    pub rule: Fallback,
}

/// An offer. Its id means nothing: it is known by what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfferEntry {
    /// The offer.
    #[serde(flatten)]
    pub offer: Offer,
}

/// A grant. One with an id is changed in place; one without is known by what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct GrantEntry {
    /// Its id, where the file has one.
    pub id: Option<Id>,
    /// The grant; its own id means nothing.
    pub grant: Grant,
}

#[derive(Default)]
struct OfTeam {
    name: Option<Name>,
    members: Option<Vec<Principal>>,
}

impl<'de> Own<'de> for OfTeam {
    const KEYS: &'static [&'static str] = &["name", "members"];

    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => put(&mut self.name, key, map),
            _ => put(&mut self.members, key, map),
        }
    }
}

impl<'de> Deserialize<'de> for TeamEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (own, profile) = split::<D, OfTeam, _>(deserializer)?;
        Ok(Self {
            name: named(own.name)?,
            profile,
            members: own.members,
        })
    }
}

#[derive(Default)]
struct Called {
    name: Option<Name>,
}

impl<'de> Own<'de> for Called {
    const KEYS: &'static [&'static str] = &["name"];

    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        put(&mut self.name, key, map)
    }
}

impl<'de> Deserialize<'de> for AccountEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (own, profile) = split::<D, Called, _>(deserializer)?;
        Ok(Self {
            name: named(own.name)?,
            profile,
        })
    }
}

/// Name and secret, of a provider.
#[derive(Default)]
struct OfProvider {
    name: Option<Name>,
    held: Option<Held>,
    from_env: Option<String>,
}

/// The one word of `secret:`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Held {
    Held,
}

impl<'de> Own<'de> for OfProvider {
    const KEYS: &'static [&'static str] = &["name", "secret", "secret-from-env", "sealed_secret"];

    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => put(&mut self.name, key, map),
            "secret" => put(&mut self.held, key, map),
            "secret-from-env" => put(&mut self.from_env, key, map),
            _ => Err(A::Error::custom(
                "a secret does not stand in the file: write secret-from-env: VARIABLE, or secret: held",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for ProviderEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (own, profile) = split::<D, OfProvider, _>(deserializer)?;
        Ok(Self {
            name: named(own.name)?,
            profile,
            secret: Secret::read(own.held, own.from_env).map_err(D::Error::custom)?,
        })
    }
}

impl Secret {
    pub(super) fn read(held: Option<Held>, from_env: Option<String>) -> Result<Self, String> {
        match (held, from_env) {
            (None, None) => Ok(Self::None),
            (Some(Held::Held), None) => Ok(Self::Held),
            (None, Some(variable)) if variable_name(&variable) => Ok(Self::FromEnv(Arc::from(variable))),
            (None, Some(variable)) => Err(format!(
                "{:?} is not the name of an environment variable",
                variable.chars().take(80).collect::<String>()
            )),
            (Some(Held::Held), Some(_)) => Err("write either secret: held or secret-from-env".to_owned()),
        }
    }
}

fn variable_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::None => {}
            Self::Held => map.serialize_entry("secret", &Held::Held)?,
            Self::FromEnv(variable) => map.serialize_entry("secret-from-env", variable)?,
        }
        map.end()
    }
}

#[derive(Default)]
struct OfModel {
    name: Option<ModelId>,
}

impl<'de> Own<'de> for OfModel {
    const KEYS: &'static [&'static str] = &["name"];

    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        put(&mut self.name, key, map)
    }
}

impl<'de> Deserialize<'de> for ModelEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (own, profile) = split::<D, OfModel, _>(deserializer)?;
        Ok(Self {
            name: named(own.name)?,
            profile,
        })
    }
}

#[derive(Default)]
struct Nameless;

impl<'de> Own<'de> for Nameless {
    const KEYS: &'static [&'static str] = &["id"];
    const ABSENT: Option<(&'static str, &'static str)> = Some(("id", NO_ID));

    fn take<A: MapAccess<'de>>(&mut self, _key: &str, _map: &mut A) -> Result<(), A::Error> {
        Err(A::Error::custom(
            "fallback rules and offers are known by what they say: leave `id` out",
        ))
    }
}

impl<'de> Deserialize<'de> for FallbackEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (_, rule) = split::<D, Nameless, _>(deserializer)?;
        Ok(Self { rule })
    }
}

impl<'de> Deserialize<'de> for OfferEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (_, offer) = split::<D, Nameless, _>(deserializer)?;
        Ok(Self { offer })
    }
}

#[derive(Default)]
struct OfGrant {
    id: Option<Id>,
    not_before: Option<Moment>,
    expires: Option<Moment>,
}

impl<'de> Own<'de> for OfGrant {
    const KEYS: &'static [&'static str] = &["id", "not_before", "expires"];
    const ABSENT: Option<(&'static str, &'static str)> = Some(("id", NO_ID));

    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => put(&mut self.id, key, map),
            "not_before" => put(&mut self.not_before, key, map),
            _ => put(&mut self.expires, key, map),
        }
    }
}

impl<'de> Deserialize<'de> for GrantEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (own, mut grant) = split::<D, OfGrant, Grant>(deserializer)?;
        let conditions = &mut grant.conditions;
        if conditions.not_before.is_some() || conditions.expires.is_some() {
            return Err(D::Error::custom(
                "not_before and expires stand beside the subject, not under conditions",
            ));
        }
        conditions.not_before = own.not_before.map(|Moment(time)| time);
        conditions.expires = own.expires.map(|Moment(time)| time);
        Ok(Self { id: own.id, grant })
    }
}

impl Serialize for GrantEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            #[serde(flatten)]
            grant: Grant,
            #[serde(skip_serializing_if = "Option::is_none")]
            not_before: Option<Moment>,
            #[serde(skip_serializing_if = "Option::is_none")]
            expires: Option<Moment>,
        }
        let mut grant = self.grant.clone();
        grant.id = self.id.unwrap_or_else(|| Id::from_random(0));
        let not_before = grant.conditions.not_before.take().map(Moment);
        let expires = grant.conditions.expires.take().map(Moment);
        let shown = Shown {
            grant,
            not_before,
            expires,
        };
        shown.serialize(serializer)
    }
}

fn named<N, E: Error>(name: Option<N>) -> Result<N, E> {
    name.ok_or_else(|| E::missing_field("name"))
}
