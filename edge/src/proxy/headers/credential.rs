//! The one credential that a request presents, whichever header its SDK puts it in.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Every header that carries a credential, none of which is for the provider.
pub static HEADERS: [HeaderName; 4] = [AUTHORIZATION, X_API_KEY, API_KEY, X_GOOG_API_KEY];

/// Why a request's credential can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The same header twice; 400.
    #[error("a header that carries a credential was sent more than once")]
    Repeated,
    /// Two headers that say different things; 400.
    #[error("the request carries two different credentials")]
    Conflicting,
    /// Not `Bearer`, empty, or not printable ASCII; 401, like every credential that opens nothing.
    #[error("the credential is malformed")]
    Malformed,
}

/// The credential that a request presents, `None` where it presents none. Allocates nothing.
pub fn credential(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    // One look at each header is less than a search for each of the four.
    let mut found = [(None, false); HEADERS.len()];
    for (name, value) in headers {
        let which = HEADERS.iter().position(|credential| credential == name);
        if let Some((first, repeated)) = which.and_then(|which| found.get_mut(which)) {
            *repeated = first.is_some();
            *first = Some(value);
        }
    }
    let mut presented = None;
    for (name, (value, repeated)) in HEADERS.iter().zip(found) {
        let Some(value) = value else { continue };
        if repeated {
            return Err(CredentialError::Repeated);
        }
        let found = read(name, value)?;
        match presented {
            Some(other) if other != found => return Err(CredentialError::Conflicting),
            _ => presented = Some(found),
        }
    }
    Ok(presented)
}

fn read<'h>(name: &HeaderName, value: &'h HeaderValue) -> Result<&'h str, CredentialError> {
    let text = value.to_str().map_err(|_| CredentialError::Malformed)?;
    let credential = if *name == AUTHORIZATION {
        bearer(text)
    } else {
        Some(text)
    };
    credential
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(CredentialError::Malformed)
}

/// `Bearer`, in any case, one or more spaces, and the rest (RFC 9110, section 11.4).
fn bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| rest.trim_start_matches(' '))
}
