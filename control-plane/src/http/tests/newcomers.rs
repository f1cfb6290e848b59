//! Users of another issuer, recorded when they are first seen.

use super::*;

/// An issuer of tokens with a key of its own; what they say is written in our form.
fn idp(url: &str) -> (TokenSigner, IssuerProfile) {
    let signer = TokenSigner::generate().unwrap();
    let key = TokenKey {
        id: Arc::from(signer.key_id()),
        issuer: Arc::from(url),
        public_key: Arc::from(signer.public_key()),
        created: Timestamp::from_micros(0),
    };
    let profile = IssuerProfile {
        url: Arc::from(url),
        verification: Verification::Keys {
            jwks: Arc::from(jwks(&[key]).to_string()),
        },
        audiences: vec![Arc::from("turnpike-acme")],
        algorithms: vec![turnpike_access::issuer::Algorithm::EdDSA],
        claim: "client_id".parse().unwrap(),
        principal: PrincipalRule::Email {},
        just_in_time: Some(JustInTime {
            teams: vec![name("engineers")],
        }),
        groups: vec!["jti".parse().unwrap()],
        required: Default::default(),
        leeway_seconds: 0,
        access_tokens_only: false,
        accept_sender_constrained: false,
    };
    (signer, profile)
}

fn foreign(url: &str, email: &str, life: i64) -> OwnClaims {
    let second = clock::now().as_micros().div_euclid(1_000_000);
    let issued = Timestamp::from_micros(second * 1_000_000);
    OwnClaims {
        issuer: Arc::from(url),
        principal: Principal::User(name("whoever")),
        audiences: vec![Arc::from("turnpike-acme")],
        expires: issued.plus_seconds(life),
        issued,
        id: Arc::from("admins"),
        client_id: Arc::from(email),
        tenant: name("elsewhere"),
        groups: Vec::new(),
        scope: None,
        given_for: GivenFor::Credential(id(BOT)),
    }
}

#[tokio::test]
async fn another_issuer_s_token_is_exchanged_and_its_user_recorded_just_in_time() {
    let served = Served::start().await;
    let url = "https://idp.example";
    let (signer, profile) = idp(url);
    let issuer = name("okta");
    served
        .change(vec![Command::CreateIssuer {
            name: issuer.clone(),
            profile,
        }])
        .await;
    let jwt = signer.sign(&foreign(url, "Dora@acme.example", 300));
    let answer = served
        .token(&exchange(&jwt, &[("expires_in", "3600")]))
        .await
        .unwrap();
    assert_eq!(
        answer["issued_token_type"],
        "urn:ietf:params:oauth:token-type:access_token"
    );
    assert!(
        answer["expires_in"].as_i64().unwrap() <= 300,
        "it outlives what it was given for"
    );
    let snapshot = served.core.snapshot();
    let dora: Principal = "user:dora@acme.example".parse().unwrap();
    let tenant = snapshot.tenant("acme").unwrap();
    let account = &tenant.account(&dora).unwrap().account;
    assert_eq!(account.profile.email.as_deref(), Some("dora@acme.example"));
    assert_eq!(account.teams, [name("engineers")]);

    let verified = served.verified(&answer["access_token"]).await;
    let caller = admit(&snapshot, &verified, clock::now()).unwrap();
    assert_eq!(
        (caller.principal, caller.groups),
        (&dora, [(issuer.clone(), Arc::from("admins"))].as_slice())
    );
    let again = answer["access_token"].as_str().unwrap();
    assert_eq!(
        served.token(&exchange(again, &[])).await.unwrap_err(),
        "invalid_request"
    );

    served.change(vec![Command::DeleteIssuer { name: issuer }]).await;
    let dead = served.core.snapshot();
    assert!(
        admit(&dead, &verified, clock::now()).is_err(),
        "it lives without its issuer"
    );
    assert_eq!(
        served.token(&exchange(&jwt, &[])).await.unwrap_err(),
        "invalid_request"
    );
}

