//! One mapping of the file, read as two things: what the file alone knows (`name`, `members`), and a type of the domain.
//!
//! The domain's own types are read as they are, so that a field that they get is in the file too. Nothing is buffered:
//! an error keeps its line.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        Error, IntoDeserializer, MapAccess, Visitor,
        value::{StrDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};

/// What the file alone knows of an entry.
pub(super) trait Own<'de>: Default {
    /// Its keys.
    const KEYS: &'static [&'static str];
    /// A field that the domain's type demands and the file need not have, and what it is then.
    const ABSENT: Option<(&'static str, &'static str)> = None;

    /// Reads the value of one of the keys.
    fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Reads both halves of a mapping.
pub(super) fn split<'de, D, O, P>(deserializer: D) -> Result<(O, P), D::Error>
where
    D: Deserializer<'de>,
    O: Own<'de>,
    P: Deserialize<'de>,
{
    deserializer.deserialize_map(Halves(PhantomData))
}

/// Puts a value into its place, which must be empty.
pub(super) fn put<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut Option<T>,
    key: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    match place.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::custom(format!("`{key}` stands twice"))),
    }
}

struct Halves<O, P>(PhantomData<(O, P)>);

impl<'de, O: Own<'de>, P: Deserialize<'de>> Visitor<'de> for Halves<O, P> {
    type Value = (O, P);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut own = O::default();
        let rest = P::deserialize(Rest { map, own: &mut own })?;
        Ok((own, rest))
    }
}

/// The mapping without the file's own keys, which are read on the way.
struct Rest<'o, A, O> {
    map: A,
    own: &'o mut O,
}

impl<'de, A: MapAccess<'de>, O: Own<'de>> Deserializer<'de> for Rest<'_, A, O> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(Fields {
            map: self.map,
            own: self.own,
            fields,
            absent: O::ABSENT,
            supplied: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Fields<'o, A, O> {
    map: A,
    own: &'o mut O,
    fields: &'static [&'static str],
    absent: Option<(&'static str, &'static str)>,
    supplied: Option<&'static str>,
}

impl<'de, A: MapAccess<'de>, O: Own<'de>> MapAccess<'de> for Fields<'_, A, O> {
    type Error = A::Error;

    fn next_key_seed<K: serde::de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if O::KEYS.contains(&key.as_str()) {
                self.own.take(&key, &mut self.map)?;
                continue;
            }
            if !self.fields.contains(&key.as_str()) {
                return Err(A::Error::custom(unknown(&key, O::KEYS, self.fields)));
            }
            self.absent = self.absent.filter(|(field, _)| *field != key);
            let key: StringDeserializer<A::Error> = key.into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        let Some((field, value)) = self.absent.take() else {
            return Ok(None);
        };
        self.supplied = Some(value);
        let key: StrDeserializer<'_, A::Error> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: serde::de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.supplied.take() {
            Some(value) => {
                let value: StrDeserializer<'_, A::Error> = value.into_deserializer();
                seed.deserialize(value)
            }
            None => self.map.next_value_seed(seed),
        }
    }
}

/// What is said of a key that nobody knows, with the one that was probably meant.
fn unknown(key: &str, own: &[&str], fields: &[&str]) -> String {
    let known: Vec<&str> = own.iter().chain(fields).copied().collect();
    let near = known
        .iter()
        .map(|one| (distance(key, one), one))
        .min()
        .filter(|(distance, one)| *distance <= one.len() / 3 + 1);
    let key: String = key.chars().take(80).collect();
    match near {
        Some((_, near)) => format!("unknown key `{key}`: did you mean `{near}`?"),
        None => format!("unknown key `{key}`: there are `{}`", known.join("`, `")),
    }
}

/// How many letters must be changed, added or left out.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().take(80).enumerate() {
        let mut before = line;
        let mut left = line + 1;
        for (cell, theirs) in row.iter_mut().skip(1).zip(&other) {
            let changed = before + usize::from(letter != *theirs);
            before = *cell;
            left = changed.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_is_told_what_was_meant_and_a_strange_one_what_there_is() {
        let said = |key| unknown(key, &["name", "members"], &["description"]);
        assert_eq!(said("membres"), "unknown key `membres`: did you mean `members`?");
        assert_eq!(
            said("descripton"),
            "unknown key `descripton`: did you mean `description`?"
        );
        assert!(said("zzzzzzzzzzzz").ends_with("there are `name`, `members`, `description`"));
        assert_eq!(
            (
                distance("", "abc"),
                distance("abc", "abc"),
                distance("kitten", "sitting")
            ),
            (3, 0, 3)
        );
    }
}
