//! Secrets show nowhere: one is planted in every place that has one, everything is done with them, and then everything
//! that was written, sent or answered is searched for them.

use std::fs;

use turnpike_tests::{
    caller::Answer,
    collector::Collector,
    idp::{CLIENT_SECRET, INTROSPECTION_CLIENT, Idp, JWT_AUDIENCE, OPAQUE_AUDIENCE},
    machine::Machine,
    production::{PROVIDER_SECRET, Passwords, Plan, Production},
};

use self::{
    planted::{Planted, assert_nowhere, last_part},
    receiver::Receiver,
    told::{Told, served_everywhere},
};

mod panics;
mod planted;
mod receiver;
mod told;

const DATABASE_PASSWORD: &str = "database-canary-3f9c71";
const NATS_PASSWORD: &str = "nats-canary-8d20b5";

/// Separate processes that log whatever they can, export to a collector, and have passwords for database and bus.
async fn watched(collector: &Collector, regions: Vec<&'static str>) -> Production {
    let ours =
        ["edge", "control_plane", "runtime", "access", "proto"].map(|part| format!("turnpike_{part}=trace"));
    let theirs = ["sqlx", "async_nats", "reqwest", "tonic", "hyper_util"].map(|part| format!("{part}=trace"));
    let log = format!("debug,{},{}", ours.join(","), theirs.join(","));
    Production::start_as(Plan {
        regions,
        environment: vec![
            ("TURNPIKE_LOG".to_owned(), log),
            (
                "TURNPIKE_OTLP_ENDPOINT".to_owned(),
                format!("http://{}", collector.address),
            ),
        ],
        passwords: Some(Passwords {
            database: DATABASE_PASSWORD.to_owned(),
            nats: NATS_PASSWORD.to_owned(),
        }),
        ..Plan::default()
    })
    .await
}

/// What is planted in every installation.
async fn usual(production: &Production) -> Planted {
    let mut planted = Planted::default();
    let folder = production.folder();
    for (what, text) in [
        ("the provider's secret", PROVIDER_SECRET),
        ("the keyring", production.keyring()),
        ("the database's password", DATABASE_PASSWORD),
        ("the password of NATS", NATS_PASSWORD),
    ] {
        planted.text(what, text);
    }
    // Of the form `1:BASE64`; the key alone is as good.
    let (_, key) = production.keyring().split_once(':').unwrap();
    planted.text("the keyring's key", key);
    for cli in [&production.admin, &production.operator] {
        planted.turnpike_key("an administrator's key", cli.token());
    }
    let token = fs::read_to_string(folder.join("control-plane/bootstrap.token")).unwrap();
    planted.text("the one-time token", token.trim());
    planted.sealed_keys(production).await;
    planted
}

/// An issuer of JWTs and one that is asked about opaque tokens, who both know alice; a JWT and an opaque token of hers.
async fn trust(production: &Production, idp: &Idp) -> [String; 2] {
    let (admin, url) = (&production.admin, idp.url());
    let jwts =
        format!("issuer create idp --url {url} --audience {JWT_AUDIENCE} --groups-claim groups --wait");
    admin.words(&jwts).await;
    let asked = format!(
        "issuer create sso --url {url} --audience {OPAQUE_AUDIENCE} --introspection-url {} --client-id \
         {INTROSPECTION_CLIENT} --client-secret-from-env SSO_SECRET --wait",
        idp.introspection_url()
    );
    let asked: Vec<_> = asked.split_whitespace().collect();
    admin.json_with(&asked, &[("SSO_SECRET", CLIENT_SECRET)]).await;
    let alice = "user create carol --subject idp/alice --subject sso/alice --wait";
    admin.words(alice).await;
    production.allow("user:carol", "fake-*").await;
    let tokens = [
        idp.person_token("alice", JWT_AUDIENCE).await,
        idp.person_token("alice", OPAQUE_AUDIENCE).await,
    ];
    for token in &tokens {
        served_everywhere(production, token).await;
    }
    tokens
}

/// Somebody logs in, is renewed, and logs out.
async fn log_in_and_out(production: &Production, idp: &Idp, planted: &mut Planted, told: &mut Told) {
    let machine = Machine::of(production.admin.control_plane());
    let (printed, said) = machine.log_in(idp, "").await;
    told.others.extend([printed, said]);
    for line in ["whoami", "team create sneaky"] {
        let kept = machine.let_time_pass();
        for (what, field) in [
            ("a login's token", "bearer"),
            ("a login's refresh token", "refresh_token"),
        ] {
            planted.text(what, last_part(kept[field].as_str().unwrap()));
        }
        told.others
            .push(format!("{:?}", machine.turnpike(line).output().await.unwrap()));
    }
    told.others.push(format!(
        "{:?}",
        machine.turnpike("logout").output().await.unwrap()
    ));
}