/// What the audit of an edge has of a request with a token.
fn served_by_edge(principal: &str, method: &str, issuer: &str, claim: &str) -> AuditRecord {
    AuditRecord {
        tenant: Some(Arc::from("acme")),
        principal: Some(Arc::from(principal)),
        auth_method: Some(Arc::from(method)),
        token: Some(Arc::new(TokenFacts {
            issuer: Arc::from(issuer),
            claim: Arc::from(claim),
            groups: Vec::new(),
            groups_cut: false,
            id: None,
        })),
        ..audit_record()
    }
}

#[tokio::test]
async fn a_user_whom_an_edge_served_just_in_time_is_recorded_from_the_audit_for_any_issuer() {
    let served = Served::start().await;
    let (_, by_email) = idp("https://idp.example");
    let (_, by_subject) = idp("https://subjects.example");
    let by_subject = IssuerProfile {
        principal: PrincipalRule::Subject {},
        ..by_subject
    };
    let (_, nobodys) = idp("https://closed.example");
    let nobodys = IssuerProfile {
        just_in_time: None,
        ..nobodys
    };
    for (issuer, profile) in [("okta", by_email), ("gitlab", by_subject), ("closed", nobodys)] {
        let name = name(issuer);
        served.change(vec![Command::CreateIssuer { name, profile }]).await;
    }
    let records = [
        served_by_edge("user:eve@acme.example", "jwt", "okta", "eve@acme.example"),
        served_by_edge("user:eve@acme.example", "jwt", "okta", "eve@acme.example"),
        served_by_edge("user:u-17", "oauth_token", "gitlab", "U-17"),
        served_by_edge("user:alice", "jwt", "okta", "alice"),
        served_by_edge(
            "user:mallory@acme.example",
            "api_key",
            "okta",
            "mallory@acme.example",
        ),
        // Found by another claim than the account would be: the issuer was changed since, or the claim was cut.
        served_by_edge("user:trent", "jwt", "gitlab", "trent@acme.example"),
        served_by_edge("user:zoe", "jwt", "closed", "zoe"),
        served_by_edge("user:yan", "jwt", "gone", "yan"),
    ];
    just_in_time::record_served(&served.core.executor, &records).await;
    let snapshot = served.core.snapshot();
    let tenant = snapshot.tenant("acme").unwrap();
    let account = |user: &str| tenant.account(&user.parse().unwrap()).map(|held| &held.account);
    let eve = account("user:eve@acme.example").unwrap();
    assert_eq!(eve.teams, [name("engineers")]);
    assert_eq!(tenant.by_email("eve@acme.example"), Some(&eve.principal));
    let other = account("user:u-17").unwrap();
    assert_eq!(tenant.by_subject("gitlab/U-17"), Some(&other.principal));
    assert!(account("user:alice").unwrap().profile.email.is_none());
    for nobody in ["user:mallory@acme.example", "user:trent", "user:zoe", "user:yan"] {
        assert!(account(nobody).is_none(), "{nobody}");
    }
}

fn audit_record() -> AuditRecord {
    AuditRecord {
        time: clock::now(),
        request_id: Arc::from("request"),
        decision_id: None,
        trace_id: None,
        tenant: None,
        principal: None,
        credential: None,
        auth_method: None,
        token: None,
        route: Arc::from("POST /v1/chat/completions"),
        action: None,
        subject: None,
        resource: None,
        model_requested: None,
        model_served: None,
        fallback_from: None,
        provider: None,
        environment: None,
        outcome: Outcome::Allowed,
        reason: Arc::from("granted"),
        grants: Vec::new(),
        status: 200,
        upstream_status: None,
        latency_us: 1,
        first_token_us: None,
        billing: Default::default(),
        usage: Default::default(),
        streamed: false,
        ending: Default::default(),
        client: None,
        user_agent: None,
        metadata: Vec::new(),
        region: Arc::from("eu"),
        position: 1,
    }
}
