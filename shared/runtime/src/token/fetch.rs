//! Asking issuers over HTTP, where their URLs are a tenant's choice: no address inside is reached, no redirect is
//! followed, no proxy is used, and no answer is read beyond a bound.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE},
};
use ipnet::IpNet;
use reqwest::{
    Client, RequestBuilder, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use rustls_pki_types::CertificateDer;

use super::TokenSetupError;
use crate::{
    reach::{is_local_name, judge, may_reach, this_machine},
    tls,
};

/// The longest answer, in bytes.
pub(super) const ANSWER_LIMIT: usize = 256 * 1024;
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not one that may be asked.
    #[error("the URL is not one that may be asked: https://, without a user, and no address inside")]
    Refused,
    /// No connection, or no answer in time.
    #[error("the server could not be reached, or its name leads to addresses inside")]
    Unreachable,
    /// Another answer than was hoped for.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// Beyond the bound.
    #[error("the answer is too long")]
    TooLong,
}

/// An answer with status 200.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// How long it may be kept, where it says (RFC 9111, section 5.2.2.1).
    pub(super) max_age: Option<Duration>,
}

/// What asks. Clonable; clones share connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    allowed: Arc<[IpNet]>,
}

impl Fetcher {
    /// Asks public addresses, and those in the networks that are allowed.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(allowed: Vec<IpNet>, roots: Vec<CertificateDer<'static>>) -> Result<Self, TokenSetupError> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(roots)?)
            .dns_resolver(Guarded(allowed.clone()))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .pool_max_idle_per_host(4)
            .user_agent("turnpike")
            .build()
            .map_err(|_| TokenSetupError::Client)?;
        Ok(Self { client, allowed })
    }

    pub(super) async fn get(&self, url: &str) -> Result<Answer, FetchError> {
        let url = check(url, &self.allowed)?;
        read(self.client.get(url)).await
    }

    /// Posts JSON; the answer's body is not read.
    ///
    /// # Errors
    /// It was not taken: another status than 2xx, or none.
    pub async fn post_json(&self, url: &str, body: String) -> Result<(), FetchError> {
        self.post_json_with(url, HeaderMap::new(), body).await
    }

    /// The same with more headers.
    ///
    /// # Errors
    /// It was not taken: another status than 2xx, or none.
    pub async fn post_json_with(
        &self,
        url: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<(), FetchError> {
        let posted = self.post(url, headers, "application/json", body.into_bytes());
        posted.await.map(drop)
    }

    /// Posts a body of any type, and says what was answered; nothing where that was too long or broke off.
    ///
    /// # Errors
    /// It was not taken: another status than 2xx, or none.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, FetchError> {
        let url = check(url, &self.allowed)?;
        let request = self.client.post(url).headers(headers);
        let request = request.header(CONTENT_TYPE, content_type);
        let sent = request.body(body).send().await;
        let mut response = sent.map_err(|_| FetchError::Unreachable)?;
        match response.status() {
            status if status.is_success() => Ok(bounded(&mut response).await.unwrap_or_default()),
            status => Err(FetchError::Status(status)),
        }
    }

    /// Posts a form, as a client that shows its secret (RFC 6749, section 2.3.1).
    pub(super) async fn post_form(
        &self,
        url: &str,
        authorization: HeaderValue,
        form: String,
    ) -> Result<Answer, FetchError> {
        let url = check(url, &self.allowed)?;
        let request = self.client.post(url).header(AUTHORIZATION, authorization);
        read(
            request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
        )
        .await
    }
}

