//! The text of a signed token, taken apart strictly (RFC 7515, RFC 8725): what is ambiguous is refused.
//!
//! Nothing here knows whether a signature is good; nothing that is read here may be believed before it was verified.

use std::{fmt, str::FromStr as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::issuer::Algorithm;

/// The longest token that is looked at, in bytes.
pub const TOKEN_LIMIT: usize = 16 * 1024;
/// The deepest nesting of claims.
const DEPTH_LIMIT: u8 = 16;
/// The longest `kid`, in bytes.
const KEY_ID_LIMIT: usize = 256;

/// Why a text is not a token that could be verified. No message repeats any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Too long, not three segments of base64url without padding, not JSON, or a member twice.
    #[error("not a signed token in its strict form")]
    Malformed,
    /// `alg` is missing, `none`, an HMAC, or another that is never accepted.
    #[error("signed with an algorithm that is never accepted")]
    Algorithm,
    /// The header demands an extension, or brings its own key: `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`.
    #[error("the header demands what is never done")]
    Header,
}

/// What the header says (RFC 7515, section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`: what the token claims; the key decides.
    pub algorithm: Algorithm,
    /// `kid`: a text to compare, never a path or a query.
    pub key: Option<String>,
    /// `typ`, in lower case and without `application/`.
    pub kind: Option<String>,
}

/// A token in JWS compact form, not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Jws<'t> {
    /// What the header says.
    pub header: Header,
    /// What was signed: the first two segments with their dot.
    pub signed: &'t str,
    /// The signature, as base64url.
    pub signature: &'t str,
    /// The bytes of the payload.
    pub payload: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it could not be verified whatever the keys.
    pub fn parse(text: &'t str) -> Result<Self, JwsError> {
        if text.len() > TOKEN_LIMIT {
            return Err(JwsError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        let header = Header::parse(&decode(header)?)?;
        let payload = decode(payload)?;
        if decode(signature)?.is_empty() {
            return Err(JwsError::Malformed);
        }
        Ok(Self {
            header,
            signed,
            signature,
            payload,
        })
    }

    /// Whether a text is meant as a signed token: any other may be an opaque one, and may be shown to its issuer.
    pub fn is_meant(text: &str) -> bool {
        let mut segments = text.split('.');
        let header = segments.next().map(decode);
        let begins = matches!(header, Some(Ok(header)) if header.trim_ascii_start().first() == Some(&b'{'));
        begins && segments.count() == 2
    }

    /// The payload as claims: a JSON object.
    ///
    /// # Errors
    /// When it is not one, has a member twice, or is nested too deep.
    pub fn claims(&self) -> Result<Value, JwsError> {
        object(&self.payload)
    }
}

impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        let header = object(bytes)?;
        let refused = ["crit", "b64", "jwk", "jku", "x5u", "x5c"];
        if refused.iter().any(|member| header.get(member).is_some()) {
            return Err(JwsError::Header);
        }
        let text = |member: &str| match header.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(JwsError::Malformed),
        };
        let algorithm = text("alg")?.ok_or(JwsError::Algorithm)?;
        let key = text("kid")?;
        if key.is_some_and(|key| key.len() > KEY_ID_LIMIT) {
            return Err(JwsError::Malformed);
        }
        let kind = text("typ")?.map(str::to_ascii_lowercase);
        Ok(Self {
            algorithm: Algorithm::from_str(algorithm).map_err(|_| JwsError::Algorithm)?,
            key: key.map(str::to_owned),
            kind: kind.map(|kind| {
                kind.strip_prefix("application/")
                    .map(str::to_owned)
                    .unwrap_or(kind)
            }),
        })
    }
}

/// A JSON object in which no member stands twice, at no level, and which is not nested deep.
///
/// # Errors
/// When it is not one.
pub fn object(bytes: &[u8]) -> Result<Value, JwsError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(DEPTH_LIMIT)
        .deserialize(&mut deserializer)
        .map_err(|_| JwsError::Malformed)?;
    deserializer.end().map_err(|_| JwsError::Malformed)?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(JwsError::Malformed),
    }
}

/// Refuses padding, other alphabets, and bits behind the end, so that a token has one form alone.
fn decode(segment: &str) -> Result<Vec<u8>, JwsError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| JwsError::Malformed)
}

/// Reads any JSON value, with this many levels left.
#[derive(Clone, Copy)]
struct Strict(u8);

