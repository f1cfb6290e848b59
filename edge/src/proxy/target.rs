//! Where a provider is and how it is spoken to: its URL taken apart and its secret opened, once for each revision.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, HOST},
    uri::{Authority, PathAndQuery, Scheme},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use turnpike_access::{
    id::Name,
    model::{Provider, ProviderKind},
};
use turnpike_runtime::{
    keyring::{Keyring, Sealed},
    telemetry::span::Call,
};

use super::{
    reject::Refusal,
    route::{ModelIn, Route},
};

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// Where neither the client nor the provider's configuration says.
const DEFAULT_ANTHROPIC_VERSION: &str = "2023-06-01";
const DEFAULT_AZURE_VERSION: &str = "2024-10-21";

/// What a provider's secret is sealed for; it opens nowhere else.
pub(super) fn purpose(tenant: &Name, provider: &Name) -> String {
    format!("provider:{tenant}/{provider}")
}

type Key = (Name, Name);

/// The targets that were used so far. Reading takes no lock.
pub(super) struct Targets {
    keyring: Arc<Keyring>,
    known: ArcSwap<HashMap<Key, Arc<Target>, RandomState>>,
}

/// A provider, ready to be called.
pub(super) struct Target {
    pub(super) kind: ProviderKind,
    revision: u64,
    scheme: Scheme,
    authority: Authority,
    /// The base URL's path, without a slash at its end.
    base_path: String,
    secret: Option<(HeaderName, HeaderValue)>,
    /// `host`, where the protocol is HTTP/1.1 for certain; else the client library writes it anew for each request.
    host: Option<HeaderValue>,
    api_version: Option<String>,
    /// Its name in identity headers, if it wants them.
    pub(super) identity: Option<Arc<str>>,
    /// It answered 400 when it was asked for usage at the end of a stream, so it is asked no more.
    pub(super) rejects_stream_options: AtomicBool,
}

impl Targets {
    pub(super) fn new(keyring: Arc<Keyring>) -> Self {
        Self {
            keyring,
            known: ArcSwap::default(),
        }
    }

    /// The target of a provider as it is configured now.
    pub(super) fn get(&self, tenant: &Name, provider: &Provider) -> Result<Arc<Target>, Refusal> {
        let key = (tenant.clone(), provider.name.clone());
        if let Some(target) = self
            .known
            .load()
            .get(&key)
            .filter(|known| known.revision == provider.revision)
        {
            return Ok(target.clone());
        }
        let target = Target::new(&self.keyring, tenant, provider).map_err(|problem| {
            tracing::error!(%tenant, provider = %provider.name, problem, "a provider can't be called");
            Refusal::UpstreamUnreachable
        })?;
        let target = Arc::new(target);
        self.known.rcu(|known| {
            let mut next = HashMap::clone(known);
            next.insert(key.clone(), target.clone());
            next
        });
        Ok(target)
    }
}

