//! The gRPC listener that Envoy connects to, with the health service beside it.

use std::sync::Arc;

use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};
use turnpike_proto::ext_authz::{
    authorization_server::{Authorization, AuthorizationServer},
    v3::{CheckRequest, CheckResponse},
};

use super::check;
use crate::proxy::state::State;

/// What a message has beyond the body that is in it.
const AROUND_THE_BODY: usize = 1 << 20;

struct Service(Arc<State>);

#[tonic::async_trait]
impl Authorization for Service {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(check(&self.0, request.into_inner()).await))
    }
}

/// Serves until shutdown, and then what is being answered to its end. `identity` is what it presents where it is to speak
/// TLS.
pub async fn serve(listener: TcpListener, identity: Option<Identity>, state: Arc<State>) {
    let body = usize::try_from(state.limits.body_limit.get()).unwrap_or(usize::MAX);
    let stop = state.tasks.shutdown().token();
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AuthorizationServer<Service>>().await;
    let service = AuthorizationServer::new(Service(state))
        .max_decoding_message_size(body.saturating_add(AROUND_THE_BODY));
    let mut server = Server::builder();
    if let Some(identity) = identity {
        server = match server.tls_config(ServerTlsConfig::new().identity(identity)) {
            Ok(server) => server,
            Err(error) => {
                tracing::error!(%error, "the listener for Envoy can't speak TLS with the certificate and the key");
                return;
            }
        };
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving = server
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the listener for Envoy broke off");
    }
}