impl Strict {
    fn below<E: Error>(self) -> Result<Self, E> {
        let left = self
            .0
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self(left))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no member stands twice")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if all.contains_key(&name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            let value = members.next_value_seed(below)?;
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{claims}.c2ln")
    }

    fn refusal(header: &str) -> JwsError {
        Jws::parse(&token(header, "{}")).unwrap_err()
    }

    #[test]
    fn a_token_is_taken_apart() {
        let text = token(
            r#"{"alg":"ES256","kid":"a","typ":"application/AT+JWT"}"#,
            r#"{"sub":"x"}"#,
        );
        let jws = Jws::parse(&text).unwrap();
        assert_eq!(jws.header.algorithm, Algorithm::ES256);
        assert_eq!(jws.header.key.as_deref(), Some("a"));
        assert_eq!(jws.header.kind.as_deref(), Some("at+jwt"));
        assert_eq!(format!("{}.{}", jws.signed, jws.signature), text);
        assert_eq!(jws.claims().unwrap()["sub"], "x");
        assert!(Jws::is_meant(&text));
    }

    #[test]
    fn none_and_hmac_are_no_algorithms() {
        for alg in [
            "none", "None", "nOnE", "", "HS256", "HS512", "ES512", "ES256K", "rs256",
        ] {
            assert_eq!(
                refusal(&format!(r#"{{"alg":"{alg}"}}"#)),
                JwsError::Algorithm,
                "{alg}"
            );
        }
        assert_eq!(refusal("{}"), JwsError::Algorithm);
        for alg in [r#"["RS256"]"#, "1", "null", r#"{"a":"RS256"}"#] {
            assert_eq!(
                refusal(&format!(r#"{{"alg":{alg}}}"#)),
                JwsError::Malformed,
                "{alg}"
            );
        }
    }

    #[test]
    fn a_header_that_brings_a_key_or_demands_an_extension_is_refused() {
        for member in [
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""b64":false"#,
            r#""b64":true"#,
            r#""jwk":{"kty":"oct","k":"AA"}"#,
            r#""jku":"https://evil.example/keys""#,
            r#""x5u":"https://evil.example/chain""#,
            r#""x5c":["MIIB"]"#,
        ] {
            assert_eq!(
                refusal(&format!(r#"{{"alg":"RS256",{member}}}"#)),
                JwsError::Header,
                "{member}"
            );
        }
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_at_every_level() {
        for header in [
            r#"{"alg":"RS256","alg":"RS256"}"#,
            r#"{"alg":"RS256","\u0061lg":"ES256"}"#,
            r#"{"alg":"RS256","x":{"a":1,"a":2}}"#,
            r#"{"alg":"RS256","x":[{"a":1,"a":2}]}"#,
        ] {
            assert_eq!(refusal(header), JwsError::Malformed, "{header}");
        }
        for claims in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            "[]",
            "1",
            "",
            "{} {}",
            "\u{feff}{}",
        ] {
            let text = token(r#"{"alg":"RS256"}"#, claims);
            assert_eq!(
                Jws::parse(&text).unwrap().claims(),
                Err(JwsError::Malformed),
                "{claims}"
            );
        }
    }

    #[test]
    fn only_three_unpadded_base64url_segments_are_a_token() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        assert!(Jws::parse(&good).is_ok());
        let (signed, _) = good.rsplit_once('.').unwrap();
        for text in [
            signed.to_owned(),
            format!("{signed}."),
            format!("{good}."),
            format!("{good}.c2ln"),
            format!("{good}="),
            format!(" {good}"),
            format!("{good}\n"),
            // Bits behind the end: the same bytes, written otherwise.
            format!("{signed}.c2lnbg"),
            format!("{signed}.c2lnbh"),
            format!("{signed}.a+/a"),
            format!("..{good}"),
            String::new(),
            "..".to_owned(),
        ] {
            let strict = text.ends_with(".c2lnbg");
            assert_eq!(Jws::parse(&text).is_ok(), strict, "{text}");
        }
        assert!(!Jws::is_meant("opaque") && !Jws::is_meant("a.b.c") && !Jws::is_meant(&format!("{good}.x")));
    }

    #[test]
    fn what_is_long_or_deep_is_refused() {
        let long = token(
            r#"{"alg":"RS256"}"#,
            &format!(r#"{{"a":"{}"}}"#, "x".repeat(TOKEN_LIMIT)),
        );
        assert_eq!(Jws::parse(&long), Err(JwsError::Malformed));
        let deep = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(object(deep(15).as_bytes()).is_ok());
        assert!(object(deep(16).as_bytes()).is_err());
        let kid = |length: usize| format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(length));
        assert_eq!(refusal(&kid(257)), JwsError::Malformed);
        assert!(Jws::parse(&token(&kid(256), "{}")).is_ok());
    }

    #[test]
    fn a_key_id_is_a_text() {
        for kid in [r#"["a"]"#, r#"{"a":1}"#, "1", "null", "true"] {
            assert_eq!(
                refusal(&format!(r#"{{"alg":"RS256","kid":{kid}}}"#)),
                JwsError::Malformed
            );
        }
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let text = token(r#"{"alg":"RS256"}"#, r#"{"sub":"alice"}"#);
        let shown = format!("{:?}", Jws::parse(&text).unwrap());
        assert!(
            !shown.contains(&text[..10]) && !shown.contains("alice"),
            "{shown}"
        );
    }
}
