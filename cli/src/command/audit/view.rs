//! A request in the audit as it is shown. What is not known is absent, never zero.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use turnpike_proto::admin::v1::AuditEntry;

use crate::{command::value::some, moment, output::View, price};

#[derive(Serialize)]
pub(super) struct AuditView {
    time: Option<String>,
    request_id: Option<String>,
    decision_id: Option<String>,
    trace_id: Option<String>,
    tenant: Option<String>,
    principal: Option<String>,
    credential: Option<String>,
    auth_method: Option<String>,
    issuer: Option<String>,
    claim: Option<String>,
    groups: Vec<String>,
    groups_cut: bool,
    token_id: Option<String>,
    route: Option<String>,
    action: Option<String>,
    subject: Option<String>,
    resource: Option<String>,
    model_requested: Option<String>,
    model_served: Option<String>,
    fallback_from: Option<String>,
    provider: Option<String>,
    environment: Option<String>,
    outcome: String,
    reason: Option<String>,
    grants: Vec<String>,
    status: u32,
    upstream_status: Option<u32>,
    latency_ms: f64,
    first_token_ms: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    team: Option<String>,
    cost_usd: Option<String>,
    saved_usd: Option<String>,
    streamed: bool,
    ending: Option<String>,
    client: Option<String>,
    user_agent: Option<String>,
    metadata: BTreeMap<String, String>,
    region: Option<String>,
    edge: String,
    epoch: u64,
    sequence: u64,
    position: u64,
}

impl View for AuditView {
    const COLUMNS: &'static [&'static str] = &[
        "time",
        "principal",
        "action",
        "model_requested",
        "outcome",
        "reason",
        "status",
        "input_tokens",
        "output_tokens",
        "latency_ms",
        "edge",
    ];
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            time: moment::precise(entry.time_us),
            request_id: some(entry.request_id),
            decision_id: some(entry.decision_id),
            trace_id: some(entry.trace_id),
            tenant: some(entry.tenant),
            principal: some(entry.principal),
            credential: some(entry.credential),
            auth_method: some(entry.auth_method),
            issuer: some(entry.issuer),
            claim: some(entry.claim),
            groups: entry.groups,
            groups_cut: entry.groups_cut,
            token_id: some(entry.token_id),
            route: some(entry.route),
            action: some(entry.action),
            subject: some(entry.subject),
            resource: some(entry.resource),
            model_requested: some(entry.model_requested),
            model_served: some(entry.model_served),
            fallback_from: some(entry.fallback_from),
            provider: some(entry.provider),
            environment: some(entry.environment),
            outcome: entry.outcome,
            reason: some(entry.reason),
            grants: entry.grants,
            status: entry.status,
            upstream_status: entry.upstream_status,
            latency_ms: milliseconds(entry.latency_us),
            first_token_ms: entry.first_token_us.map(milliseconds),
            input_tokens: entry.input_tokens,
            output_tokens: entry.output_tokens,
            cached_tokens: entry.cached_tokens,
            reasoning_tokens: entry.reasoning_tokens,
            team: some(entry.team),
            cost_usd: entry
                .cost_nanos
                .map(|cost| price::nanos(i64::try_from(cost).unwrap_or(i64::MAX))),
            saved_usd: entry.saved_nanos.map(price::nanos),
            streamed: entry.streamed,
            ending: some(entry.ending),
            client: some(entry.client),
            user_agent: some(entry.user_agent),
            metadata: entry.metadata,
            region: some(entry.region),
            edge: entry.edge,
            epoch: entry.epoch,
            sequence: entry.sequence,
            position: entry.position,
        }
    }
}

/// To the microsecond, without the noise of binary fractions.
fn milliseconds(micros: u64) -> f64 {
    (Duration::from_micros(micros).as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
