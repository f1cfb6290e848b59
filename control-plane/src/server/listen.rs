//! The gRPC listener: bound before anything else, so that a wrong address is noticed at once.

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use super::StartError;
use crate::settings::Settings;

/// A dead peer is noticed after so long without an answer to a ping.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(10);

/// A bound gRPC listener, not yet serving.
pub(super) struct Listener {
    socket: TcpListener,
    server: Server,
    /// Where it is bound; the port is known even if 0 was asked for.
    pub(super) address: SocketAddr,
}

impl Listener {
    /// Binds the listener that the settings name.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let mut server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE));
        match &settings.tls {
            Some((certificate, key)) => {
                let identity = Identity::from_pem(
                    read("TURNPIKE_TLS_CERT", certificate)?,
                    read("TURNPIKE_TLS_KEY", key)?,
                );
                server = server
                    .tls_config(ServerTlsConfig::new().identity(identity))
                    .map_err(|error| StartError::setting("TURNPIKE_TLS_CERT", error))?;
            }
            None if settings.listen.ip().is_loopback() || settings.allow_plaintext => {}
            None => {
                return Err(StartError::setting(
                    "TURNPIKE_LISTEN",
                    "plaintext is served on a loopback address only; set TURNPIKE_TLS_CERT and TURNPIKE_TLS_KEY, or \
                     TURNPIKE_ALLOW_PLAINTEXT where the network encrypts by itself",
                ));
            }
        }
        let (socket, address) = bind("TURNPIKE_LISTEN", settings.listen).await?;
        Ok(Self {
            socket,
            server,
            address,
        })
    }

    /// Serves until `stop`, and then what is being answered to its end.
    pub(super) async fn serve(mut self, routes: Routes, stop: CancellationToken) {
        // The server's own setting does not reach connections that it is handed, and a notice must not wait until the edge
        // has acknowledged the one before.
        let incoming = TcpIncoming::from(self.socket).with_nodelay(Some(true));
        let serving = self
            .server
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the gRPC listener broke off");
        }
    }
}

/// Binds an address, and says which one it is; the port is known even if 0 was asked for.
pub(super) async fn bind(
    setting: &'static str,
    wanted: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = TcpListener::bind(wanted).await;
    let socket = bound
        .map_err(|error| StartError::setting(setting, format!("{wanted} cannot be listened on: {error}")))?;
    let address = socket.local_addr();
    Ok((
        socket,
        address.map_err(|error| StartError::setting(setting, error))?,
    ))
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|error| StartError::setting(setting, format!("{}: {error}", path.display())))
}
