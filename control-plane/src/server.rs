//! The control plane as one value: what it starts, in which order, and how it stops.

use std::{net::SocketAddr, sync::Arc};

use turnpike_runtime::{bus::SharedBus, readiness::Readiness, shutdown::Shutdown};

use crate::{
    bootstrap::BootstrapToken,
    edges::Edges,
    execute::Executor,
    http::{self, Late},
    settings::Settings,
};

mod edges;
mod gate;
mod listen;
mod open;
mod operations;
mod parts;
mod services;
#[cfg(test)]
mod tests;

use edges::EdgeListener;
use gate::Gate;
use listen::Listener;
use parts::Parts;
use services::Services;

/// Why the control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting must be changed.
    #[error("{setting}: {why}")]
    Setting {
        /// The environment variable of that name; the flag is named alike.
        setting: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// What the database holds cannot be used.
    #[error("{0}")]
    State(String),
    /// It was told to stop before it had started.
    #[error("stopped before it had started")]
    Stopped,
}

impl StartError {
    pub(crate) fn setting(setting: &'static str, why: impl ToString) -> Self {
        Self::Setting {
            setting,
            why: why.to_string(),
        }
    }
}

/// A control plane that serves.
pub struct ControlPlane {
    /// Where gRPC is served.
    pub grpc: SocketAddr,
    /// Where edges that have enrolled call, if there are to be any.
    pub edge_listener: Option<SocketAddr>,
    /// Where `/healthz`, `/readyz` and `/metrics` are served, and `/oauth/token`.
    pub operations: SocketAddr,
    /// Where changes are asked for, and the newest state is read.
    pub executor: Executor,
    /// The edges that are known.
    pub edges: Edges,
    /// Accepted for the first administrator.
    pub bootstrap: BootstrapToken,
    shutdown: Shutdown,
    parts: Parts,
}

impl ControlPlane {
    /// Starts a control plane and returns when it serves; until the database is reached it says what it waits for,
    /// over gRPC, in readiness and in the log.
    ///
    /// `bus` carries the news to edges; without one they learn of changes over gRPC alone. `shutdown` ends it, and is
    /// triggered if a part of it fails that it cannot be without.
    ///
    /// # Errors
    /// Names the setting to change.
    pub async fn start(
        settings: Settings,
        bus: Option<SharedBus>,
        shutdown: Shutdown,
    ) -> Result<Self, StartError> {
        tracing::info!(?settings, "effective settings");
        let parts = Parts::new();
        match Started::start(&settings, bus, &shutdown, &parts).await {
            Ok(started) => Ok(Self {
                grpc: started.grpc,
                edge_listener: started.edge_listener,
                operations: started.operations,
                executor: started.services.executor,
                edges: started.services.edges,
                bootstrap: started.services.bootstrap,
                shutdown,
                parts,
            }),
            Err(error) => {
                parts.end().await;
                Err(error)
            }
        }
    }

    /// Serves until the shutdown, and then ends part after part.
    pub async fn join(self) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            why = self.parts.failed() => self.shutdown.trigger(why),
        }
        self.parts.end().await;
        tracing::info!("the control plane has stopped");
    }
}

/// What came up, one after the other.
struct Started {
    grpc: SocketAddr,
    edge_listener: Option<SocketAddr>,
    operations: SocketAddr,
    services: Services,
}

impl Started {
    async fn start(
        settings: &Settings,
        bus: Option<SharedBus>,
        shutdown: &Shutdown,
        parts: &Parts,
    ) -> Result<Self, StartError> {
        let readiness = Readiness::new();
        let awaited = format!("waiting for the database: {}", settings.database());
        let database = readiness.condition("database", awaited.clone());
        let listener = Listener::bind(settings).await?;
        let grpc = listener.address;
        let for_edges = EdgeListener::bind(settings.edges.listen).await?;
        let edge_listener = for_edges.as_ref().map(|listener| listener.address);
        let web = Late::default();
        let routes = http::router(web.clone());
        let operations = operations::start(settings, readiness, &parts.operations, routes).await?;
        tracing::info!(%grpc, %operations, "the control plane listens");
        let gate = Gate::shut(&awaited);
        let stop = parts.serving.shutdown().token();
        parts
            .serving
            .spawn_essential("grpc", listener.serve(gate.routes(), stop));

        let stores = open::stores(settings, &database, shutdown).await?;
        let public_url = settings.public_url.clone();
        let public_url = public_url.unwrap_or_else(|| Arc::from(format!("http://{operations}")));
        let services = Services::start(settings, stores, bus, &database, parts, public_url).await?;
        gate.open(services.routes(settings, parts)?);
        if let (Some(listener), Some(authority)) = (for_edges, &services.authority) {
            let routes = services.edge_routes(settings, authority.clone(), parts);
            let serving = listener.serve(routes, authority, parts.serving.shutdown().token())?;
            parts.serving.spawn_essential("edges' grpc", serving);
        }
        // A second opening would be a mistake without effect.
        let _ = web.set(services.web(parts));
        database.ready();
        let position = services.executor.snapshot().position().get();
        let edges = edge_listener.map_or("none".to_owned(), |address| address.to_string());
        tracing::info!(%grpc, %operations, %edges, position, "the control plane serves");
        Ok(Self {
            grpc,
            edge_listener,
            operations,
            services,
        })
    }
}
