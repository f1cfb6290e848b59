//! Rows as log records, OTLP over HTTP in protobuf (opentelemetry-proto 1.x, `ExportLogsServiceRequest`).
//!
//! What OpenTelemetry has a name for has that one; the rest is `turnpike.` and the name that it has in JSON.

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use prost::Message as _;
use turnpike_access::id::Timestamp;
use turnpike_proto::admin::v1::AuditEntry;

use super::batch;
use crate::store::StoredRecord;

/// The most bytes of one message, unless a single row is longer.
const BYTES: usize = 1024 * 1024;
/// The name of all these records.
const EVENT: &str = "turnpike.audit";

/// What a secret is sent as: a token, or lines of `NAME: VALUE`.
pub(crate) fn headers(secret: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let is_token = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token {
        headers.insert(AUTHORIZATION, hidden(&format!("Bearer {secret}"))?);
        return Some(headers);
    }
    for line in secret.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        headers.insert(name, hidden(value.trim())?);
    }
    (!headers.is_empty()).then_some(headers)
}

fn hidden(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The first rows that fit into one message, and how many they are. Rows of one message are of one edge.
pub(super) fn body(rows: &[StoredRecord], now: Timestamp) -> (Vec<u8>, usize) {
    let (mut records, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let record = record(batch::entry(row), now);
        bytes += record.encoded_len();
        if !records.is_empty() && bytes > BYTES {
            break;
        }
        records.push(record);
    }
    let count = records.len();
    let mut attributes = vec![text("service.name", "turnpike-edge")];
    if let Some(first) = rows.first() {
        attributes.push(text("service.instance.id", &first.id.edge));
    }
    let resource = Resource {
        attributes,
        ..Default::default()
    };
    let scope = InstrumentationScope {
        name: EVENT.to_owned(),
        ..Default::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope),
                log_records: records,
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    (request.encode_to_vec(), count)
}

/// How many rows the receiver says that it dropped. OTLP forbids to send those again.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportLogsServiceResponse::decode(answer).unwrap_or_default();
    let partial = answer.partial_success.unwrap_or_default();
    u64::try_from(partial.rejected_log_records).unwrap_or_default()
}

