//! A request in the audit as JSON has it, wherever it goes. What is not known is absent, never zero.

use std::{collections::BTreeMap, time::Duration};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde::Serialize;

use super::v1::AuditEntry;

/// A row as text and numbers.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "named as in the .proto file, or for their units")]
pub struct AuditLine {
    pub time: Option<String>,
    pub request_id: Option<String>,
    pub decision_id: Option<String>,
    pub trace_id: Option<String>,
    pub tenant: Option<String>,
    pub principal: Option<String>,
    pub credential: Option<String>,
    pub auth_method: Option<String>,
    pub issuer: Option<String>,
    pub claim: Option<String>,
    pub groups: Vec<String>,
    pub groups_cut: bool,
    pub token_id: Option<String>,
    pub route: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    pub resource: Option<String>,
    pub model_requested: Option<String>,
    pub model_served: Option<String>,
    pub fallback_from: Option<String>,
    pub provider: Option<String>,
    pub environment: Option<String>,
    pub outcome: String,
    pub reason: Option<String>,
    pub grants: Vec<String>,
    pub status: u32,
    pub upstream_status: Option<u32>,
    pub latency_ms: f64,
    pub first_token_ms: Option<f64>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cached_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    pub team: Option<String>,
    pub cost_usd: Option<String>,
    pub saved_usd: Option<String>,
    pub streamed: bool,
    pub ending: Option<String>,
    pub client: Option<String>,
    pub user_agent: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub region: Option<String>,
    pub edge: String,
    pub epoch: u64,
    pub sequence: u64,
    pub position: u64,
}

impl From<AuditEntry> for AuditLine {
    fn from(entry: AuditEntry) -> Self {
        Self {
            time: time(entry.time_us),
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
                .map(|cost| dollars(i64::try_from(cost).unwrap_or(i64::MAX))),
            saved_usd: entry.saved_nanos.map(dollars),
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

/// Microseconds since the epoch as RFC 3339 in UTC, to the millisecond; `None` for 0, which is "not known" on the wire.
pub fn time(micros: i64) -> Option<String> {
    if micros == 0 {
        return None;
    }
    let time = Timestamp::from_microsecond(micros).ok()?;
    let how = TimestampRound::new()
        .smallest(Unit::Millisecond)
        .mode(RoundMode::Trunc);
    Some(format!("{:.3}", time.round(how).ok()?))
}

/// Billionths of a dollar as dollars, two decimals at least.
pub fn dollars(nanos: i64) -> String {
    const BILLION: u64 = 1_000_000_000;
    let (sign, size) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let fraction = format!("{:09}", size % BILLION);
    let shown = fraction.trim_end_matches('0').len().max(2);
    let fraction = fraction.get(..shown).unwrap_or(&fraction);
    format!("{sign}{}.{fraction}", size / BILLION)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
