//! The scanner of JSON bodies: serde_json checks every byte, only the fields that matter are kept.

use std::{borrow::Cow, fmt, ops::Range};

use memchr::{memchr, memchr2};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{BodyError, MAX_DEPTH, MAX_MODEL, Model, Scan, StreamOptions, keys::Field};

/// Reads a JSON body. Allocates only where a model's name is written with escapes.
pub fn scan(body: &[u8]) -> Result<Scan<'_>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|_| BodyError::NotUtf8)?;
    if text.trim_ascii().is_empty() {
        return Err(BodyError::Empty);
    }
    let mut found = Scan {
        empty: true,
        ..Scan::default()
    };
    members(text, Field::TOP, |member| {
        found.empty = false;
        found.take(&member, text)
    })?;
    if depth(body) > MAX_DEPTH {
        return Err(BodyError::TooDeep);
    }
    found.start = memchr(b'{', body).map_or(0, |brace| brace + 1);
    Ok(found)
}

impl<'b> Scan<'b> {
    fn take(&mut self, member: &Member<'b>, text: &'b str) -> Result<(), BodyError> {
        let Some(field) = member.field else { return Ok(()) };
        let raw = member.raw;
        let span = span_of(raw, text);
        match field {
            Field::Model => {
                self.model = Some(Model {
                    name: model_name(raw)?,
                    span,
                })
            }
            Field::Stream => self.stream = flag(field, raw)?,
            Field::StreamOptions => {
                let (options, asked) = stream_options(raw, span)?;
                self.stream_options = Some(options);
                self.include_usage = asked;
            }
            Field::MaxTokens | Field::MaxCompletionTokens | Field::MaxOutputTokens => {
                self.max_tokens = self.max_tokens.max(raw.parse().ok());
            }
            Field::N => self.n = raw.parse().ok(),
            Field::IncludeUsage => {}
        }
        Ok(())
    }
}

fn model_name(raw: &str) -> Result<Cow<'_, str>, BodyError> {
    let wrong = BodyError::WrongType("model", "a string of 1 to 256 bytes");
    let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(wrong);
    };
    let name = if inner.contains('\\') {
        Cow::Owned(serde_json::from_str::<String>(raw).map_err(|_| wrong.clone())?)
    } else {
        Cow::Borrowed(inner)
    };
    if name.is_empty() || name.len() > MAX_MODEL {
        Err(wrong)
    } else {
        Ok(name)
    }
}

fn flag(field: Field, raw: &str) -> Result<bool, BodyError> {
    match raw {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(BodyError::WrongType(field.name(), "true, false or null")),
    }
}

fn stream_options(raw: &str, span: Range<usize>) -> Result<(StreamOptions, bool), BodyError> {
    let null = raw == "null";
    let base = span.start;
    let mut options = StreamOptions {
        span,
        include_usage: None,
        null,
        empty: true,
    };
    if null {
        return Ok((options, false));
    }
    if !raw.starts_with('{') {
        return Err(BodyError::WrongType("stream_options", "an object or null"));
    }
    let mut asked = false;
    members(raw, Field::OPTIONS, |member| {
        options.empty = false;
        if let Some(field) = member.field {
            asked = flag(field, member.raw)?;
            let within = span_of(member.raw, raw);
            options.include_usage = Some(base + within.start..base + within.end);
        }
        Ok(())
    })?;
    Ok((options, asked))
}

/// Where a part of a text is within it. Both are borrowed from the same body.
fn span_of(part: &str, whole: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start + part.len()
}

/// How deep the arrays and objects of valid JSON are nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = json;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(after),
            _ => {}
        }
    }
    deepest
}

fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let quote = rest.get(at) == Some(&b'"');
        rest = rest.get(at + if quote { 1 } else { 2 }..).unwrap_or_default();
        if quote {
            return rest;
        }
    }
    &[]
}

/// One member of an object; `field` where it is one that matters.
struct Member<'b> {
    field: Option<Field>,
    raw: &'b str,
}

/// Goes through the members of an object, which is all that the text holds.
fn members<'b>(
    text: &'b str,
    fields: &'static [Field],
    take: impl FnMut(Member<'b>) -> Result<(), BodyError>,
) -> Result<(), BodyError> {
    let mut refusal = None;
    let mut json = serde_json::Deserializer::from_str(text);
    let visitor = Members {
        fields,
        take,
        refusal: &mut refusal,
    };
    let verdict = json.deserialize_map(visitor).and_then(|()| json.end());
    match (verdict, refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(BodyError::NotJson(error.to_string())),
        (Ok(()), None) => Ok(()),
    }
}

struct Members<'r, F> {
    fields: &'static [Field],
    take: F,
    refusal: &'r mut Option<BodyError>,
}

impl<'de, F: FnMut(Member<'de>) -> Result<(), BodyError>> Visitor<'de> for Members<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u8;
        while let Some(key) = map.next_key_seed(Key(self.fields))? {
            let raw = map.next_value::<&RawValue>()?.get();
            let verdict = match key {
                Found::Other => (self.take)(Member { field: None, raw }),
                Found::Disguised(field) => Err(BodyError::Ambiguous(field.name())),
                Found::Exact(field) if seen & field.bit() != 0 => Err(BodyError::Ambiguous(field.name())),
                Found::Exact(field) => {
                    seen |= field.bit();
                    (self.take)(Member {
                        field: Some(field),
                        raw,
                    })
                }
            };
            if let Err(refusal) = verdict {
                *self.refusal = Some(refusal);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// What a key was found to be.
enum Found {
    Other,
    Exact(Field),
    Disguised(Field),
}

struct Key(&'static [Field]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    /// A key without escapes.
    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Found, E> {
        Ok(match Field::folded(key, self.0) {
            Some(field) if field.name() == key => Found::Exact(field),
            Some(field) => Found::Disguised(field),
            None => Found::Other,
        })
    }

    /// A key with escapes, unescaped.
    fn visit_str<E>(self, key: &str) -> Result<Found, E> {
        Ok(Field::folded(key, self.0).map_or(Found::Other, Found::Disguised))
    }
}