async fn read(request: RequestBuilder) -> Result<Answer, FetchError> {
    let sent = request.header(ACCEPT, "application/json").send().await;
    let mut response = sent.map_err(|_| FetchError::Unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let max_age = response.headers().get(CACHE_CONTROL).and_then(max_age);
    let body = bounded(&mut response).await?;
    Ok(Answer { body, max_age })
}

async fn bounded(response: &mut Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| FetchError::Unreachable)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn max_age(value: &HeaderValue) -> Option<Duration> {
    let mut directives = value.to_str().ok()?.split(',').map(str::trim);
    let seconds = directives.find_map(|one| one.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// Whether a URL may be asked. Names are judged again by the addresses that they lead to, at the time of connecting.
pub(super) fn check(text: &str, allowed: &[IpNet]) -> Result<Url, FetchError> {
    let url: Url = text.parse().map_err(|_| FetchError::Refused)?;
    let host = url.host_str().ok_or(FetchError::Refused)?;
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let fits = match url.scheme() {
        // Plain http is for this machine alone, and for it only where that is allowed, as in development.
        "http" => this_machine(host).is_some_and(|address| may_reach(address, allowed)),
        "https" => literal.map_or(!is_local_name(host), |address| may_reach(address, allowed)),
        _ => false,
    };
    if fits && anonymous {
        Ok(url)
    } else {
        Err(FetchError::Refused)
    }
}

/// Resolves names, and keeps of their addresses those that may be reached: what is connected to is what was judged.
struct Guarded(Arc<[IpNet]>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            // The only URLs with this name that pass `check` are http:// of this machine.
            let local = name.as_str() == "localhost";
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let kept = judge(&found, local, &allowed);
            if kept.is_empty() {
                return Err("the name leads to no address that may be reached".into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_refused_however_they_are_written() {
        for url in [
            "http://issuer.example/keys",
            "http://10.0.0.1/keys",
            "http://127.0.0.2/keys",
            "http://127.0.0.1:7071/oauth/token",
            "http://localhost:8080/keys",
            "http://[::1]:8080/keys",
            "http://localhost.evil.example/keys",
            "http://127.0.0.1.evil.example/keys",
            "https://127.0.0.1/keys",
            "https://localhost/keys",
            "https://localhost./keys",
            "https://a.localhost/keys",
            "https://[::1]/keys",
            "https://[::ffff:127.0.0.1]/keys",
            "https://[::ffff:169.254.169.254]/keys",
            "https://[64:ff9b::7f00:1]/keys",
            "https://[2002:7f00:1::]/keys",
            "https://[2001::1]/keys",
            "https://[fd00:ec2::254]/keys",
            "https://[fe80::1]/keys",
            "https://[ff02::1]/keys",
            "https://[::]/keys",
            "https://0.0.0.0/keys",
            "https://10.1.2.3/keys",
            "https://172.31.255.255/keys",
            "https://192.168.1.1/keys",
            "https://169.254.169.254/latest/meta-data",
            "https://168.63.129.16/keys",
            "https://100.100.100.200/keys",
            "https://192.0.0.192/keys",
            "https://224.0.0.1/keys",
            "https://255.255.255.255/keys",
            "https://2130706433/keys",
            "https://0x7f.1/keys",
            "https://0177.0.0.1/keys",
            "https://127.1/keys",
            "https://user:secret@issuer.example/keys",
            "https://issuer.example@10.0.0.1/keys",
            "ftp://issuer.example/keys",
            "file:///etc/passwd",
            "gopher://issuer.example/",
            "issuer.example/keys",
            "",
        ] {
            assert_eq!(check(url, &[]).unwrap_err(), FetchError::Refused, "{url}");
        }
    }

    #[test]
    fn addresses_outside_this_machine_and_allowed_networks_are_asked() {
        let allowed = ["10.1.0.0/16", "fd00::/8", "127.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap());
        for url in [
            "https://issuer.example/keys",
            "https://issuer.example:8443/keys?a=b",
            "https://93.184.215.14/keys",
            "https://[2606:4700::1111]/keys",
            "http://localhost:8080/keys",
            "http://127.0.0.1:8080/keys",
            "http://[::1]:8080/keys",
            "https://10.1.2.3/keys",
            "https://[fd00::1]/keys",
            "https://172.32.0.1/keys",
            "https://[::ffff:10.1.0.1]/keys",
        ] {
            assert!(check(url, &allowed).is_ok(), "{url}");
        }
        for url in [
            "https://10.2.0.1/keys",
            "http://10.1.2.3/keys",
            "http://127.0.0.2/keys",
        ] {
            assert!(check(url, &allowed).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let refused = Guarded(Arc::new([]))
            .resolve("ip6-localhost.".parse().unwrap())
            .await;
        assert!(refused.is_err());
        let local = Guarded(Arc::new([])).resolve("localhost".parse().unwrap()).await;
        assert!(local.unwrap().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn the_age_of_an_answer_is_read() {
        let age = |text: &'static str| max_age(&HeaderValue::from_static(text));
        assert_eq!(
            age("public, max-age=60, must-revalidate"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(age("no-store"), None);
        assert_eq!(age("max-age=-1"), None);
    }
}