#[expect(clippy::too_many_lines, reason = "one line for each field of the row, twice")]
fn record(entry: AuditEntry, now: Timestamp) -> LogRecord {
    let AuditEntry {
        edge,
        epoch,
        sequence,
        time_us,
        request_id,
        decision_id,
        trace_id,
        tenant,
        principal,
        credential,
        auth_method,
        route,
        action,
        model_requested,
        model_served,
        fallback_from,
        provider,
        environment,
        outcome,
        reason,
        grants,
        status,
        upstream_status,
        latency_us,
        first_token_us,
        input_tokens,
        output_tokens,
        cached_tokens,
        reasoning_tokens,
        streamed,
        ending,
        client,
        user_agent,
        metadata,
        region,
        position,
        team,
        cost_nanos,
        saved_nanos,
        issuer,
        claim,
        groups,
        groups_cut,
        token_id,
        resource,
        subject,
    } = entry;
    let summary = [outcome.as_str(), &action, &model_requested];
    let summary: Vec<&str> = summary.into_iter().filter(|word| !word.is_empty()).collect();
    let words = [
        ("turnpike.audit.id", &format!("{edge}.{epoch}.{sequence}")),
        ("turnpike.edge", &edge),
        ("turnpike.request_id", &request_id),
        ("turnpike.decision_id", &decision_id),
        ("turnpike.tenant", &tenant),
        ("turnpike.principal", &principal),
        ("turnpike.credential", &credential),
        ("turnpike.auth_method", &auth_method),
        ("turnpike.issuer", &issuer),
        ("turnpike.claim", &claim),
        ("turnpike.token_id", &token_id),
        ("turnpike.route", &route),
        ("turnpike.action", &action),
        ("turnpike.subject", &subject),
        ("turnpike.resource", &resource),
        ("gen_ai.request.model", &model_requested),
        ("gen_ai.response.model", &model_served),
        ("turnpike.fallback_from", &fallback_from),
        ("turnpike.provider", &provider),
        ("turnpike.environment", &environment),
        ("turnpike.outcome", &outcome),
        ("turnpike.reason", &reason),
        ("turnpike.ending", &ending),
        ("turnpike.team", &team),
        ("turnpike.region", &region),
        ("client.address", &client),
        ("user_agent.original", &user_agent),
    ];
    let numbers = [
        ("turnpike.epoch", Some(epoch)),
        ("turnpike.sequence", Some(sequence)),
        ("turnpike.position", Some(position)),
        ("http.response.status_code", Some(status.into())),
        ("turnpike.upstream_status", upstream_status.map(Into::into)),
        ("turnpike.latency_us", Some(latency_us)),
        ("turnpike.first_token_us", first_token_us),
        ("gen_ai.usage.input_tokens", input_tokens),
        ("gen_ai.usage.output_tokens", output_tokens),
        ("turnpike.cached_tokens", cached_tokens),
        ("turnpike.reasoning_tokens", reasoning_tokens),
        ("turnpike.cost_nanos", cost_nanos),
    ];
    let mut attributes: Vec<KeyValue> = words
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| text(key, value))
        .collect();
    let known = numbers.into_iter().filter_map(|(key, value)| Some((key, value?)));
    attributes.extend(known.map(|(key, value)| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        pair(key, Value::IntValue(value))
    }));
    if let Some(saved) = saved_nanos {
        attributes.push(pair("turnpike.saved_nanos", Value::IntValue(saved)));
    }
    attributes.push(pair("turnpike.streamed", Value::BoolValue(streamed)));
    if !groups.is_empty() {
        attributes.push(pair("turnpike.groups", list(groups)));
        attributes.push(pair("turnpike.groups_cut", Value::BoolValue(groups_cut)));
    }
    if !grants.is_empty() {
        attributes.push(pair("turnpike.grants", list(grants)));
    }
    let metadata = metadata.iter();
    attributes.extend(metadata.map(|(key, value)| text(&format!("turnpike.metadata.{key}"), value)));
    let (severity, word) = match outcome.as_str() {
        "refused" => (SeverityNumber::Warn, "WARN"),
        _ => (SeverityNumber::Info, "INFO"),
    };
    LogRecord {
        time_unix_nano: nanos(time_us),
        observed_time_unix_nano: nanos(now.as_micros()),
        severity_number: severity.into(),
        severity_text: word.to_owned(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(summary.join(" "))),
        }),
        attributes,
        trace_id: trace(&trace_id),
        event_name: EVENT.to_owned(),
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

fn list(all: Vec<String>) -> Value {
    let values = all.into_iter().map(|one| AnyValue {
        value: Some(Value::StringValue(one)),
    });
    Value::ArrayValue(ArrayValue {
        values: values.collect(),
    })
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or_default().saturating_mul(1000)
}

/// 16 bytes, or nothing.
fn trace(text: &str) -> Vec<u8> {
    match u128::from_str_radix(text, 16) {
        Ok(number) if text.len() == 32 => number.to_be_bytes().to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_token_or_headers_by_line() {
        let token = headers("abc.DEF:123").unwrap();
        assert_eq!(token[AUTHORIZATION], "Bearer abc.DEF:123");
        let two = headers("api-key: one two\nX-Org: acme\n").unwrap();
        assert_eq!(two.len(), 2);
        assert_eq!(two["api-key"], "one two");
        assert_eq!(two["x-org"], "acme");
        assert!(two.values().all(HeaderValue::is_sensitive));
        for bad in ["", " ", "a b", "no value\n", "bäd name: x", "a: b\nc"] {
            assert!(headers(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_receiver_says_it_dropped_is_read_and_nonsense_is_nothing() {
        assert_eq!(rejected(&[]), 0);
        assert_eq!(rejected(b"<html>"), 0);
        // partial_success (field 1) with rejected_log_records (field 1) of 3.
        assert_eq!(rejected(&[0x0a, 2, 0x08, 3]), 3);
    }
}
