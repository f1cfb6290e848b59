//! The connection to a control plane, shared by everything that talks to it.

use std::{io, path::Path, time::Duration};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use turnpike_runtime::{
    enrolment::{AuthorityKey, SERVER_NAME},
    keyring::Keyring,
    random,
};

mod failover;

pub use failover::Failover;

const CONNECT: Duration = Duration::from_secs(5);
/// A connection on which nothing comes back for so long is given up, so that a cut that nobody was told of shows.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Why there can be no connection, whoever is at the other end.
#[derive(Debug, thiserror::Error)]
pub enum Unconnectable {
    /// The file of authorities can't be read.
    #[error("cannot read the authorities in {0}: {1}")]
    Authorities(String, #[source] io::Error),
    /// TLS can't be set up.
    #[error("cannot set up TLS to the control plane: {0}")]
    Tls(#[from] tonic::transport::Error),
}

/// The control plane, as this edge is known to it.
pub type ControlPlane = InterceptedService<Failover, EdgeToken>;

/// Where the control planes are. All of them say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlanes {
    /// One there must be.
    pub first: http::Uri,
    /// For when it does not answer.
    pub others: Vec<http::Uri>,
}

impl ControlPlanes {
    /// All of them.
    fn all(&self) -> impl Iterator<Item = &http::Uri> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// One that is spoken to without TLS.
    pub(crate) fn plain(&self) -> Option<&http::Uri> {
        self.all().find(|uri| uri.scheme_str() != Some("https"))
    }
}

/// Whom a connection trusts, and as whom it comes.
#[derive(Debug, Clone)]
pub(crate) enum Trust<'p> {
    /// The system's authorities and those of a file. Who comes is told with each call.
    Authorities(Option<&'p Path>),
    /// The control plane's own authority alone. With an identity the connection is this edge's.
    Authority(AuthorityKey, Option<Identity>),
}

impl From<http::Uri> for ControlPlanes {
    fn from(first: http::Uri) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

/// Shows with every call that this edge holds the keyring.
#[derive(Clone)]
pub struct EdgeToken(Option<MetadataValue<Ascii>>);

impl EdgeToken {
    /// The token of a keyring; `None` in tests of servers that ask for none.
    pub fn of(keyring: Option<&Keyring>) -> Self {
        let text = keyring.map(|keyring| format!("Bearer {}", keyring.edge_token().expose()));
        let mut value: Option<MetadataValue<Ascii>> = text.and_then(|text| text.parse().ok());
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        Self(value)
    }
}

impl Interceptor for EdgeToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A channel that connects when first used and again whenever it breaks, to the next control plane where one does not answer.
///
/// # Errors
/// Only what no waiting can make good.
pub fn channel(
    control_planes: &ControlPlanes,
    authorities: Option<&Path>,
    token: EdgeToken,
) -> Result<ControlPlane, Unconnectable> {
    let channels = channels(control_planes, &Trust::Authorities(authorities))?;
    let begin = usize::from(u16::from_le_bytes(random::bytes()));
    Ok(InterceptedService::new(Failover::new(channels, begin), token))
}

/// One channel to each, which connects when first used.
pub(crate) fn channels(
    control_planes: &ControlPlanes,
    trust: &Trust<'_>,
) -> Result<Vec<Channel>, Unconnectable> {
    control_planes.all().map(|uri| one(uri.clone(), trust)).collect()
}

fn one(control_plane: http::Uri, trust: &Trust<'_>) -> Result<Channel, Unconnectable> {
    let secure = control_plane.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(control_plane)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(ALIVE_EVERY)
        .keep_alive_timeout(ALIVE_EVERY)
        .keep_alive_while_idle(true)
        .user_agent(concat!("turnpike-edge/", env!("CARGO_PKG_VERSION")))?;
    if secure {
        endpoint = endpoint.tls_config(tls(trust)?)?;
    }
    Ok(endpoint.connect_lazy())
}

fn tls(trust: &Trust<'_>) -> Result<ClientTlsConfig, Unconnectable> {
    match trust {
        Trust::Authorities(None) => Ok(ClientTlsConfig::new().with_native_roots()),
        Trust::Authorities(Some(path)) => {
            let unreadable = |error| Unconnectable::Authorities(path.display().to_string(), error);
            let authorities = Certificate::from_pem(std::fs::read(path).map_err(unreadable)?);
            Ok(ClientTlsConfig::new()
                .with_native_roots()
                .ca_certificate(authorities))
        }
        Trust::Authority(key, identity) => {
            let tls = ClientTlsConfig::new()
                .trust_anchor(key.anchor())
                .domain_name(SERVER_NAME);
            Ok(match identity {
                Some(identity) => tls.identity(identity.clone()),
                None => tls,
            })
        }
    }
}
