//! Headers on their way through: who the client says it is, and what may travel on in either direction.
//!
//! What a credential is worth is left to the snapshot; what is added for a provider, its own secret above all, is
//! added elsewhere.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{self, CONNECTION},
};

mod credential;
#[cfg(test)]
mod tests;

pub use credential::{CredentialError, HEADERS as CREDENTIALS, credential};

/// Where the provider's own id of a request is kept.
pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// A request says in two ways where its body ends; 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request may have one content-length or a transfer-encoding, not both")]
pub struct AmbiguousLength;

/// Refuses a request whose end two readers might see in different places (RFC 9112, section 6.3).
pub fn check_length(headers: &HeaderMap) -> Result<(), AmbiguousLength> {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    if lengths > 1 || (lengths == 1 && headers.contains_key(header::TRANSFER_ENCODING)) {
        return Err(AmbiguousLength);
    }
    Ok(())
}

/// A request that does not say once whom it is for; 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request has one host header")]
pub struct AmbiguousHost;

/// Refuses a request over HTTP/1.1 without a host, and any with more than one (RFC 9112, section 3.2).
pub fn check_host(version: Version, headers: &HeaderMap) -> Result<(), AmbiguousHost> {
    let hosts = headers.get_all(header::HOST).iter().count();
    match hosts {
        0 if version == Version::HTTP_11 => Err(AmbiguousHost),
        0 | 1 => Ok(()),
        _ => Err(AmbiguousHost),
    }
}

/// Takes out of a client's request what is not for the provider: hop-by-hop headers, credentials and cookies,
/// everything of ours, and what the edge says anew about host, length and encoding.
pub fn prepare_request(headers: &mut HeaderMap) {
    remove_connection_options(headers);
    let unwanted: Vec<HeaderName> = headers.keys().filter(|name| stays_here(name)).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
    // Usage is read off the response as it passes, so it must not come compressed.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Takes out of a provider's response what is not for the client, and renames what would be read as ours.
/// `retry-after` stays: clients need it.
pub fn prepare_response(headers: &mut HeaderMap) {
    remove_connection_options(headers);
    let affected: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name) || speaks_for_origin(name) || renamed(name).is_some())
        .cloned()
        .collect();
    for name in affected {
        let value = headers.remove(&name);
        if let (Some(value), Some(new)) = (value, renamed(&name).and_then(Renamed::header)) {
            headers.insert(new, value);
        }
    }
}

/// Whether a header ends at the first hop (RFC 9110, section 7.6.1, and its forerunners).
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "proxy-authentication-info"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

fn stays_here(name: &HeaderName) -> bool {
    let text = name.as_str();
    is_hop_by_hop(name)
        || credential::HEADERS.iter().any(|credential| credential == text)
        || text.starts_with("x-turnpike-")
        || matches!(
            text,
            "cookie" | "cookie2" | "host" | "content-length" | "expect" | "accept-encoding"
        )
}

/// What a provider says about its own origin is not true of the edge's.
fn speaks_for_origin(name: &HeaderName) -> bool {
    let text = name.as_str();
    matches!(
        text,
        "set-cookie" | "alt-svc" | "strict-transport-security" | "server"
    ) || text.starts_with("x-turnpike-")
}

/// Headers that SDKs read as the edge's own words.
enum Renamed<'n> {
    RequestId,
    RateLimit(&'n str),
}

impl Renamed<'_> {
    fn header(self) -> Option<HeaderName> {
        match self {
            Self::RequestId => Some(UPSTREAM_REQUEST_ID),
            Self::RateLimit(rest) => HeaderName::try_from(format!("x-upstream-{rest}")).ok(),
        }
    }
}

fn renamed(name: &HeaderName) -> Option<Renamed<'_>> {
    let text = name.as_str();
    if matches!(text, "x-request-id" | "request-id") {
        return Some(Renamed::RequestId);
    }
    let rest = text.strip_prefix("x-").unwrap_or(text);
    let ours = rest.starts_with("ratelimit-") || rest.starts_with("anthropic-ratelimit-");
    ours.then_some(Renamed::RateLimit(rest))
}

/// Removes the headers that `connection` names.
fn remove_connection_options(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}
