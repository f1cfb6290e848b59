//! The listener of edges that have enrolled: bound with the others, and serving once the database has said who the authority
//! is. It shows a certificate of that authority, and knows by the same one who calls.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};
use turnpike_runtime::{clock, enrolment::Authority};

use super::{StartError, listen};

const SETTING: &str = "TURNPIKE_EDGE_LISTEN";

/// A bound listener, not yet serving.
pub(super) struct EdgeListener {
    socket: TcpListener,
    /// Where it is bound.
    pub(super) address: SocketAddr,
}

impl EdgeListener {
    /// Binds it, where one is wanted.
    pub(super) async fn bind(wanted: Option<SocketAddr>) -> Result<Option<Self>, StartError> {
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let (socket, address) = listen::bind(SETTING, wanted).await?;
        Ok(Some(Self { socket, address }))
    }

    /// Serves until `stop`, and then what is being answered to its end.
    pub(super) fn serve(
        self,
        routes: Routes,
        authority: &Authority,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + 'static, StartError> {
        let shown = authority
            .server(clock::now())
            .map_err(|error| StartError::setting(SETTING, error))?;
        // Who has no certificate yet may ask for one; `rpc::enrolled` lets it do nothing else.
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(shown.certificate, shown.key.expose()))
            .client_ca_root(Certificate::from_pem(shown.authority))
            .client_auth_optional(true);
        let mut server = Server::builder()
            .http2_keepalive_interval(Some(listen::KEEPALIVE))
            .http2_keepalive_timeout(Some(listen::KEEPALIVE))
            .tcp_nodelay(true)
            .tls_config(tls)
            .map_err(|error| StartError::setting(SETTING, error))?;
        Ok(async move {
            let incoming = TcpListenerStream::new(self.socket);
            let serving = server
                .add_routes(routes)
                .serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::error!(%error, "the edges' listener broke off");
            }
        })
    }
}
