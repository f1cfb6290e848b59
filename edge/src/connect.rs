//! The connection to a control plane, shared by everything that talks to it.

use std::{io, path::Path, time::Duration};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use turnpike_runtime::{keyring::Keyring, random};

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
    control_planes: ControlPlanes,
    authorities: Option<&Path>,
    token: EdgeToken,
) -> Result<ControlPlane, Unconnectable> {
    let ControlPlanes { first, others } = control_planes;
    let first = one(first, authorities)?;
    let others: Vec<_> = others
        .into_iter()
        .map(|uri| one(uri, authorities))
        .collect::<Result<_, _>>()?;
    let begin = usize::from(u16::from_le_bytes(random::bytes()));
    Ok(InterceptedService::new(
        Failover::new(first, others, begin),
        token,
    ))
}

fn one(control_plane: http::Uri, authorities: Option<&Path>) -> Result<Channel, Unconnectable> {
    let secure = control_plane.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(control_plane)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(ALIVE_EVERY)
        .keep_alive_timeout(ALIVE_EVERY)
        .keep_alive_while_idle(true)
        .user_agent(concat!("turnpike-edge/", env!("CARGO_PKG_VERSION")))?;
    if secure {
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(path) = authorities {
            let unreadable = |error| Unconnectable::Authorities(path.display().to_string(), error);
            tls = tls.ca_certificate(Certificate::from_pem(std::fs::read(path).map_err(unreadable)?));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    Ok(endpoint.connect_lazy())
}
