//! Who may call the services for edges at the common listener: whoever holds the keyring's edge token, where that is enough.

use std::sync::Arc;

use tonic::{Request, Status, service::Interceptor};
use turnpike_runtime::keyring::Keyring;

/// Lets a call pass that carries `authorization: Bearer <edge token>`.
#[derive(Clone)]
pub(crate) struct EdgeToken(Option<Arc<Keyring>>);

impl EdgeToken {
    pub(crate) fn of(keyring: Arc<Keyring>) -> Self {
        Self(Some(keyring))
    }

    /// Lets no call pass: the installation's edges enrol.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

impl Interceptor for EdgeToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(keyring) = &self.0 else {
            return Err(Status::unauthenticated(
                "the edges of this installation enrol (turnpike edge enrol), and call it at its TURNPIKE_EDGE_LISTEN",
            ));
        };
        let presented = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match presented {
            Some(token) if keyring.accepts_edge_token(token) => Ok(request),
            _ => Err(Status::unauthenticated(
                "not an edge of this installation: its keyring is another one",
            )),
        }
    }
}
