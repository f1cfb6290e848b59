//! Audit records to store.

use std::sync::Arc;

use turnpike_access::{
    audit::{AuditRecord, Billing, Ending, Outcome, TokenFacts, Usage},
    id::Timestamp,
};

/// A refused request at microsecond `time`, of which nothing is known that need not be.
pub(crate) fn record(tenant: &str, time: i64) -> AuditRecord {
    AuditRecord {
        time: Timestamp::from_micros(time),
        request_id: Arc::from(format!("request-{time}")),
        decision_id: None,
        trace_id: None,
        tenant: Some(Arc::from(tenant)),
        principal: None,
        credential: None,
        auth_method: None,
        token: None,
        route: Arc::from("unknown"),
        action: None,
        subject: None,
        resource: None,
        model_requested: None,
        model_served: None,
        fallback_from: None,
        provider: None,
        environment: None,
        outcome: Outcome::Refused,
        reason: Arc::from("no_credential"),
        grants: Vec::new(),
        status: 401,
        upstream_status: None,
        latency_us: 0,
        first_token_us: None,
        usage: Usage::default(),
        billing: Default::default(),
        streamed: false,
        ending: Ending::Complete,
        client: None,
        user_agent: None,
        metadata: Vec::new(),
        region: Arc::from("eu"),
        position: 0,
    }
}

/// An allowed request with every field set, each to a value of its own.
pub(super) fn full(tenant: &str, time: i64) -> AuditRecord {
    let text = |name: &str| Some(Arc::from(format!("{name} {time} \u{f6}\"'\\")));
    AuditRecord {
        decision_id: text("decision"),
        trace_id: text("trace"),
        principal: text("principal"),
        credential: Some("abcdefghijkl".parse().unwrap()),
        auth_method: text("method"),
        token: Some(Arc::new(TokenFacts {
            issuer: Arc::from(format!("issuer-{time}")),
            claim: Arc::from("alice@acme.example"),
            groups: ["okta/a", "okta/\"b\" \\ \u{f6}"].map(Arc::from).to_vec(),
            groups_cut: true,
            id: text("jti"),
        })),
        route: Arc::from("POST /v1/chat/completions"),
        action: text("action"),
        subject: text("user:bob"),
        resource: text("prompt:greeting"),
        model_requested: text("requested"),
        model_served: text("served"),
        fallback_from: text("fallback"),
        provider: text("provider"),
        environment: text("environment"),
        outcome: Outcome::Allowed,
        reason: Arc::from("allowed"),
        grants: vec!["grant0000001".parse().unwrap(), "grant0000002".parse().unwrap()],
        status: 200,
        upstream_status: Some(599),
        latency_us: 11,
        first_token_us: Some(12),
        usage: Usage {
            input: Some(13),
            output: Some(14),
            cached: Some(0),
            reasoning: Some(16),
        },
        billing: Billing {
            team: text("team"),
            cost_nanos: Some(18),
            saved_nanos: Some(-19),
        },
        streamed: true,
        ending: Ending::ClientGone,
        client: Some("2001:db8::1".parse().unwrap()),
        user_agent: text("agent"),
        metadata: vec![
            (Arc::from("a"), Arc::from("1")),
            (Arc::from("bb"), Arc::from("\u{1f511}")),
            (Arc::from("c"), Arc::from("")),
        ],
        region: Arc::from("us"),
        position: 17,
        ..record(tenant, time)
    }
}