#[tokio::test]
async fn no_secret_is_in_any_log_trace_metric_error_event_database_row_or_answer() {
    let collector = Collector::start().await;
    let (mut production, idp) = tokio::join!(watched(&collector, vec!["eu", "us"]), Idp::start());
    let (mut planted, mut told) = (usual(&production).await, Told::default());
    planted.text("the client secret at the issuer", CLIENT_SECRET);
    planted.basic("the same, as it is sent", INTROSPECTION_CLIENT, CLIENT_SECRET);
    let (key, narrow) = (
        production.granted("canary").await,
        production.application("narrow").await,
    );
    let leaked = production.granted("leaked").await;
    let [jwt, opaque] = trust(&production, &idp).await;
    log_in_and_out(&production, &idp, &mut planted, &mut told).await;
    let exchange = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=\
                    urn:ietf:params:oauth:token-type:jwt&subject_token=";
    let for_jwt = told.token(&production, &format!("{exchange}{jwt}")).await;
    let form = format!("grant_type=client_credentials&client_secret={}", key.text);
    let for_key = told.token(&production, &form).await;
    for text in [&key.text, &leaked.text, &jwt, &opaque, &for_jwt, &for_key] {
        told.present(&production, text).await;
    }
    told.answers
        .push(production.caller(&narrow).chat("fake-openai/gpt-4o").await);
    // Whoever is to be asked about it is away, and whoever asks says so.
    idp.leave();
    told.present(&production, "opaque-canary-that-nobody-knows-4e7a")
        .await;
    let rotate = ["credential", "rotate", &key.id, "--overlap", "1h", "--wait"];
    let rotated = production.admin.json(&rotate).await["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for text in [&key.text, &rotated] {
        told.present(&production, text).await;
    }
    told.report(&production, &leaked.text).await;
    let revoke = ["credential", "revoke", &narrow.id, "--wait"];
    production.admin.json(&revoke).await;
    production
        .audited_all(told.answers.iter().map(Answer::request_id))
        .await;
    told.look(&production).await;
    for token in [&jwt, &opaque, &for_jwt, &for_key] {
        planted.text("a token", last_part(token));
    }
    planted.text("an opaque token", "opaque-canary-that-nobody");
    for text in [&key.text, &narrow.text, &leaked.text, &rotated] {
        planted.turnpike_key("a key", text);
    }
    assert_nowhere(&mut production, &collector, &told, planted).await;
}

#[tokio::test]
async fn a_key_that_turnpike_made_by_itself_is_nowhere_in_the_clear_but_with_its_owner() {
    let collector = Collector::start().await;
    let (mut production, receiver) = tokio::join!(watched(&collector, vec!["eu"]), Receiver::start());
    let (mut planted, mut told) = (usual(&production).await, Told::default());
    let (key, idle) = (
        production.granted("robot").await,
        production.application("idle").await,
    );
    for text in [&key.text, &idle.text] {
        told.present(&production, text).await;
    }
    let policy = format!(
        "tenant update dev --rotate-after 10s --automatic-rotation webhook --rotation-overlap 1h --webhook-url http://{}/keys \
         --webhook-public-key CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=",
        receiver.address
    );
    production.admin.words(&policy).await;
    // It looks at credentials as soon as it has started, and the receiver refuses what it gets.
    production.control_plane.terminate().await;
    production.restart_control_plane().await;
    let posted = receiver.posted_for(&[&key.id, &idle.id]).await;
    // Once is enough.
    production
        .admin
        .words("tenant update dev --rotate-after 3650d")
        .await;
    planted.held_keys(&production).await;
    told.others.push(posted);

    let owner = production.admin.by(&key.text);
    let pick_up = ["credential", "pick-up", &key.id];
    let new = owner.json(&pick_up).await["key"].as_str().unwrap().to_owned();
    told.others.push(format!("{:?}", owner.run(&pick_up).await));
    served_everywhere(&production, &new).await;
    told.present(&production, &new).await;
    production
        .admin
        .words("tenant update dev --clear-credential-policy")
        .await;
    production
        .audited_all(told.answers.iter().map(Answer::request_id))
        .await;
    told.look(&production).await;
    let log = told
        .others
        .iter()
        .find(|text| text.contains("credential.handed_over"));
    assert!(log.is_some(), "that it was picked up is in the log");
    for text in [&key.text, &idle.text, &new] {
        planted.turnpike_key("a key", text);
    }
    assert_nowhere(&mut production, &collector, &told, planted).await;
}
