//! Events as they are shown to a tenant.

use serde_json::Value;
use turnpike_access::log::{Origin, Recorded};

use super::v1;

/// What is left out of payloads, wherever in them it stands: digests, and secrets though they are sealed.
const HIDDEN: [&str; 3] = ["digest", "sealed_secret", "mac"];

impl From<&Recorded> for v1::LogEntry {
    fn from(event: &Recorded) -> Self {
        let Recorded {
            position,
            origin,
            kind,
            version,
            payload,
            previous: _,
            hash,
        } = event;
        let Origin {
            time,
            tenant,
            actor,
            correlation,
        } = origin;
        Self {
            position: position.get(),
            time_us: time.as_micros(),
            tenant: tenant.to_string(),
            actor: actor.to_string(),
            correlation: correlation.to_string(),
            kind: kind.to_string(),
            version: u32::from(*version),
            payload: redacted(payload),
            hash: hash.to_string(),
        }
    }
}

/// A payload without what must not be shown. What is not JSON is not shown at all.
pub(super) fn redacted(payload: &str) -> String {
    serde_json::from_str(payload)
        .map(|mut value| {
            redact(&mut value);
            value
        })
        .unwrap_or(Value::Null)
        .to_string()
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !HIDDEN.contains(&key.as_str()));
            fields.values_mut().for_each(redact);
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
