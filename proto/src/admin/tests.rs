//! The administration on the wire: what is taken, and which field is named when it is not.

use std::time::Duration;

use turnpike_access::{
    credential::{Credential, CredentialStatus},
    digest::KeyDigest,
    grant::Effect,
    id::Timestamp,
    model::{ModelProfile, Prices},
};

use super::{log::redacted, *};
use crate::ConversionError;

fn grant_request(grant: v1::Grant) -> Result<NewGrant, ConversionError> {
    NewGrant::try_from(v1::CreateGrantRequest {
        grant: Some(v1::Grant {
            subject: "user:alice".to_owned(),
            role: "developer".to_owned(),
            ..grant
        }),
        options: None,
    })
}

#[test]
fn a_wrong_field_is_named_with_what_is_allowed() {
    let selector = v1::Selector {
        resources: vec![v1::ResourcePattern {
            kind: "model".to_owned(),
            name: "a b".to_owned(),
        }],
        ..Default::default()
    };
    let refused = grant_request(v1::Grant {
        selector: Some(selector),
        ..Default::default()
    });
    assert_eq!(
        refused.unwrap_err().to_string(),
        "grant.selector.resources.name: \"a b\" is not a valid pattern: use 1 to 200 visible ASCII characters; \
         '*' stands for any run"
    );
}

#[test]
fn a_grant_allows_unless_it_says_that_it_denies() {
    let effect = |word: &str| {
        let request = grant_request(v1::Grant {
            effect: word.to_owned(),
            ..Default::default()
        });
        request.map(|new| new.with_id("abcDEF123456".parse().unwrap(), None).effect)
    };
    assert_eq!(effect(""), Ok(Effect::Allow));
    assert_eq!(effect("deny"), Ok(Effect::Deny));
    assert_eq!(effect("denied").unwrap_err().field, "grant.effect");
}

#[test]
fn writes_wait_for_the_edges_only_if_asked_to_and_not_for_ever() {
    let write = |wait: v1::Wait, deadline_ms| {
        Write::try_from(Some(v1::WriteOptions {
            wait: wait.into(),
            deadline_ms,
            ..Default::default()
        }))
    };
    assert_eq!(Write::try_from(None).unwrap().applied_within, None);
    assert_eq!(
        write(v1::Wait::Applied, 0).unwrap().applied_within,
        Some(Duration::from_secs(10))
    );
    assert_eq!(
        write(v1::Wait::Applied, 60_001).unwrap_err().field,
        "options.deadline_ms"
    );
}

#[test]
fn a_page_is_neither_boundless_nor_empty() {
    let page = |size| {
        Page::try_from(v1::Page {
            size,
            after: String::new(),
        })
        .map(|page| page.size)
    };
    assert_eq!(page(0), Ok(100));
    assert_eq!(page(1000), Ok(1000));
    assert_eq!(page(1001).unwrap_err().field, "size");
}

#[test]
fn a_credential_past_its_time_is_shown_as_expired_and_never_with_its_digest() {
    let credential = Credential {
        id: "abcDEF123456".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        owner: "user:alice".parse().unwrap(),
        digest: KeyDigest {
            pepper: 1,
            mac: [0xAB; 32],
        },
        previous: None,
        scope: None,
        expires: Some(Timestamp::from_micros(10)),
        status: CredentialStatus::Active,
        created: Timestamp::from_micros(1),
        created_by: "user:root".into(),
        label: None,
        rotated: Some(Timestamp::from_micros(9)),
        warnings: Vec::new(),
        decoy: None,
        suspension: None,
        handed_over: false,
        reason: None,
    };
    let at = |moment| v1::Credential::at(&credential, Timestamp::from_micros(moment));
    assert_eq!(at(9).status, "active");
    assert_eq!(at(10).status, "expired");
    assert!(!format!("{:?}", at(9)).contains("171"));
}

#[test]
fn an_update_of_a_model_changes_the_named_fields_alone() {
    let request = |fields: &[&str]| {
        ModelChange::try_from(v1::UpdateModelRequest {
            model: Some(v1::Model {
                id: "openai/gpt".to_owned(),
                family: "gpt-5".to_owned(),
                ..Default::default()
            }),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            options: None,
        })
    };
    let from = ModelProfile {
        prices: Prices {
            input: Some(7),
            ..Default::default()
        },
        ..Default::default()
    };
    let to = request(&["family"]).unwrap().apply(&from);
    assert_eq!(to.family.unwrap().as_str(), "gpt-5");
    assert_eq!(to.prices.input, Some(7));
    assert_eq!(request(&["price"]).unwrap_err().field, "fields");
}

#[test]
fn a_payload_is_shown_without_digests_and_sealed_secrets() {
    let payload =
        r#"{"id":"x","digest":{"mac":"00"},"previous":{"digest":1,"until":5},"a":[{"sealed_secret":"s"}]}"#;
    let shown: serde_json::Value = serde_json::from_str(&redacted(payload)).unwrap();
    assert_eq!(
        shown,
        serde_json::json!({"id": "x", "previous": {"until": 5}, "a": [{}]})
    );
}
