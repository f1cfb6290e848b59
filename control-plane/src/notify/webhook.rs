//! How a webhook is signed: by Standard Webhooks (<https://www.standardwebhooks.com>), symmetric, version 1, for which there
//! are libraries in many languages.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use turnpike_access::id::Timestamp;
use turnpike_runtime::secret::Secret;

/// Before a key in base64.
const PREFIX: &str = "whsec_";
/// The shortest secret, in bytes, as Standard Webhooks has it.
pub(crate) const SHORTEST: usize = 24;

/// The bytes that sign: what is after `whsec_` in base64, or the text itself.
pub(crate) fn key(secret: &str) -> Option<Vec<u8>> {
    let key = match secret.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => secret.as_bytes().to_vec(),
    };
    (key.len() >= SHORTEST).then_some(key)
}

/// The headers of a message; nothing where the secret is none.
pub(crate) fn signed(id: &str, now: Timestamp, body: &str, secret: &Secret) -> Option<HeaderMap> {
    let seconds = now.as_micros().div_euclid(1_000_000);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret.expose())?).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_str(id).ok()?);
    headers.insert("webhook-timestamp", HeaderValue::from(seconds));
    headers.insert("webhook-signature", HeaderValue::from_str(&signature).ok()?);
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks reference libraries.
    #[test]
    fn a_message_is_signed_as_the_reference_does() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let now = Timestamp::from_micros(1_614_265_330_000_000);
        let body = r#"{"test": 2432232314}"#;
        let headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", now, body, &secret).unwrap();
        assert_eq!(
            headers["webhook-signature"],
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(headers["webhook-timestamp"], "1614265330");
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        assert_eq!(key("short"), None);
        assert_eq!(key("whsec_%%%"), None);
        assert_eq!(key("whsec_AAAA"), None);
        assert_eq!(key(&"x".repeat(24)).unwrap().len(), 24);
    }
}
