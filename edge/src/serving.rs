//! Hands the listeners to what answers on them.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::transport::Identity;
use turnpike_runtime::{
    operations,
    tls::{self, TlsError},
};

use crate::{
    edge::{self, Edge, StartError},
    proxy::{self, State},
    settings::Settings,
};

/// What the data listener presents, where it is to speak TLS.
pub(crate) fn tls(settings: &Settings) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(certificate), Some(key)) = (&settings.tls_cert, &settings.tls_key) else {
        return Ok(None);
    };
    let config = tls::server_config(certificate, key, &[b"h2", b"http/1.1"])?;
    Ok(Some(TlsAcceptor::from(config)))
}

/// Which authorities are trusted beside the system's.
pub(crate) fn authorities(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |path| tls::certificates(path, "the authorities");
    settings.ca_file.as_deref().map_or(Ok(Vec::new()), read)
}

/// Starts answering on both listeners until the shutdown, with tasks of [`Edge::serving`].
pub(crate) fn start(
    data: TcpListener,
    operations: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    edge: &Edge,
) {
    let tasks = edge.serving();
    tasks.spawn_essential("sentinel", proxy::end_revoked(state.clone()));
    tasks.spawn_essential("serve", proxy::serve(data, tls, state));
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_essential(
        "operations",
        operations::serve(operations, edge.readiness.clone(), shutdown),
    );
}

/// The listener for Envoy, bound, and what it presents where it is to speak TLS.
pub(crate) struct ForEnvoy {
    listener: TcpListener,
    address: SocketAddr,
    identity: Option<Identity>,
}

impl ForEnvoy {
    /// Nothing where none is wanted.
    pub(crate) async fn of(settings: &Settings) -> Result<Option<Self>, StartError> {
        let Some(wanted) = settings.ext_authz_listen else {
            return Ok(None);
        };
        let identity = match (&settings.tls_cert, &settings.tls_key) {
            (Some(certificate), Some(key)) => Some(Identity::from_pem(
                read("the certificate", certificate)?,
                read("the private key", key)?,
            )),
            _ => None,
        };
        let listener = edge::listen(wanted).await?;
        Ok(Some(Self {
            address: edge::address(&listener, wanted)?,
            listener,
            identity,
        }))
    }

    /// Answers until the shutdown.
    pub(crate) fn start(self, state: Arc<State>, edge: &Edge) {
        tracing::info!(ext_authz = %self.address, "Envoy may ask");
        let serving = proxy::serve_ext_authz(self.listener, self.identity, state);
        edge.serving().spawn_essential("ext-authz", serving);
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::File {
        what,
        path: path.to_owned(),
        detail: error.to_string(),
    })
}
