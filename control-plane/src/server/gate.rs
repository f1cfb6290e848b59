//! The gRPC listener before the database is reached: it answers every call with `UNAVAILABLE` and what is awaited,
//! so that a client learns more than "connection refused".

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
};
use tonic::{Status, service::Routes};
use tower::ServiceExt as _;

/// Shut until the services are there; it opens once.
#[derive(Clone)]
pub(super) struct Gate {
    open: Arc<OnceLock<Router>>,
    awaited: Arc<str>,
}

impl Gate {
    /// A gate that says what it is waiting for.
    pub(super) fn shut(awaited: &str) -> Self {
        Self {
            open: Arc::default(),
            awaited: Arc::from(awaited),
        }
    }

    /// From now on calls reach the services.
    pub(super) fn open(&self, services: Routes) {
        // A second opening would be a mistake without effect: the first services stay.
        let _ = self.open.set(services.prepare().into_axum_router());
    }

    /// What the listener serves.
    pub(super) fn routes(&self) -> Routes {
        Routes::from(Router::new().fallback(pass).with_state(self.clone()))
    }
}

async fn pass(State(gate): State<Gate>, request: Request) -> Response {
    match gate.open.get() {
        Some(services) => match services.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => Status::unavailable(gate.awaited.as_ref()).into_http(),
    }
}
