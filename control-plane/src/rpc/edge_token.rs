//! Who may call the services for edges: whoever holds the keyring's edge token.

use std::sync::Arc;

use tonic::{Request, Status, service::Interceptor};
use turnpike_runtime::keyring::Keyring;

/// Lets a call pass that carries `authorization: Bearer <edge token>`.
#[derive(Clone)]
pub(crate) struct EdgeToken(Arc<Keyring>);

impl EdgeToken {
    pub(crate) fn of(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }
}

impl Interceptor for EdgeToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let presented = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match presented {
            Some(token) if self.0.accepts_edge_token(token) => Ok(request),
            _ => Err(Status::unauthenticated(
                "not an edge of this installation: its keyring is another one",
            )),
        }
    }
}
