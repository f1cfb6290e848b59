//! Tokens of a real identity provider, `tests/idp`: what they open, what is wrong with them, and when they die.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use turnpike_tests::{
    cable::Cable,
    caller::{Answer, chat},
    dev::Dev,
    eventually::eventually,
    idp::{JWT_AUDIENCE, OPAQUE_AUDIENCE},
};

use self::stage::{MODEL, Stage, seconds};

mod stage;
mod walk;

const PATH: &str = "/v1/chat/completions";

/// That the audit has what alice's token brought, and that a request is found by it.
async fn assert_brought(dev: &Dev, row: &Value, request: &str) {
    assert_eq!(row["issuer"], "idp", "{row}");
    assert_eq!(row["claim"], "alice", "{row}");
    assert_eq!(row["groups"], json!(["idp/engineers", "idp/on-call"]), "{row}");
    assert!(row["token_id"].is_string(), "{row}");
    for filter in ["--issuer idp", "--group idp/engineers"] {
        let found = dev.admin.words(&format!("audit list {filter}")).await;
        assert!(found.to_string().contains(request), "{filter}: {found}");
    }
    let others = dev.admin.words("audit list --group idp/engineer").await;
    assert_eq!(others, json!([]), "a group is meant as a whole");
}

#[tokio::test]
async fn a_jwt_opens_what_was_granted_to_its_bearer_or_to_its_group_and_nothing_else() {
    let stage = Stage::trusting().await;
    let (dev, idp) = (&stage.dev, &stage.idp);
    let alice = idp.person_token("alice", JWT_AUDIENCE).await;
    let refused = stage.ask(&alice).await;
    assert_eq!(refused.status, 403, "nothing is granted yet: {refused:?}");
    dev.allow("group:idp/engineers", "fake-*").await;
    let answer = stage.ask(&alice).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let row = dev.audited(answer.request_id()).await;
    let told = ["tenant", "principal", "auth_method", "credential", "reason"].map(|field| row[field].clone());
    let expected = [
        json!("dev"),
        json!("user:carol"),
        json!("jwt"),
        Value::Null,
        json!("granted"),
    ];
    assert_eq!(told, expected, "{row}");
    assert_brought(dev, &row, answer.request_id()).await;

    let seen = stage.caller(&alice).post(PATH, &chat("fake-openai/echo-request"));
    let seen = Answer::of(seen.header("x-turnpike-tenant", "dev")).await;
    let signature = alice.rsplit('.').next().unwrap();
    assert!(
        !seen.text().contains(signature) && !seen.text().contains("x-turnpike"),
        "{seen:?}"
    );
    let models = Answer::of(stage.caller(&alice).request(Method::GET, "/v1/models")).await;
    assert!(
        models.status == 200 && models.text().contains(MODEL),
        "{models:?}"
    );

    dev.admin.words("virtual-account create robot --subject idp/service-RS256 --subject idp/service-ES256 --subject idp/service-EdDSA").await;
    dev.allow("virtual-account:robot", "fake-*").await;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let token = idp.token_signed_with(algorithm).await;
        assert_eq!(stage.status(&token).await, 200, "{algorithm}");
    }
    let bob = idp.person_token("bob", JWT_AUDIENCE).await;
    stage.assert_refused(&bob, "principal_unknown").await;

    dev.admin
        .words("user update carol --deactivated true --wait")
        .await;
    stage.assert_refused(&alice, "owner_deactivated").await;
    dev.admin
        .words("user update carol --deactivated false --wait")
        .await;
    assert_eq!(stage.status(&alice).await, 200);
    dev.admin
        .words("issuer update idp --audience another --wait")
        .await;
    stage.assert_refused(&alice, "token_audience").await;
}

/// Tokens that are wrong in one thing each, and what the audit calls it.
async fn wrong(stage: &Stage, good: &str) -> Vec<(String, &'static str)> {
    let now = seconds();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let turned = format!("{first}{}", &signature[1..]);
    // {"alg":"none"}, {"alg":"HS256"}
    let none = format!("eyJhbGciOiJub25lIn0.{claims}.");
    let hmac = format!("eyJhbGciOiJIUzI1NiJ9.{claims}.{signature}");
    let mut sent = vec![
        (format!("{signed}.{turned}"), "token_signature"),
        (none, "token_algorithm"),
        (hmac, "token_algorithm"),
        ("an-opaque-one".to_owned(), "token_issuer_unknown"),
        ("tp_something".to_owned(), "credential_malformed"),
    ];
    for (claims, header, reason) in [
        (json!({"aud": "https://other.test"}), json!({}), "token_audience"),
        (
            json!({"iss": "https://other.test"}),
            json!({}),
            "token_issuer_unknown",
        ),
        (
            json!({"exp": now - 3600, "iat": now - 7200}),
            json!({}),
            "token_expired",
        ),
        (json!({"nbf": now + 3600}), json!({}), "token_not_yet_valid"),
        (json!({"nbf": "9999"}), json!({}), "token_claim"),
        (
            json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
            json!({}),
            "token_sender_constrained",
        ),
        (json!({}), json!({"typ": "logout+jwt"}), "token_type"),
        (json!({}), json!({"kid": "nobody's"}), "token_key_unknown"),
    ] {
        sent.push((stage.signed(claims, header).await, reason));
    }
    sent
}

