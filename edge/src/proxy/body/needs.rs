//! What a JSON body asks of a model. Read only where a fallback is considered: one more pass over a body that is
//! checked, whole and bounded already, which keeps none of it.
//!
//! The prompt's length is an estimate: four bytes of text a token, a thousand tokens a picture.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use turnpike_access::needs::{Capability, Needs};

const BYTES_OF_A_TOKEN: u64 = 4;
const TOKENS_OF_A_PICTURE: u64 = 1_000;

/// What a body needs, and how many tokens its prompt may have. A body that is no object needs nothing.
pub fn needs(body: &[u8], max_tokens: Option<u64>) -> Needs {
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    if json.deserialize_map(Top(&mut found)).is_err() {
        return Needs::default();
    }
    let asked = [
        (found.tools, Capability::Tools),
        (found.pictures > 0, Capability::Vision),
        (found.json, Capability::Json),
    ];
    let prompt = (found.text.div_ceil(BYTES_OF_A_TOKEN))
        .saturating_add(found.pictures.saturating_mul(TOKENS_OF_A_PICTURE));
    Needs {
        capabilities: asked
            .into_iter()
            .filter_map(|(is_asked, one)| is_asked.then_some(one))
            .collect(),
        context_tokens: Some(prompt.saturating_add(max_tokens.unwrap_or(0))),
    }
}

#[derive(Default)]
struct Found {
    tools: bool,
    json: bool,
    pictures: u64,
    /// Bytes.
    text: u64,
}

/// `response_format`, Anthropic's `output_format`, and what the Responses API has within `text`.
#[derive(Deserialize)]
struct Format<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    format: Option<&'a RawValue>,
}

/// Whether a format is something else than text.
fn is_json(raw: &str) -> bool {
    let Ok(Format { kind, format }) = serde_json::from_str(raw) else {
        return false;
    };
    match (kind, format) {
        (Some(kind), _) => kind != "text",
        (None, Some(within)) => is_json(within.get()),
        (None, None) => false,
    }
}

/// The members of the body.
struct Top<'f>(&'f mut Found);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.0;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "messages" | "system" | "prompt" | "input" | "instructions" => {
                    map.next_value_seed(Walk(found))?;
                }
                "tools" | "functions" => {
                    let raw = map.next_value::<&RawValue>()?.get();
                    found.tools |= !matches!(raw, "null" | "[]") && raw.len() > 2;
                    found.text = found.text.saturating_add(raw.len() as u64);
                }
                "response_format" | "output_format" | "output_config" | "text" => {
                    found.json |= is_json(map.next_value::<&RawValue>()?.get());
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A part of the prompt, however deep: texts are counted, pictures are recognised by their type.
struct Walk<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a prompt")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.text = self.0.text.saturating_add(text.len() as u64);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "type" => {
                    let raw = map.next_value::<&RawValue>()?.get();
                    let is_picture = matches!(raw, r#""image_url""# | r#""input_image""# | r#""image""#);
                    self.0.pictures += u64::from(is_picture);
                }
                // Of a picture, and whatever else is encoded: no text.
                "image_url" | "source" | "data" | "file_data" | "input_audio" | "encrypted_content" => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => map.next_value_seed(Walk(&mut *self.0))?,
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> (Vec<&'static str>, Option<u64>) {
        let Needs {
            capabilities,
            context_tokens,
        } = needs(body.as_bytes(), Some(10));
        let names = capabilities.into_iter().map(Capability::as_str);
        (names.collect(), context_tokens)
    }

    #[test]
    fn a_plain_question_needs_its_length_and_room_for_the_answer() {
        let body = r#"{"model": "a/b", "messages": [{"role": "user", "content": "12345678"}], "n": 1.5}"#;
        assert_eq!(asked(body), (vec![], Some(10 + 3)), "the role is text too");
        assert_eq!(asked(r#"{"model": "a/b", "prompt": "1234"}"#), (vec![], Some(11)));
    }

    #[test]
    fn tools_pictures_and_json_are_found_in_every_dialect() {
        for (body, what) in [
            (r#"{"tools": [{"type": "function"}]}"#, "tools"),
            (r#"{"functions": [{"name": "f"}]}"#, "tools"),
            (
                r#"{"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:AAAA"}}]}]}"#,
                "vision",
            ),
            (
                r#"{"messages": [{"content": [{"type": "image", "source": {"data": "AAAA"}}]}]}"#,
                "vision",
            ),
            (
                r#"{"input": [{"content": [{"type": "input_image", "image_url": "https://a"}]}]}"#,
                "vision",
            ),
            (r#"{"response_format": {"type": "json_object"}}"#, "json"),
            (
                r#"{"text": {"format": {"type": "json_schema", "schema": {}}}}"#,
                "json",
            ),
            (r#"{"output_format": {"type": "json_schema"}}"#, "json"),
        ] {
            assert_eq!(asked(body).0, [what], "{body}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        for body in [
            r#"{"tools": [], "functions": null, "response_format": {"type": "text"}, "text": {}}"#,
            r#"{"messages": [{"content": "\"type\": \"image_url\""}], "response_format": null}"#,
            r#"{"metadata": {"type": "image"}}"#,
            "[1]",
            "",
        ] {
            assert_eq!(asked(body).0, [""; 0], "{body}");
        }
    }

    #[test]
    fn a_pictures_bytes_are_not_counted_as_text() {
        let data = "A".repeat(100_000);
        let body = format!(
            r#"{{"messages": [{{"content": [{{"type": "image_url", "image_url": {{"url": "{data}"}}}}]}}]}}"#
        );
        assert_eq!(asked(&body).1, Some(1_010));
    }
}