impl Target {
    fn new(keyring: &Keyring, tenant: &Name, provider: &Provider) -> Result<Self, &'static str> {
        let profile = &provider.profile;
        let base: Uri = profile
            .base_url
            .parse()
            .map_err(|_| "its base URL is not a URL")?;
        let secret = match &profile.sealed_secret {
            Some(sealed) => Some(open(
                keyring,
                &purpose(tenant, &provider.name),
                sealed,
                profile.kind,
            )?),
            None => None,
        };
        let path = base.path().trim_end_matches('/');
        // Anthropic's paths bring their own /v1, whether or not the base URL has it.
        let path = if profile.kind == ProviderKind::Anthropic {
            path.strip_suffix("/v1").unwrap_or(path)
        } else {
            path
        };
        Ok(Self {
            kind: profile.kind,
            revision: provider.revision,
            host: host(&base),
            scheme: base.scheme().cloned().ok_or("its base URL has no scheme")?,
            authority: base.authority().cloned().ok_or("its base URL has no host")?,
            base_path: path.to_owned(),
            secret,
            api_version: profile.api_version.as_deref().map(str::to_owned),
            identity: profile.identity.as_ref().map(|identity| {
                let audience = identity.audience.as_ref();
                audience.unwrap_or(&profile.base_url).clone()
            }),
            rejects_stream_options: AtomicBool::new(false),
        })
    }

    /// The URL of a route for a model, with the client's query.
    pub(super) fn uri(&self, route: &Route, model: &str, query: Option<&str>) -> Result<Uri, Refusal> {
        let mut text = String::with_capacity(self.base_path.len() + route.template.len() + 64);
        text.push_str(&self.base_path);
        let versioned = route.template.strip_prefix("/v1").unwrap_or(route.template);
        // Of Azure's own shape, what follows the deployment.
        let operation = match route.model {
            ModelIn::Path => versioned
                .split_once("{model}")
                .map_or(versioned, |(_, after)| after),
            _ => versioned,
        };
        match self.kind {
            ProviderKind::Openai => text.push_str(operation),
            ProviderKind::Anthropic => text.push_str(route.template),
            ProviderKind::AzureOpenai => {
                text.push_str("/openai/deployments/");
                encode_segment(model, &mut text);
                text.push_str(operation);
            }
        }
        self.push_query(query, &mut text);
        let malformed = |_| Refusal::Malformed("The query is not valid.".into());
        let path = PathAndQuery::try_from(text).map_err(malformed)?;
        let parts = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path);
        parts.build().map_err(|_| Refusal::UpstreamUnreachable)
    }

    fn push_query(&self, query: Option<&str>, text: &mut String) {
        let mut separator = '?';
        if let Some(query) = query {
            text.push(separator);
            text.push_str(query);
            separator = '&';
        }
        let versioned =
            query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("api-version=")));
        if self.kind == ProviderKind::AzureOpenai && !versioned {
            text.push(separator);
            text.push_str("api-version=");
            text.push_str(self.api_version.as_deref().unwrap_or(DEFAULT_AZURE_VERSION));
        }
    }

    /// Adds the provider's own secret, and what else it insists on.
    pub(super) fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        if let Some((name, value)) = &self.secret {
            headers.insert(name.clone(), value.clone());
        }
        if self.kind == ProviderKind::Anthropic && !headers.contains_key(ANTHROPIC_VERSION) {
            let version = self.api_version.as_deref().unwrap_or(DEFAULT_ANTHROPIC_VERSION);
            if let Ok(version) = HeaderValue::from_str(version) {
                headers.insert(ANTHROPIC_VERSION, version);
            }
        }
    }

    /// What a trace says of a call to this provider.
    pub(super) fn call<'a>(&'a self, operation: &'a str, model: &'a str) -> Call<'a> {
        let default_port = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        Call {
            operation,
            provider: convention_name(self.kind),
            model,
            address: self.authority.host(),
            port: self.authority.port_u16().unwrap_or(default_port),
        }
    }

    /// Whether a stream may be asked for its usage.
    pub(super) fn takes_stream_options(&self) -> bool {
        self.kind != ProviderKind::Anthropic && !self.rejects_stream_options.load(Ordering::Relaxed)
    }
}

/// Host and port, without a user; the port where it is not the scheme's own. Over TLS a provider may choose HTTP/2, which
/// has no such header.
fn host(base: &Uri) -> Option<HeaderValue> {
    let authority = base
        .authority()
        .filter(|_| base.scheme() == Some(&Scheme::HTTP))?;
    match authority.port_u16().filter(|port| *port != 80) {
        Some(port) => HeaderValue::try_from(format!("{}:{port}", authority.host())).ok(),
        None => HeaderValue::from_str(authority.host()).ok(),
    }
}

/// The well-known values of `gen_ai.provider.name`.
pub(super) fn convention_name(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Openai => "openai",
        ProviderKind::AzureOpenai => "azure.ai.openai",
        ProviderKind::Anthropic => "anthropic",
    }
}

fn open(
    keyring: &Keyring,
    purpose: &str,
    sealed: &str,
    kind: ProviderKind,
) -> Result<(HeaderName, HeaderValue), &'static str> {
    const UNREADABLE: &str = "its secret was sealed under another keyring: give this edge the control plane's \
                              TURNPIKE_KEYRING";
    let sealed: Sealed = sealed.parse().map_err(|_| UNREADABLE)?;
    let secret = keyring
        .open(purpose, &sealed)
        .map_err(|_| UNREADABLE)?
        .to_text()
        .ok_or(UNREADABLE)?;
    let (name, text) = match kind {
        ProviderKind::Openai => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
        ProviderKind::AzureOpenai => (API_KEY, secret.expose().to_owned()),
        ProviderKind::Anthropic => (X_API_KEY, secret.expose().to_owned()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| "its secret can't be put into a header")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// RFC 3986 unreserved characters stay, all others are percent-encoded.
fn encode_segment(segment: &str, out: &mut String) {
    const RESERVED: AsciiSet = NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    out.extend(utf8_percent_encode(segment, &RESERVED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_written_as_the_client_library_would() {
        for (base, expected) in [
            ("http://example.com/v1", Some("example.com")),
            ("http://example.com:80", Some("example.com")),
            ("http://example.com:8080/v1", Some("example.com:8080")),
            ("http://user:secret@example.com/", Some("example.com")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("https://example.com", None),
        ] {
            let host = host(&base.parse().expect("a URL"));
            assert_eq!(
                host.as_ref().map(HeaderValue::as_bytes),
                expected.map(str::as_bytes),
                "{base}"
            );
        }
    }
}
