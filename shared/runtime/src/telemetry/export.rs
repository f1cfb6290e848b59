//! Where metrics and spans go: to the registry behind `/metrics` always, to a collector where one is named.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prometheus::Registry;

use super::{FLUSH, InitError};

/// Meters that write to `registry`, and to the collector at `endpoint` every minute.
pub(super) fn meters(
    service: &'static str,
    registry: &Registry,
    endpoint: Option<&str>,
) -> Result<SdkMeterProvider, InitError> {
    // All is measured under one name, so the labels that tell it would say nothing.
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()?;
    let provider = SdkMeterProvider::builder()
        .with_resource(resource(service))
        .with_reader(scraped);
    let Some(endpoint) = endpoint else {
        return Ok(provider.build());
    };
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH)
        .build()?;
    Ok(provider.with_periodic_exporter(exporter).build())
}

/// A tracer whose spans go to the collector at `endpoint` in batches; when it lags, spans are dropped.
pub(super) fn tracer(service: &'static str, endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH)
        .build()?;
    let provider = SdkTracerProvider::builder().with_resource(resource(service));
    Ok(provider.with_batch_exporter(exporter).build())
}

/// What the process is; `OTEL_RESOURCE_ATTRIBUTES` may add to it.
fn resource(service: &'static str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}
