//! What the edge counts and times of requests, under the names of the OpenTelemetry conventions.
//!
//! Labels are bounded: models of the catalogue only, routes of the table only, no ids of keys or requests.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use turnpike_access::audit::{AuditRecord, Outcome};
use turnpike_runtime::telemetry::metrics as named;

/// The instruments of the request path.
#[derive(Clone)]
pub struct Metrics {
    authentication: Histogram<f64>,
    http_request: Histogram<f64>,
    operation: Histogram<f64>,
    tokens: Histogram<u64>,
    server_request: Histogram<f64>,
    first_token: Histogram<f64>,
    per_token: Histogram<f64>,
    decisions: Counter<u64>,
    usage_missing: Counter<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            authentication: named::authn_duration(),
            http_request: named::http_server_request_duration(),
            operation: named::gen_ai_client_operation_duration(),
            tokens: named::gen_ai_client_token_usage(),
            server_request: named::gen_ai_server_request_duration(),
            first_token: named::gen_ai_server_time_to_first_token(),
            per_token: named::gen_ai_server_time_per_output_token(),
            decisions: named::decisions(),
            usage_missing: named::usage_missing(),
        }
    }
}

/// What the labels need beyond the record.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// The provider's kind, as `gen_ai.provider.name` has it.
    pub provider: Option<&'static str>,
    /// The model, where it is in the catalogue.
    pub model: Option<Arc<str>>,
}

impl Metrics {
    /// Times one look at a key, whatever came of it.
    pub fn authenticated(&self, took: Duration) {
        self.authentication.record(took.as_secs_f64(), &[]);
    }

    /// Counts one finished request.
    pub fn request(&self, record: &AuditRecord, labels: &Labels) {
        let seconds = seconds(record.latency_us);
        let (method, route) = record.route.split_once(' ').unwrap_or(("_OTHER", "unknown"));
        let status = KeyValue::new("http.response.status_code", i64::from(record.status));
        self.http_request.record(
            seconds,
            &[
                KeyValue::new("http.request.method", method.to_owned()),
                KeyValue::new("http.route", route.to_owned()),
                status,
            ],
        );
        let decision = match record.outcome {
            Outcome::Allowed => "allow",
            Outcome::Refused => "deny",
        };
        self.decisions.add(
            1,
            &[
                KeyValue::new("decision", decision),
                KeyValue::new("reason", record.reason.clone()),
            ],
        );
        if record.upstream_status.is_some() {
            self.served(record, labels, seconds);
        }
    }

    fn served(&self, record: &AuditRecord, labels: &Labels, seconds: f64) {
        let mut common = vec![
            KeyValue::new(
                "gen_ai.operation.name",
                operation(record.action.as_deref().unwrap_or_default()),
            ),
            KeyValue::new("gen_ai.provider.name", labels.provider.unwrap_or("other")),
            KeyValue::new(
                "gen_ai.request.model",
                labels.model.clone().unwrap_or_else(|| Arc::from("other")),
            ),
        ];
        for (kind, count) in [("input", record.usage.input), ("output", record.usage.output)] {
            if let Some(count) = count {
                common.push(KeyValue::new("gen_ai.token.type", kind));
                self.tokens.record(count, &common);
                common.pop();
            }
        }
        if record.usage.input.is_none() && record.status < 400 {
            self.usage_missing.add(1, &common);
        }
        if record.streamed
            && let Some(first) = record.first_token_us
        {
            self.first_token.record(self::seconds(first), &common);
            if let Some(after_first) = record
                .usage
                .output
                .and_then(|output| u32::try_from(output).ok()?.checked_sub(1))
                .filter(|rest| *rest > 0)
            {
                self.per_token.record(
                    self::seconds(record.latency_us.saturating_sub(first)) / f64::from(after_first),
                    &common,
                );
            }
        }
        if record.status >= 400 {
            common.push(KeyValue::new("error.type", record.status.to_string()));
        }
        self.operation.record(seconds, &common);
        self.server_request.record(seconds, &common);
    }
}

/// The well-known values of `gen_ai.operation.name`.
pub(crate) fn operation(action: &str) -> &'static str {
    match action {
        "inference.completions" => "text_completion",
        "inference.embeddings" => "embeddings",
        "inference.chat" | "inference.messages" | "inference.responses" => "chat",
        _ => "other",
    }
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
