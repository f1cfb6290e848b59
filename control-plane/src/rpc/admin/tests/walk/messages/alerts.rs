//! The messages about alerts and the audit.

use prost::Message as _;
use turnpike_proto::admin::v1;

use super::Things;

/// The message of a method.
pub(super) fn message(method: &str, things: Things) -> Vec<u8> {
    let (id, reason) = (things.id.to_owned(), "because".to_owned());
    match method {
        "AlertService/Acknowledge" | "AlertService/Resolve" => v1::ChangeAlertRequest {
            id,
            reason,
            options: None,
        }
        .encode_to_vec(),
        "AlertService/Silence" => v1::SilenceAlertRequest {
            id,
            seconds: 60,
            reason,
            options: None,
        }
        .encode_to_vec(),
        "AlertService/SetDestination" => v1::SetAlertDestinationRequest {
            destination: Some(v1::AlertDestination {
                name: things.name.to_owned(),
                channel: "email".to_owned(),
                to: vec!["ops@acme.example".to_owned()],
                ..Default::default()
            }),
            ..Default::default()
        }
        .encode_to_vec(),
        "AlertService/SetRule" => v1::SetAlertRuleRequest {
            rule: Some(v1::OwnAlertRule {
                name: things.name.to_owned(),
                by: "team".to_owned(),
                when: "requests > 1000".to_owned(),
                window_seconds: 600,
                suspend: false,
            }),
            options: None,
        }
        .encode_to_vec(),
        "AlertService/TestRule" => v1::TestAlertRuleRequest {
            rule: "refusals".to_owned(),
            own: None,
            since_us: 1,
            until_us: 60_000_000,
        }
        .encode_to_vec(),
        "AuditService/SetSink" => sink(things).encode_to_vec(),
        "AlertService/DeleteDestination" | "AlertService/DeleteRule" | "AuditService/DeleteSink" => {
            v1::DeleteRequest {
                name: things.name.to_owned(),
                options: None,
            }
            .encode_to_vec()
        }
        _ => Vec::new(),
    }
}

fn sink(things: Things) -> v1::SetAuditSinkRequest {
    v1::SetAuditSinkRequest {
        sink: Some(v1::AuditSink {
            name: things.name.to_owned(),
            way: "webhook".to_owned(),
            url: "https://siem.example/rows".to_owned(),
            ..Default::default()
        }),
        secret: "x".repeat(24),
        options: None,
    }
}
