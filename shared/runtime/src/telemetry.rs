//! What the process tells of itself: log lines, metrics, and traces where a collector is named.
//!
//! OpenTelemetry's providers belong to the whole process, and so does what [`init`] makes. What is measured is for
//! the callers; `/metrics` is served by [`crate::operations`].

use std::{
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use opentelemetry::global;
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prometheus::Registry;
use tokio::sync::oneshot;

mod export;
mod log;
pub mod metrics;
pub mod propagation;
mod settings;
pub mod span;

use export::Collector;
pub use settings::{LogFormat, Settings};

/// How long [`Telemetry::shutdown`] may take in all.
const FLUSH: Duration = Duration::from_secs(5);

static INSTALLED: OnceLock<Telemetry> = OnceLock::new();

/// What was set up. Clonable; clones share it.
#[derive(Debug, Clone)]
pub struct Telemetry {
    registry: Registry,
    meters: SdkMeterProvider,
    tracer: Option<SdkTracerProvider>,
}

/// The telemetry can't be set up as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter of the log.
    #[error("--log: {0}")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    /// The collector's address.
    #[error("--otlp-endpoint: {0}")]
    Otlp(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The authorities to trust towards the collector.
    #[error("--otlp-ca-file: cannot read {path}: {error}")]
    OtlpAuthorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: std::io::Error,
    },
    /// The registry behind `/metrics`.
    #[error("metrics: {0}")]
    Metrics(#[from] opentelemetry_sdk::error::OTelSdkError),
}

/// Sets up log, metrics and traces for the process, which is called `service` there. Where it was done before, as
/// when both halves run in one process, what was set up first is given again. With a collector it has to be called
/// within a Tokio runtime, which then carries the export.
///
/// # Errors
/// A setting can't be followed; the text names its flag.
pub fn init(service: &'static str, settings: &Settings) -> Result<Telemetry, InitError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(installed) = INSTALLED.get() {
        return Ok(installed.clone());
    }
    let registry = Registry::new();
    let collector = Collector::of(settings)?;
    let tracer = collector.clone().map(|to| export::tracer(service, to));
    let tracer = tracer.transpose()?;
    let meters = export::meters(service, &registry, collector)?;
    log::install(settings, tracer.as_ref())?;
    global::set_meter_provider(meters.clone());
    let telemetry = Telemetry {
        registry,
        meters,
        tracer,
    };
    Ok(INSTALLED.get_or_init(|| telemetry).clone())
}

/// Whether this process exports traces.
pub fn tracing() -> bool {
    INSTALLED.get().is_some_and(Telemetry::tracing)
}

/// What `/metrics` shows; without [`init`] there is nothing in it.
pub(crate) fn registry() -> Registry {
    INSTALLED.get().map(Telemetry::registry).unwrap_or_default()
}

impl Telemetry {
    /// The metrics for Prometheus to scrape.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Whether traces are exported. Where they are not, no span need be made.
    pub fn tracing(&self) -> bool {
        self.tracer.is_some()
    }

    /// Exports what is left, for 5 s at most, and ends the export. Afterwards nothing is measured any more, so it
    /// is for the end of the process.
    pub async fn shutdown(self) {
        let Self { meters, tracer, .. } = self;
        let (done, flushed) = oneshot::channel();
        // Blocks while it waits for the collector, and may do so longer than is allowed here; on a thread of the
        // runtime the end of the process would wait for that. Only the first of several calls has anything to do.
        let flush = thread::Builder::new().name("telemetry".into()).spawn(move || {
            if let Some(Err(error)) = tracer.map(|tracer| tracer.shutdown_with_timeout(FLUSH)) {
                tracing::debug!(%error, "the last spans were not exported");
            }
            if let Err(error) = meters.shutdown_with_timeout(FLUSH) {
                tracing::debug!(%error, "the last metrics were not exported");
            }
            // Nobody waits any more when it took too long.
            let _ = done.send(());
        });
        if flush.is_err() || tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::warn!("the collector does not take the last spans and metrics; ending without");
        }
    }
}

#[cfg(test)]
mod tests;
