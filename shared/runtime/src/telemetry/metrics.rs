//! Every metric by its name, unit, description and buckets; nobody else spells one.
//!
//! What is counted when, and under which labels, is for the callers. An instrument records to the provider that is
//! installed when it is made, so `telemetry::init` comes before any of these.

use opentelemetry::{
    InstrumentationScope, global,
    metrics::{Counter, Gauge, Histogram, Meter, ObservableGauge},
};

/// The release of the OpenTelemetry semantic conventions whose GenAI names are used here. They are in
/// development, and change: <https://github.com/open-telemetry/semantic-conventions/tree/v1.37.0/docs/gen-ai>.
pub const CONVENTIONS: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Seconds of a whole operation of a model, as the GenAI conventions advise.
const OPERATION: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// Tokens, as the GenAI conventions advise.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Seconds to a first token, as the GenAI conventions advise.
const FIRST_TOKEN: [f64; 16] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Seconds for each token after the first, as the GenAI conventions advise.
const PER_TOKEN: [f64; 13] = [
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
];

/// Seconds of a request: those of the HTTP conventions, and on to answers that stream for minutes.
const REQUEST: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0,
];

/// Seconds to know who calls: microseconds where the edge knows by itself, more where it must ask.
const AUTHN: [f64; 15] = [
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.1, 0.5, 1.0,
];

/// Seconds from a change to its effect: milliseconds by the bus, a poll without it, minutes in an outage.
const PROPAGATION: [f64; 16] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// `http.server.request.duration`, seconds: from the first byte of a request to the last of its answer.
pub fn http_server_request_duration() -> Histogram<f64> {
    seconds(
        "http.server.request.duration",
        "Duration of HTTP server requests",
        &REQUEST,
    )
}

/// `gen_ai.client.operation.duration`, seconds: what the caller of a model waited.
pub fn gen_ai_client_operation_duration() -> Histogram<f64> {
    seconds(
        "gen_ai.client.operation.duration",
        "Duration of GenAI operations",
        &OPERATION,
    )
}

/// `gen_ai.client.token.usage`: tokens of one operation, by `gen_ai.token.type`.
pub fn gen_ai_client_token_usage() -> Histogram<u64> {
    meter()
        .u64_histogram("gen_ai.client.token.usage")
        .with_unit("{token}")
        .with_description("Input and output tokens used")
        .with_boundaries(TOKENS.to_vec())
        .build()
}

/// `gen_ai.server.request.duration`, seconds: what the model's server took.
pub fn gen_ai_server_request_duration() -> Histogram<f64> {
    seconds(
        "gen_ai.server.request.duration",
        "Duration of requests to model servers",
        &OPERATION,
    )
}

/// `gen_ai.server.time_to_first_token`, seconds, of streamed answers.
pub fn gen_ai_server_time_to_first_token() -> Histogram<f64> {
    seconds(
        "gen_ai.server.time_to_first_token",
        "Time to the first token of an answer",
        &FIRST_TOKEN,
    )
}

/// `gen_ai.server.time_per_output_token`, seconds for each token after the first, of streamed answers.
pub fn gen_ai_server_time_per_output_token() -> Histogram<f64> {
    seconds(
        "gen_ai.server.time_per_output_token",
        "Time per token after the first",
        &PER_TOKEN,
    )
}

/// `turnpike.authn.duration`, seconds: from a credential to who it is, or to its refusal.
pub fn authn_duration() -> Histogram<f64> {
    seconds(
        "turnpike.authn.duration",
        "Duration of finding out who calls",
        &AUTHN,
    )
}

/// `turnpike.propagation.delay`, seconds: from the commit of a change to its being in force at this edge.
pub fn propagation_delay() -> Histogram<f64> {
    seconds(
        "turnpike.propagation.delay",
        "From the commit of a change to its being in force at this edge",
        &PROPAGATION,
    )
}

/// `turnpike.edge.certificates`: certificates that the control plane gave to this edge.
pub fn edge_certificates() -> Counter<u64> {
    counter(
        "turnpike.edge.certificates",
        "{certificate}",
        "Certificates that the control plane gave to this edge",
    )
}

/// `turnpike.decisions`: verdicts, by `decision` and `reason`.
pub fn decisions() -> Counter<u64> {
    counter("turnpike.decisions", "{decision}", "Requests allowed and refused")
}

/// `turnpike.usage.missing`: answers that did not tell how many tokens they used.
pub fn usage_missing() -> Counter<u64> {
    counter(
        "turnpike.usage.missing",
        "{response}",
        "Successful answers that told no usage",
    )
}

