//! What the process does, from its command line to its end.

use std::sync::Arc;

use turnpike_runtime::{
    bus::{SharedBus, nats::NatsBus},
    shutdown::Shutdown,
    telemetry::{self, Telemetry},
};

use crate::{
    server::{ControlPlane, StartError},
    settings::{Arguments, MigrateArguments, Settings},
    store,
};

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// It did not start; the text names the setting to change.
pub async fn serve(arguments: Arguments) -> Result<(), StartError> {
    let telemetry = tell(&arguments.telemetry)?;
    let served = until_shutdown(arguments).await;
    telemetry.shutdown().await;
    served
}

async fn until_shutdown(arguments: Arguments) -> Result<(), StartError> {
    let settings = arguments.check()?;
    let shutdown = Shutdown::on_signals().map_err(|error| StartError::State(format!("signals: {error}")))?;
    match ControlPlane::start(settings.clone(), bus(&settings).await?, shutdown).await {
        Ok(control_plane) => control_plane.join().await,
        Err(StartError::Stopped) => tracing::info!("stopped before it had started"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Log, metrics and traces, from here on.
fn tell(settings: &telemetry::Settings) -> Result<Telemetry, StartError> {
    let told = telemetry::init("turnpike-control-plane", settings);
    told.map_err(|error| StartError::State(error.to_string()))
}

/// What carries the news to edges in other processes.
async fn bus(settings: &Settings) -> Result<Option<SharedBus>, StartError> {
    let connected = NatsBus::connect(&settings.nats, "turnpike-control-plane").await;
    let bus = connected.map_err(|error| StartError::State(error.to_string()))?;
    if bus.is_none() {
        tracing::warn!(
            "TURNPIKE_NATS_URL is not set: edges learn of changes from the control plane they are attached to alone"
        );
    }
    Ok(bus.map(|bus| Arc::new(bus) as SharedBus))
}

/// Brings the database's tables up to date.
///
/// # Errors
/// The database could not be reached or refused.
pub async fn migrate(arguments: MigrateArguments) -> Result<(), StartError> {
    let MigrateArguments {
        database_url,
        app_role,
        telemetry,
    } = arguments;
    let telemetry = tell(&telemetry)?;
    store::migrate(database_url.expose(), app_role.as_deref())
        .await
        .map_err(|error| StartError::setting("TURNPIKE_DATABASE_URL", error))?;
    tracing::info!("the database's tables are up to date");
    telemetry.shutdown().await;
    Ok(())
}
