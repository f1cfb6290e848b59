//! `x-turnpike-metadata`: a JSON object of short strings that the client wants recorded with its request.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName};
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-turnpike-metadata");
/// Most pairs.
pub const MAX_PAIRS: usize = 16;
/// Longest key, in bytes.
pub const MAX_KEY: usize = 64;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 256;
/// Longest header, in bytes.
pub const MAX_TOTAL: usize = 4096;

/// Keys and values in the order in which they were written, as an audit record holds them.
pub type Pairs = Vec<(Arc<str>, Arc<str>)>;

/// The metadata is not as it must be; 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "x-turnpike-metadata must be given once, as a JSON object of at most 16 strings: keys of 1 to 64 bytes, none \
     twice, values of at most 256, 4096 bytes in all"
)]
pub struct InvalidMetadata;

/// Reads the header, where there is one.
pub fn from_headers(headers: &HeaderMap) -> Result<Pairs, InvalidMetadata> {
    let mut values = headers.get_all(HEADER).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(Pairs::new()),
        (Some(value), None) => parse(value.as_bytes()),
        (Some(_), Some(_)) => Err(InvalidMetadata),
    }
}

/// Reads the header's value.
pub fn parse(value: &[u8]) -> Result<Pairs, InvalidMetadata> {
    if value.len() > MAX_TOTAL {
        return Err(InvalidMetadata);
    }
    let mut json = serde_json::Deserializer::from_slice(value);
    let pairs = json.deserialize_map(PairsVisitor).map_err(|_| InvalidMetadata)?;
    json.end().map_err(|_| InvalidMetadata)?;
    Ok(pairs)
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Pairs::new();
        while let Some((key, value)) = map.next_entry::<Arc<str>, Arc<str>>()? {
            let fits = (1..=MAX_KEY).contains(&key.len()) && value.len() <= MAX_VALUE;
            if !fits || pairs.len() == MAX_PAIRS || pairs.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom("too long, too many or twice"));
            }
            pairs.push((key, value));
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_object_of_strings_is_taken_in_order() {
        let pairs = parse(br#"{"job":"nightly","app":"a\u00e9"}"#).unwrap();
        assert_eq!(
            pairs,
            [("job".into(), "nightly".into()), ("app".into(), "a\u{e9}".into())]
        );
        assert_eq!(parse(b"{}"), Ok(Pairs::new()));
    }

    #[test]
    fn anything_else_is_refused() {
        let long_key = format!(r#"{{"{}":"v"}}"#, "k".repeat(65));
        let long_value = format!(r#"{{"k":"{}"}}"#, "v".repeat(257));
        let many = (0..17)
            .map(|n| format!(r#""{n}":"v""#))
            .collect::<Vec<_>>()
            .join(",");
        let many = format!("{{{many}}}");
        let padded = format!("{{{}}}", " ".repeat(MAX_TOTAL));
        for text in [
            "",
            "null",
            "[]",
            "{",
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":"b"} x"#,
            r#"{"a":"b","a":"c"}"#,
            r#"{"":"b"}"#,
            &long_key,
            &long_value,
            &many,
            &padded,
        ] {
            assert_eq!(parse(text.as_bytes()), Err(InvalidMetadata), "{text}");
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), Err(InvalidMetadata));
    }

    #[test]
    fn a_repeated_header_is_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(from_headers(&headers), Ok(Pairs::new()));
        headers.append(HEADER, "{\"a\":\"b\"}".parse().unwrap());
        assert_eq!(from_headers(&headers).unwrap().len(), 1);
        headers.append(HEADER, "{}".parse().unwrap());
        assert_eq!(from_headers(&headers), Err(InvalidMetadata));
    }
}
