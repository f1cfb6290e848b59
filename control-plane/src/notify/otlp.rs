//! An alert as a log record, OTLP over HTTP in JSON (opentelemetry-proto 1.x, `ExportLogsServiceRequest`).

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};
use turnpike_runtime::secret::Secret;

use super::Message;

/// `SEVERITY_NUMBER_WARN` and `SEVERITY_NUMBER_INFO`.
const WARN: (u32, &str) = (13, "WARN");
const INFO: (u32, &str) = (9, "INFO");

pub(super) fn headers(token: Option<&Secret>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Some(headers)
}

pub(super) fn body(message: &Message) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![
        text("event.name", message.kind()),
        text("turnpike.tenant", message.tenant.as_str()),
        text("turnpike.alert.kind", &message.alert.kind),
    ];
    let facts = message.facts();
    attributes.extend(
        facts
            .iter()
            .map(|(name, value)| text(&format!("turnpike.alert.{name}"), value)),
    );
    let (number, word) = match message.end {
        None => WARN,
        Some(_) => INFO,
    };
    // 64-bit numbers are texts in OTLP's JSON.
    let nanos = format!("{}000", message.time.as_micros());
    json!({"resourceLogs": [{
        "resource": {"attributes": [text("service.name", "turnpike-control-plane")]},
        "scopeLogs": [{
            "scope": {"name": "turnpike.alerts"},
            "logRecords": [{
                "timeUnixNano": nanos,
                "observedTimeUnixNano": nanos,
                "severityNumber": number,
                "severityText": word,
                "body": {"stringValue": &*message.alert.summary},
                "attributes": attributes,
            }],
        }],
    }]})
}
