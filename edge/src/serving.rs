//! Hands the listeners to what answers on them.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use turnpike_runtime::{
    operations,
    tls::{self, TlsError},
};

use crate::{
    edge::Edge,
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
    state: State,
    edge: &Edge,
) {
    let tasks = edge.serving();
    tasks.spawn_essential("serve", proxy::serve(data, tls, Arc::new(state)));
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_essential(
        "operations",
        operations::serve(operations, edge.readiness.clone(), shutdown),
    );
}
