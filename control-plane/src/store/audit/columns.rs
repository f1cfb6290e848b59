//! The columns of an audit row, once, for every engine: their names in order, and how a record fills them.

use std::{borrow::Cow, collections::BTreeMap};

use turnpike_access::audit::{AuditRecord, Outcome};

type Text = for<'a> fn(&'a AuditRecord) -> Option<Cow<'a, str>>;

/// How a column gets its value out of a record.
pub(in crate::store) enum Value {
    /// Text.
    Text(Text),
    /// Text that is JSON.
    Json(Text),
    /// A number; one that the database can't hold becomes the greatest that it can.
    Number(fn(&AuditRecord) -> Option<i64>),
    /// True or false.
    Flag(fn(&AuditRecord) -> bool),
}

/// Every column but those that identify the record.
pub(in crate::store) const COLUMNS: &[(&str, Value)] = &[
    ("time_us", Value::Number(|r| Some(r.time.as_micros()))),
    (
        "tenant",
        Value::Text(|r| Some(clean(r.tenant.as_deref().unwrap_or_default()))),
    ),
    ("request_id", Value::Text(|r| Some(clean(&r.request_id)))),
    (
        "decision_id",
        Value::Text(|r| r.decision_id.as_deref().map(clean)),
    ),
    ("trace_id", Value::Text(|r| r.trace_id.as_deref().map(clean))),
    ("principal", Value::Text(|r| r.principal.as_deref().map(clean))),
    (
        "credential",
        Value::Text(|r| r.credential.as_ref().map(|id| Cow::from(id.as_str()))),
    ),
    (
        "auth_method",
        Value::Text(|r| r.auth_method.as_deref().map(clean)),
    ),
    (
        "token_issuer",
        Value::Text(|r| r.token.as_deref().map(|token| clean(&token.issuer))),
    ),
    (
        "token_claim",
        Value::Text(|r| r.token.as_deref().map(|token| clean(&token.claim))),
    ),
    ("token_groups", Value::Json(|r| Some(groups(r)))),
    (
        "token_groups_cut",
        Value::Flag(|r| r.token.as_deref().is_some_and(|token| token.groups_cut)),
    ),
    (
        "token_id",
        Value::Text(|r| {
            r.token
                .as_deref()
                .and_then(|token| token.id.as_deref())
                .map(clean)
        }),
    ),
    ("route", Value::Text(|r| Some(clean(&r.route)))),
    ("action", Value::Text(|r| r.action.as_deref().map(clean))),
    ("subject", Value::Text(|r| r.subject.as_deref().map(clean))),
    ("resource", Value::Text(|r| r.resource.as_deref().map(clean))),
    (
        "model_requested",
        Value::Text(|r| r.model_requested.as_deref().map(clean)),
    ),
    (
        "model_served",
        Value::Text(|r| r.model_served.as_deref().map(clean)),
    ),
    (
        "fallback_from",
        Value::Text(|r| r.fallback_from.as_deref().map(clean)),
    ),
    ("provider", Value::Text(|r| r.provider.as_deref().map(clean))),
    (
        "environment",
        Value::Text(|r| r.environment.as_deref().map(clean)),
    ),
    ("outcome", Value::Text(|r| Some(Cow::from(outcome(r.outcome))))),
    ("reason", Value::Text(|r| Some(clean(&r.reason)))),
    (
        "grants",
        Value::Json(|r| serde_json::to_string(&r.grants).ok().map(Cow::from)),
    ),
    ("status", Value::Number(|r| Some(i64::from(r.status)))),
    (
        "upstream_status",
        Value::Number(|r| r.upstream_status.map(i64::from)),
    ),
    ("latency_us", Value::Number(|r| Some(number(r.latency_us)))),
    ("first_token_us", Value::Number(|r| r.first_token_us.map(number))),
    ("tokens_input", Value::Number(|r| r.usage.input.map(number))),
    ("tokens_output", Value::Number(|r| r.usage.output.map(number))),
    ("tokens_cached", Value::Number(|r| r.usage.cached.map(number))),
    (
        "tokens_reasoning",
        Value::Number(|r| r.usage.reasoning.map(number)),
    ),
    ("team", Value::Text(|r| r.billing.team.as_deref().map(clean))),
    ("cost_nanos", Value::Number(|r| r.billing.cost_nanos.map(number))),
    ("saved_nanos", Value::Number(|r| r.billing.saved_nanos)),
    ("streamed", Value::Flag(|r| r.streamed)),
    ("ending", Value::Text(|r| Some(Cow::from(r.ending.as_str())))),
    (
        "client",
        Value::Text(|r| r.client.map(|address| Cow::from(address.to_string()))),
    ),
    ("user_agent", Value::Text(|r| r.user_agent.as_deref().map(clean))),
    ("metadata", Value::Json(|r| Some(Cow::from(metadata(r))))),
    ("region", Value::Text(|r| Some(clean(&r.region)))),
    ("position", Value::Number(|r| Some(number(r.position)))),
];

/// The word for an outcome.
pub(in crate::store) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Refused => "refused",
    }
}

/// Clients choose some of these texts, and one NUL would make Postgres refuse the batch for ever.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::from(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::from(text)
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn groups(record: &AuditRecord) -> Cow<'_, str> {
    let groups = record.token.as_deref().map(|token| token.groups.as_slice());
    match groups {
        None | Some([]) => Cow::from("[]"),
        Some(groups) => {
            let clean: Vec<_> = groups.iter().map(|group| clean(group)).collect();
            serde_json::to_string(&clean).map_or(Cow::from("[]"), Cow::from)
        }
    }
}

fn metadata(record: &AuditRecord) -> String {
    let pairs: BTreeMap<_, _> = record
        .metadata
        .iter()
        .map(|(key, value)| (clean(key), clean(value)))
        .collect();
    serde_json::to_string(&pairs).unwrap_or_else(|_| "{}".to_owned())
}