#[tokio::test]
async fn all_that_is_wrong_with_a_token_looks_the_same_from_outside_and_is_told_apart_in_the_audit() {
    let stage = Stage::trusting().await;
    stage.dev.allow("user:carol", "fake-*").await;
    let good = stage.signed(json!({}), json!({})).await;
    assert_eq!(stage.status(&good).await, 200);
    let sent = wrong(&stage, &good).await;
    let mut answers = Vec::new();
    for (token, reason) in &sent {
        let answer = stage.ask(token).await;
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            (answer.status, challenge),
            (401, "Bearer"),
            "{reason}: {answer:?}"
        );
        answers.push(answer);
    }
    let rows = stage
        .dev
        .audited_all(answers.iter().map(Answer::request_id))
        .await;
    for (answer, (_, reason)) in answers.iter().zip(&sent) {
        let row = &rows[answer.request_id()];
        assert_eq!(row["reason"], json!(reason), "{row}");
        assert_eq!(row["tenant"], Value::Null, "nothing was proven: {row}");
        assert_eq!(
            answer.text(),
            answers[0].text(),
            "{reason} is no different from outside"
        );
    }
}

#[tokio::test]
async fn keys_are_rotated_under_load_and_no_request_is_lost() {
    const CALLERS: usize = 6;
    const EACH: usize = 20;
    let stage = Stage::trusting().await;
    stage
        .dev
        .admin
        .words("virtual-account create robot --subject idp/service")
        .await;
    stage.dev.allow("virtual-account:robot", "fake-*").await;
    let done = AtomicUsize::new(0);
    let call = async || {
        for _ in 0..EACH {
            // A new one each time: none is remembered.
            let answer = stage.ask(&stage.idp.service_token().await).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let rotate = async {
        let early = || match done.load(Ordering::Relaxed) {
            count if count > CALLERS * EACH / 4 => Ok(()),
            count => Err(count),
        };
        eventually("some requests", async || early()).await;
        let fetched = stage.idp.calls("/jwks").await;
        stage.idp.rotate().await;
        fetched
    };
    let (fetched, _) = tokio::join!(rotate, join_all((0..CALLERS).map(|_| call())));
    assert_eq!(
        stage.idp.calls("/jwks").await,
        fetched + 1,
        "all waited for one fetch"
    );
}

#[tokio::test]
async fn without_its_identity_provider_what_is_known_goes_on_and_what_cannot_be_known_is_said_to_be() {
    let stage = Stage::trusting().await;
    let (dev, idp) = (&stage.dev, &stage.idp);
    dev.allow("user:carol", "fake-*").await;
    let known = stage.signed(json!({}), json!({})).await;
    assert_eq!(stage.status(&known).await, 200);
    let fresh = stage.signed(json!({"jti": "two"}), json!({})).await;
    idp.leave();
    assert_eq!(stage.status(&known).await, 200, "it is remembered");
    assert_eq!(stage.status(&fresh).await, 200, "its key is known");
    idp.rotate().await;
    let unknown = stage.signed(json!({}), json!({})).await;
    stage.assert_refused(&unknown, "token_key_unknown").await;

    let nowhere = Cable::lay(None).await;
    let url = format!("http://{}", nowhere.address);
    dev.admin
        .words(&format!(
            "issuer create gone --url {url} --audience {JWT_AUDIENCE} --wait"
        ))
        .await;
    let answer = stage
        .ask(&stage.signed(json!({"iss": url}), json!({})).await)
        .await;
    assert_eq!(
        answer.status, 503,
        "nobody can say whether it is good: {answer:?}"
    );
    assert_eq!(answer.json()["error"]["code"], "authz_unavailable");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    assert_eq!(stage.reason(&answer).await, "issuer_unavailable");
}

#[tokio::test]
async fn an_opaque_token_is_asked_about_once_and_its_issuer_being_down_is_no_401() {
    let stage = Stage::start().await;
    let (dev, idp) = (&stage.dev, &stage.idp);
    stage.asking().await;
    dev.admin.words("user create carol --subject sso/alice").await;
    dev.allow("user:carol", "fake-*").await;
    let token = idp.person_token("alice", OPAQUE_AUDIENCE).await;
    let statuses = join_all((0..8).map(|_| stage.status(&token))).await;
    assert_eq!(statuses, [200; 8]);
    assert_eq!(
        idp.calls("/token/introspection").await,
        1,
        "all waited for one answer"
    );
    let row = dev.audited(stage.ask(&token).await.request_id()).await;
    assert_eq!(
        (&row["auth_method"], &row["principal"]),
        (&json!("oauth_token"), &json!("user:carol"))
    );
    stage
        .assert_refused("a-token-that-nobody-made", "token_inactive")
        .await;

    let other = idp.person_token("alice", OPAQUE_AUDIENCE).await;
    idp.leave();
    assert_eq!(stage.status(&token).await, 200, "it is remembered for a while");
    let answer = stage.ask(&other).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(stage.reason(&answer).await, "issuer_unavailable");
    idp.come_back();
    eventually("an answer again", async || match stage.status(&other).await {
        200 => Ok(()),
        status => Err(status),
    })
    .await;

    dev.operator
        .words("tenant create rival --administrator admin --wait")
        .await;
    let third = idp.person_token("alice", OPAQUE_AUDIENCE).await;
    stage.assert_refused(&third, "issuer_ambiguous").await;
    let named = stage
        .caller(&third)
        .post(PATH, &chat(MODEL))
        .header("x-turnpike-tenant", "dev");
    assert_eq!(Answer::of(named).await.status, 200);
    dev.admin
        .words("token revoke --issuer sso --subject alice --wait")
        .await;
    stage.assert_refused(&token, "credential_revoked").await;
}

#[tokio::test]
async fn a_revoked_token_dies_at_once_and_no_other() {
    let stage = Stage::trusting().await;
    let (dev, idp) = (&stage.dev, &stage.idp);
    dev.allow("user:carol", "fake-*").await;
    dev.admin
        .words("virtual-account create robot --subject idp/service")
        .await;
    dev.allow("virtual-account:robot", "fake-*").await;
    let service = idp.service_token().await;
    let stolen = stage.signed(json!({"jti": "stolen"}), json!({})).await;
    let other = stage.signed(json!({"jti": "other"}), json!({})).await;
    for token in [&service, &stolen, &other] {
        assert_eq!(stage.status(token).await, 200);
    }
    dev.admin
        .words("token revoke --issuer idp --id stolen --reason leaked --wait")
        .await;
    stage.assert_refused(&stolen, "credential_revoked").await;
    assert_eq!(stage.status(&other).await, 200);

    dev.admin
        .words("token revoke --issuer idp --subject alice --wait")
        .await;
    stage.assert_refused(&other, "credential_revoked").await;
    assert_eq!(stage.status(&service).await, 200, "another's");
    // A token tells its birth in whole seconds, so that one of this very second is dead as well.
    let later = stage
        .signed(json!({"iat": seconds() + 1, "jti": "later"}), json!({}))
        .await;
    assert_eq!(stage.status(&later).await, 200, "issued after");

    dev.admin.words("token revoke --issuer idp --all --wait").await;
    stage.assert_refused(&service, "credential_revoked").await;
}

#[tokio::test]
async fn a_grant_can_demand_a_token_of_an_issuer_and_a_young_one() {
    let stage = Stage::trusting().await;
    let dev = &stage.dev;
    let key = dev.key("user:carol", &[]).await;
    let grant = "grant create --to user:carol --role developer --model fake-* --wait";
    dev.admin
        .words(&format!("{grant} --method jwt:idp --max-token-age 1h"))
        .await;
    let young = stage.signed(json!({}), json!({})).await;
    let old = stage.signed(json!({"iat": seconds() - 7200}), json!({})).await;
    assert_eq!(stage.status(&young).await, 200);
    for (name, token) in [("old", &old), ("key", &key.text)] {
        let answer = stage.ask(token).await;
        assert_eq!(answer.status, 403, "{name}: {answer:?}");
    }
    dev.admin.words(&format!("{grant} --method api_key")).await;
    assert_eq!(stage.status(&key.text).await, 200);
    assert_eq!(stage.status(&old).await, 403);
}
