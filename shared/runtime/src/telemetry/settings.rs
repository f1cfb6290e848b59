//! What can be set of the telemetry.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The flags of both processes for what they tell of themselves.
#[derive(Debug, Clone, Args)]
#[group(id = "telemetry")]
pub struct Settings {
    /// What is logged to standard error: a level, or levels by module, such as info,turnpike_edge=debug
    #[arg(long, env = "TURNPIKE_LOG", default_value = "info", value_parser = filter)]
    pub log: String,

    /// Whether log lines are for people or for machines
    #[arg(long, env = "TURNPIKE_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// Where an OpenTelemetry collector takes OTLP over gRPC, such as http://127.0.0.1:4317. Absent: traces are not
    /// made, and metrics are at /metrics alone
    #[arg(long, env = "TURNPIKE_OTLP_ENDPOINT", value_parser = endpoint)]
    pub otlp_endpoint: Option<String>,

    /// Further authorities to trust towards the collector at an https:// endpoint, a PEM file. Absent: the system's
    #[arg(long, env = "TURNPIKE_OTLP_CA_FILE", value_name = "FILE")]
    pub otlp_ca_file: Option<PathBuf>,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

impl Settings {
    /// Every setting in force, a name and a value each.
    pub fn effective(&self) -> Vec<(&'static str, String)> {
        let Self {
            log,
            log_format,
            otlp_endpoint,
            otlp_ca_file,
        } = self;
        let none = || "none".to_owned();
        let authorities = otlp_ca_file.as_ref().map(|path| path.display().to_string());
        vec![
            ("log", log.clone()),
            ("log-format", format!("{log_format:?}").to_lowercase()),
            ("otlp-endpoint", otlp_endpoint.clone().unwrap_or_else(none)),
            ("otlp-ca-file", authorities.unwrap_or_else(none)),
        ]
    }
}

fn filter(text: &str) -> Result<String, String> {
    let parsed = EnvFilter::builder()
        .parse(text)
        .map_err(|error| error.to_string());
    parsed.map(|_| text.to_owned())
}

fn endpoint(text: &str) -> Result<String, String> {
    let uri: Option<http::Uri> = text.parse().ok();
    match uri.as_ref().and_then(http::Uri::scheme_str) {
        // Credentials in it would be logged; collectors take them as OTEL_EXPORTER_OTLP_HEADERS.
        Some("http" | "https") if !text.contains('@') => Ok(text.to_owned()),
        _ => Err("not an http:// or https:// URL without user and password".into()),
    }
}
