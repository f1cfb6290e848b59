//! Reaching the database at start: tried again with jitter until it is there, unless trying again cannot help.

use std::time::Duration;

use turnpike_runtime::{readiness::Condition, retry::Backoff, shutdown::Shutdown};

use super::StartError;
use crate::{
    settings::Settings,
    store::{self, StoreError, Stores},
};

/// The stores, once the database is reached.
pub(super) async fn stores(
    settings: &Settings,
    condition: &Condition,
    shutdown: &Shutdown,
) -> Result<Stores, StartError> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let error = tokio::select! {
            opened = open(settings) => match opened {
                Ok(stores) => return Ok(stores),
                Err(error) => error,
            },
            () = shutdown.cancelled() => return Err(StartError::Stopped),
        };
        if !error.is_transient() {
            return Err(StartError::setting("TURNPIKE_DATABASE_URL", error));
        }
        let waiting = format!("waiting for the database: {}: {error}", settings.database());
        tracing::warn!("{waiting}");
        condition.waiting(waiting);
        tokio::select! {
            () = backoff.wait() => {}
            () = shutdown.cancelled() => return Err(StartError::Stopped),
        }
    }
}

async fn open(settings: &Settings) -> Result<Stores, StoreError> {
    let url = settings.database_url.expose();
    if settings.migrate {
        store::migrate(url, None).await?;
    }
    store::connect(url).await
}