/// `turnpike.audit.dropped`: records that could not be written.
pub fn audit_dropped() -> Counter<u64> {
    counter(
        "turnpike.audit.dropped",
        "{record}",
        "Audit records that could not be written",
    )
}

/// `turnpike.limit.degraded`: requests judged by this edge's own count, because the shared one was out of reach.
pub fn limit_degraded() -> Counter<u64> {
    counter(
        "turnpike.limit.degraded",
        "{request}",
        "Requests whose limits were judged without the shared count",
    )
}

/// `turnpike.relay.active`: 1 while this control plane publishes changes on the bus for all that share its database.
pub fn relay_active() -> Gauge<u64> {
    meter()
        .u64_gauge("turnpike.relay.active")
        .with_description("1 while this control plane publishes changes on the bus for all control planes")
        .build()
}

/// `turnpike.audit.sinks.active`: 1 while this control plane sends audits on for all that share its database.
pub fn audit_sinks_active() -> Gauge<u64> {
    meter()
        .u64_gauge("turnpike.audit.sinks.active")
        .with_description("1 while this control plane sends audits on for all control planes")
        .build()
}

/// `turnpike.audit.sink.waiting`: rows that a sink has not taken, by `tenant` and `sink`.
pub fn audit_sink_waiting() -> Gauge<u64> {
    meter()
        .u64_gauge("turnpike.audit.sink.waiting")
        .with_unit("{record}")
        .with_description("Rows of the audit that a sink has not taken, counted up to 100,000")
        .build()
}

/// `turnpike.audit.sink.age`, seconds: how old the oldest row is that a sink has not taken, by `tenant` and `sink`.
pub fn audit_sink_age() -> Gauge<f64> {
    meter()
        .f64_gauge("turnpike.audit.sink.age")
        .with_unit("s")
        .with_description("Age of the oldest row of the audit that a sink has not taken")
        .build()
}

/// `turnpike.audit.sink.refusals`: messages that a sink did not take, by `tenant` and `sink`.
pub fn audit_sink_refusals() -> Counter<u64> {
    counter(
        "turnpike.audit.sink.refusals",
        "{message}",
        "Messages that a sink did not take",
    )
}

/// `turnpike.snapshot.position`: the last change that is in force at this edge.
pub fn snapshot_position() -> Gauge<u64> {
    meter()
        .u64_gauge("turnpike.snapshot.position")
        .with_description("The last change that is in force at this edge")
        .build()
}

/// `turnpike.snapshot.age`, seconds since the control plane last confirmed the state; `age` is asked at every
/// collection, and `None` publishes nothing.
pub fn snapshot_age(age: impl Fn() -> Option<f64> + Send + Sync + 'static) -> ObservableGauge<f64> {
    meter()
        .f64_observable_gauge("turnpike.snapshot.age")
        .with_unit("s")
        .with_description("Time since the control plane last confirmed the state of this edge")
        .with_callback(move |observer| {
            if let Some(age) = age() {
                observer.observe(age, &[]);
            }
        })
        .build()
}

/// `turnpike.snapshot.fenced_tenants`: tenants that this edge does not serve because it may have missed changes; `count` is
/// asked at every collection, and `None` publishes nothing.
pub fn fenced_tenants(count: impl Fn() -> Option<u64> + Send + Sync + 'static) -> ObservableGauge<u64> {
    meter()
        .u64_observable_gauge("turnpike.snapshot.fenced_tenants")
        .with_unit("{tenant}")
        .with_description("Tenants that are not served because this edge may have missed changes")
        .with_callback(move |observer| {
            if let Some(count) = count() {
                observer.observe(count, &[]);
            }
        })
        .build()
}

/// `turnpike.audit.queued`: records not stored by the control plane yet; `queued` is asked at every collection,
/// and `None` publishes nothing.
pub fn audit_queued(queued: impl Fn() -> Option<u64> + Send + Sync + 'static) -> ObservableGauge<u64> {
    meter()
        .u64_observable_gauge("turnpike.audit.queued")
        .with_unit("{record}")
        .with_description("Audit records that the control plane has not stored yet")
        .with_callback(move |observer| {
            if let Some(queued) = queued() {
                observer.observe(queued, &[]);
            }
        })
        .build()
}

fn seconds(name: &'static str, description: &'static str, boundaries: &[f64]) -> Histogram<f64> {
    meter()
        .f64_histogram(name)
        .with_unit("s")
        .with_description(description)
        .with_boundaries(boundaries.to_vec())
        .build()
}

fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter()
        .u64_counter(name)
        .with_unit(unit)
        .with_description(description)
        .build()
}

fn meter() -> Meter {
    global::meter_with_scope(
        InstrumentationScope::builder("turnpike")
            .with_schema_url(CONVENTIONS)
            .build(),
    )
}
