//! Issuers on the wire: everything comes back, the secret never does, and a change touches what it names.

use turnpike_access::{id::Timestamp, log::Position};

use super::*;
use crate::admin::RevokedTokens;

fn asked(url: &str, client_id: &str, secret: &str) -> v1::issuer::Verification {
    v1::issuer::Verification::Introspection(v1::Introspection {
        url: url.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: secret.to_owned(),
    })
}

fn whole(verification: v1::issuer::Verification) -> v1::Issuer {
    v1::Issuer {
        name: "sso".to_owned(),
        url: "https://sso.example".to_owned(),
        verification: Some(verification),
        audiences: vec!["turnpike".to_owned()],
        algorithms: vec!["ES256".to_owned()],
        claim: "/who/name".to_owned(),
        principal: "virtual-account-name".to_owned(),
        just_in_time: Some(v1::JustInTime {
            teams: vec!["payments".to_owned()],
        }),
        groups: vec!["/realm_access/roles".to_owned()],
        required: vec![v1::RequiredClaim {
            claim: "org".to_owned(),
            values: vec!["acme".to_owned(), "bolt".to_owned()],
        }],
        leeway_seconds: 30,
        access_tokens_only: true,
        accept_sender_constrained: true,
        created_us: 0,
    }
}

fn create(issuer: v1::Issuer) -> Result<NewIssuer, ConversionError> {
    NewIssuer::try_from(v1::CreateIssuerRequest {
        issuer: Some(issuer),
        options: None,
    })
}

fn refused(issuer: v1::Issuer) -> String {
    create(issuer).err().unwrap().field
}

fn shown(profile: IssuerProfile) -> v1::Issuer {
    v1::Issuer::from(&Issuer {
        name: "sso".parse().unwrap(),
        profile,
        created: Timestamp::default(),
        revision: Position::ZERO,
    })
}

fn update(issuer: v1::Issuer, fields: &[&str]) -> Result<IssuerChange, ConversionError> {
    IssuerChange::try_from(v1::UpdateIssuerRequest {
        issuer: Some(issuer),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        options: None,
    })
}

#[test]
fn what_was_asked_for_is_shown_and_the_secret_is_not() {
    for verification in [
        v1::issuer::Verification::Discovery(v1::Discovery {}),
        v1::issuer::Verification::JwksUrl("https://sso.example/keys".to_owned()),
        v1::issuer::Verification::Jwks("{}".to_owned()),
    ] {
        let issuer = whole(verification);
        assert_eq!(shown(create(issuer.clone()).unwrap().profile), issuer);
    }
    let new = create(whole(asked("https://sso.example/ask", "turnpike", "hunter2"))).unwrap();
    assert_eq!(new.secret.as_deref(), Some("hunter2"));
    assert!(!format!("{:?}", new.profile).contains("hunter2"));
    assert_eq!(
        shown(new.profile),
        whole(asked("https://sso.example/ask", "turnpike", ""))
    );
}

#[test]
fn every_rule_for_the_principal_comes_back() {
    for rule in [
        "subject",
        "email",
        "name",
        "virtual-account-name",
        "user:alice",
        "virtual-account:bot",
    ] {
        let issuer = v1::Issuer {
            principal: rule.to_owned(),
            ..whole(v1::issuer::Verification::Discovery(v1::Discovery {}))
        };
        assert_eq!(shown(create(issuer).unwrap().profile).principal, rule);
    }
}

#[test]
fn a_wrong_part_of_an_issuer_is_named() {
    let usual = || whole(v1::issuer::Verification::Discovery(v1::Discovery {}));
    let with = |change: fn(&mut v1::Issuer)| {
        let mut issuer = usual();
        change(&mut issuer);
        refused(issuer)
    };
    assert_eq!(with(|one| one.name = String::new()), "issuer.name");
    assert_eq!(with(|one| one.verification = None), "issuer.verification");
    assert_eq!(
        with(|one| one.algorithms = vec!["none".to_owned()]),
        "issuer.algorithms"
    );
    assert_eq!(
        with(|one| one.algorithms = vec!["HS256".to_owned()]),
        "issuer.algorithms"
    );
    assert_eq!(
        with(|one| one.principal = "anybody".to_owned()),
        "issuer.principal"
    );
    assert_eq!(
        with(|one| one.principal = "team:a".to_owned()),
        "issuer.principal"
    );
    assert_eq!(
        with(|one| one.required[0].values.clear()),
        "issuer.required.values"
    );
    assert_eq!(
        refused(whole(asked("https://sso.example/ask", "turnpike", ""))),
        "issuer.introspection.client_secret"
    );
}

#[test]
fn an_update_of_an_issuer_changes_the_named_parts_alone() {
    let from = create(whole(v1::issuer::Verification::Discovery(v1::Discovery {})))
        .unwrap()
        .profile;
    let change = v1::Issuer {
        name: "sso".to_owned(),
        leeway_seconds: 5,
        url: "https://other.example".to_owned(),
        ..Default::default()
    };
    let to = update(change.clone(), &["leeway_seconds", "just_in_time"])
        .unwrap()
        .apply(&from)
        .unwrap();
    let expected = IssuerProfile {
        leeway_seconds: 5,
        just_in_time: None,
        ..from
    };
    assert_eq!(to, expected);
    assert_eq!(update(change, &["issuer"]).err().unwrap().field, "fields");
}

#[test]
fn a_secret_for_introspection_stays_with_its_url() {
    let mut from = create(whole(asked("https://sso.example/ask", "turnpike", "hunter2")))
        .unwrap()
        .profile;
    if let Verification::Introspection { sealed_secret, .. } = &mut from.verification {
        *sealed_secret = "sealed".into();
    }
    let change = |url: &str, client_id: &str, secret: &str| {
        let issuer = whole(asked(url, client_id, secret));
        update(issuer, &["verification"]).unwrap().apply(&from)
    };
    let other_id = change("", "other", "").unwrap().verification;
    assert_eq!(
        other_id,
        Verification::Introspection {
            url: "https://sso.example/ask".into(),
            client_id: "other".into(),
            sealed_secret: "sealed".into(),
        }
    );
    let elsewhere = change("https://elsewhere.example/ask", "", "");
    assert_eq!(elsewhere.unwrap_err().field, "issuer.introspection.client_secret");
    assert!(change("https://elsewhere.example/ask", "", "again").is_ok());
}

#[test]
fn tokens_to_be_revoked_are_named_in_one_way() {
    use v1::revoke_tokens_request::Tokens;
    let revoke = |tokens, issued_before_us| {
        RevokedTokens::try_from(v1::RevokeTokensRequest {
            issuer: "sso".to_owned(),
            tokens,
            issued_before_us,
            ..Default::default()
        })
    };
    let refused = |tokens, before| revoke(tokens, before).unwrap_err().field;
    assert_eq!(refused(None, None), "tokens");
    assert_eq!(refused(Some(Tokens::Id(String::new())), None), "id");
    assert_eq!(
        refused(Some(Tokens::Id("a".to_owned())), Some(1)),
        "issued_before_us"
    );
    let now = Timestamp::from_micros(9);
    let all = revoke(Some(Tokens::All(v1::AllTokens {})), None).unwrap();
    assert_eq!(
        all.tokens(now),
        turnpike_access::issuer::TokenMatch::All { issued_before: now }
    );
}
