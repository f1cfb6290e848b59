//! Where metrics and spans go: to the registry behind `/metrics` always, to a collector where one is named.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use prometheus::Registry;
use tonic::transport::{Certificate, ClientTlsConfig};

use super::{FLUSH, InitError, Settings};

/// A collector that takes OTLP over gRPC.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    endpoint: String,
    /// Where the endpoint is https.
    tls: Option<ClientTlsConfig>,
}

impl Collector {
    /// The one that the settings name, if they name one.
    pub(super) fn of(settings: &Settings) -> Result<Option<Self>, InitError> {
        let Some(endpoint) = settings.otlp_endpoint.clone() else {
            return Ok(None);
        };
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(path) = &settings.otlp_ca_file {
            let read = std::fs::read(path).map_err(|error| InitError::OtlpAuthorities {
                path: path.clone(),
                error,
            });
            tls = tls.ca_certificate(Certificate::from_pem(read?));
        }
        let tls = endpoint.starts_with("https:").then_some(tls);
        Ok(Some(Self { endpoint, tls }))
    }
}

/// Meters that write to `registry`, and to the collector every minute.
pub(super) fn meters(
    service: &'static str,
    registry: &Registry,
    collector: Option<Collector>,
) -> Result<SdkMeterProvider, InitError> {
    // All is measured under one name, so the labels that tell it would say nothing.
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()?;
    let provider = SdkMeterProvider::builder()
        .with_resource(resource(service))
        .with_reader(scraped);
    let Some(Collector { endpoint, tls }) = collector else {
        return Ok(provider.build());
    };
    let mut exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH);
    if let Some(tls) = tls {
        exporter = exporter.with_tls_config(tls);
    }
    let exporter = exporter.build()?;
    Ok(provider.with_periodic_exporter(exporter).build())
}

/// A tracer whose spans go to the collector in batches; when it lags, spans are dropped.
pub(super) fn tracer(
    service: &'static str,
    collector: Collector,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let Collector { endpoint, tls } = collector;
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH);
    if let Some(tls) = tls {
        exporter = exporter.with_tls_config(tls);
    }
    let exporter = exporter.build()?;
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
