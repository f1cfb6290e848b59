//! Binds the HTTP listener: for those who operate the process, as an edge has it, and for Turnpike's own tokens.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use turnpike_runtime::{operations, readiness::Readiness, task::Tasks};

use super::StartError;
use crate::settings::Settings;

/// Binds the listener, serves it with `tasks`, and says where.
pub(super) async fn start(
    settings: &Settings,
    readiness: Readiness,
    tasks: &Tasks,
    more: Router,
) -> Result<SocketAddr, StartError> {
    let asked = settings.operations_listen;
    let unusable = |error| {
        let why = format!("{asked} cannot be listened on: {error}");
        StartError::setting("TURNPIKE_OPERATIONS_LISTEN", why)
    };
    let listener = TcpListener::bind(asked).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let serving = operations::serve_with(listener, readiness, tasks.shutdown().clone(), more);
    tasks.spawn_essential("operations", serving);
    Ok(address)
}
