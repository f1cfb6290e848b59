//! Attributes that a client sends along: a JSON object of which the simple values count.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Most members of one object.
pub const MAX_MEMBERS: usize = 128;

/// The members of an object, none of them twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, Property>);

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// A string, a number or a boolean, as text.
    Text(String),
    /// An object.
    Members(Properties),
    /// `null`.
    Nothing,
    /// An array, which nothing here looks into.
    Items,
}

/// An object or an array, where a simple value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSimple;

impl Properties {
    /// A member by its name.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.0.get(name)
    }

    /// A simple value by its name; `null` is none.
    ///
    /// # Errors
    /// It is an object or an array.
    pub fn text(&self, name: &str) -> Result<Option<&str>, NotSimple> {
        match self.0.get(name) {
            None | Some(Property::Nothing) => Ok(None),
            Some(Property::Text(text)) => Ok(Some(text)),
            Some(Property::Members(_) | Property::Items) => Err(NotSimple),
        }
    }

    /// The simple values, with their names.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, property)| match property {
            Property::Text(text) => Some((name.as_str(), text.as_str())),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

impl<'de> Deserialize<'de> for Property {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Properties;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, property)) = map.next_entry::<String, Property>()? {
            if members.len() == MAX_MEMBERS {
                return Err(A::Error::custom(format_args!(
                    "an object may have at most {MAX_MEMBERS} members"
                )));
            }
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "the member {name:?} is there twice"
                )));
            }
            members.insert(name, property);
        }
        Ok(Properties(members))
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Property;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Property, E> {
        Ok(Property::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Property, E> {
        Ok(Property::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Property, E> {
        Ok(Property::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Property, E> {
        Ok(Property::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Property, E> {
        Ok(Property::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Property, E> {
        Ok(Property::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Property, E> {
        Ok(Property::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Property, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Property::Items)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Property, A::Error> {
        Members.visit_map(map).map(Property::Members)
    }
}
