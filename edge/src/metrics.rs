//! What the edge counts and times of requests, under the names of the OpenTelemetry conventions.
//!
//! Labels are bounded: models of the catalogue only, routes of the table only, no ids of keys or requests. Each label
//! set is looked up once for all its instruments, which are bound to it when it is first seen.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, BoundHistogram, Counter, Histogram},
};
use turnpike_access::audit::{AuditRecord, Outcome};
use turnpike_runtime::telemetry::metrics as named;

use self::series::Series;

mod series;

/// The instruments of the request path.
pub struct Metrics {
    authentication: BoundHistogram<f64>,
    http_request: Histogram<f64>,
    decisions: Counter<u64>,
    instruments: ServedInstruments,
    answered: Series<AnsweredBy, Answered>,
    served: Series<ServedBy, Served>,
}

/// What the labels need beyond the record.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// The provider's kind, as `gen_ai.provider.name` has it.
    pub provider: Option<&'static str>,
    /// The model, where it is in the catalogue.
    pub model: Option<Arc<str>>,
}

/// What the labels of any request are made of.
#[derive(Clone, PartialEq, Eq, Hash)]
struct AnsweredBy {
    route: Arc<str>,
    status: u16,
    outcome: Outcome,
    reason: Arc<str>,
}

struct Answered {
    http_request: BoundHistogram<f64>,
    decisions: BoundCounter<u64>,
}

/// What the labels of a request that a provider answered are made of.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ServedBy {
    operation: &'static str,
    provider: &'static str,
    model: Option<Arc<str>>,
    error: Option<u16>,
}

/// Those that not every answer is recorded in are bound when one is, so that none is published that has nothing in it.
struct Served {
    labels: Vec<KeyValue>,
    operation: BoundHistogram<f64>,
    server_request: BoundHistogram<f64>,
    input: OnceLock<BoundHistogram<u64>>,
    output: OnceLock<BoundHistogram<u64>>,
    usage_missing: OnceLock<BoundCounter<u64>>,
    first_token: OnceLock<BoundHistogram<f64>>,
    per_token: OnceLock<BoundHistogram<f64>>,
}

struct ServedInstruments {
    operation: Histogram<f64>,
    tokens: Histogram<u64>,
    server_request: Histogram<f64>,
    first_token: Histogram<f64>,
    per_token: Histogram<f64>,
    usage_missing: Counter<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            authentication: named::authn_duration().bind(&[]),
            http_request: named::http_server_request_duration(),
            decisions: named::decisions(),
            instruments: ServedInstruments {
                operation: named::gen_ai_client_operation_duration(),
                tokens: named::gen_ai_client_token_usage(),
                server_request: named::gen_ai_server_request_duration(),
                first_token: named::gen_ai_server_time_to_first_token(),
                per_token: named::gen_ai_server_time_per_output_token(),
                usage_missing: named::usage_missing(),
            },
            answered: Series::default(),
            served: Series::default(),
        }
    }
}

impl Metrics {
    /// Times one look at a key, whatever came of it.
    pub fn authenticated(&self, took: Duration) {
        self.authentication.record(took.as_secs_f64());
    }

    /// Counts one finished request.
    pub fn request(&self, record: &AuditRecord, labels: &Labels) {
        let seconds = seconds(record.latency_us);
        let answered = self.answered(record);
        answered.http_request.record(seconds);
        answered.decisions.add(1);
        if record.upstream_status.is_some() {
            let by = ServedBy {
                operation: operation(record.action.as_deref().unwrap_or_default()),
                provider: labels.provider.unwrap_or("other"),
                model: labels.model.clone(),
                error: (record.status >= 400).then_some(record.status),
            };
            let served = self.served.get(by, |by| self.instruments.bind(by));
            self.instruments.record(&served, record, seconds);
        }
    }

    /// Counts one more decision of a request that is counted when it ends.
    pub fn decided(&self, record: &AuditRecord) {
        self.answered(record).decisions.add(1);
    }

    fn answered(&self, record: &AuditRecord) -> Arc<Answered> {
        let by = AnsweredBy {
            route: record.route.clone(),
            status: record.status,
            outcome: record.outcome,
            reason: record.reason.clone(),
        };
        self.answered.get(by, |by| self.bind(by))
    }

    fn bind(&self, by: &AnsweredBy) -> Answered {
        let (method, route) = by.route.split_once(' ').unwrap_or(("_OTHER", "unknown"));
        let decision = match by.outcome {
            Outcome::Allowed => "allow",
            Outcome::Refused => "deny",
        };
        Answered {
            http_request: self.http_request.bind(&[
                KeyValue::new("http.request.method", method.to_owned()),
                KeyValue::new("http.route", route.to_owned()),
                KeyValue::new("http.response.status_code", i64::from(by.status)),
            ]),
            decisions: self.decisions.bind(&[
                KeyValue::new("decision", decision),
                KeyValue::new("reason", by.reason.clone()),
            ]),
        }
    }
}

impl ServedInstruments {
    fn bind(&self, by: &ServedBy) -> Served {
        let model = by.model.clone().unwrap_or_else(|| Arc::from("other"));
        let labels = vec![
            KeyValue::new("gen_ai.operation.name", by.operation),
            KeyValue::new("gen_ai.provider.name", by.provider),
            KeyValue::new("gen_ai.request.model", model),
        ];
        let mut of_whole = labels.clone();
        of_whole.extend(
            by.error
                .map(|status| KeyValue::new("error.type", status.to_string())),
        );
        Served {
            operation: self.operation.bind(&of_whole),
            server_request: self.server_request.bind(&of_whole),
            labels,
            input: OnceLock::new(),
            output: OnceLock::new(),
            usage_missing: OnceLock::new(),
            first_token: OnceLock::new(),
            per_token: OnceLock::new(),
        }
    }

    fn record(&self, served: &Served, record: &AuditRecord, seconds: f64) {
        let labels = served.labels.as_slice();
        let usage = &record.usage;
        for (kind, count, bound) in [
            ("input", usage.input, &served.input),
            ("output", usage.output, &served.output),
        ] {
            if let Some(count) = count {
                let kind = KeyValue::new("gen_ai.token.type", kind);
                let bind = || self.tokens.bind(&[labels, &[kind]].concat());
                bound.get_or_init(bind).record(count);
            }
        }
        if usage.input.is_none() && record.status < 400 {
            let bind = || self.usage_missing.bind(labels);
            served.usage_missing.get_or_init(bind).add(1);
        }
        if record.streamed
            && let Some(first) = record.first_token_us
        {
            let bind = || self.first_token.bind(labels);
            served.first_token.get_or_init(bind).record(self::seconds(first));
            let after_first = usage
                .output
                .and_then(|all| u32::try_from(all).ok()?.checked_sub(1));
            if let Some(after_first) = after_first.filter(|rest| *rest > 0) {
                let rest = self::seconds(record.latency_us.saturating_sub(first));
                let bind = || self.per_token.bind(labels);
                served
                    .per_token
                    .get_or_init(bind)
                    .record(rest / f64::from(after_first));
            }
        }
        served.operation.record(seconds);
        served.server_request.record(seconds);
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
