//! Sets up who hears of events and spans: standard error, and the tracer where there is one.

use std::io::{self, IsTerminal as _};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{InitError, LogFormat, Settings};

/// Log lines from here on. Where the process has a subscriber already, as tests do, that one stays.
pub(super) fn install(settings: &Settings, tracer: Option<&SdkTracerProvider>) -> Result<(), InitError> {
    let filter = EnvFilter::builder().parse(&settings.log)?;
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match settings.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let spans = tracer.map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("turnpike"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Spans of libraries would tell of the export itself, and log lines are no part of a trace.
            .with_filter(filter_fn(|of| of.is_span() && of.target() == super::span::TARGET))
    });
    let subscriber = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans);
    drop(subscriber.try_init());
    Ok(())
}
