//! Edges that enrol: who has not gets nothing, who has needs nobody's help again, and who is revoked is cut off at once.

use std::fs;

use futures::stream;
use serde_json::{Value, json};
use tonic::{
    Code,
    transport::{Endpoint, Identity},
};
use turnpike_proto::sync::v1::{Report, sync_client::SyncClient};
use turnpike_runtime::{
    clock,
    enrolment::{Authority, EdgeKey},
    keyring::Keyring,
    secret::Secret,
};
use turnpike_tests::{
    cli::Cli,
    eventually::eventually,
    ground::Key,
    production::{Plan, Production},
};

mod asking;

use asking::{asked, authority_of, certify, channel, codes, stolen};

const MODEL: &str = "fake-openai/gpt-4o";

async fn enrolled(environment: &[(&str, &str)]) -> Production {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Production::start_as(Plan {
        regions: vec!["eu"],
        enrolled: true,
        environment: environment.collect(),
        ..Plan::default()
    })
    .await
}

async fn listed(production: &Production, edge: &str) -> Value {
    let list = production.operator.json(&["edge", "list"]).await;
    let mut edges = list.as_array().unwrap().iter();
    edges.find(|one| one["name"] == edge).cloned().unwrap_or_default()
}

/// A change is in force at the edge, by its own word.
async fn follows(production: &Production, name: &str) {
    // One that is still on its way in is waited for by nobody.
    let url = format!("http://{}/readyz", production.edges[0].operations);
    eventually("the edge to be ready", async || {
        let told = reqwest::get(&url).await.unwrap();
        (told.status() == 200).then_some(()).ok_or(told)
    })
    .await;
    let key = production.granted(name).await;
    let answer = production.caller(&key).chat(MODEL).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let revoked = ["credential", "revoke", &key.id, "--wait"];
    let revoked = production.admin.json(&revoked).await;
    assert_eq!(revoked["receipt"]["applied"], true, "{revoked}");
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 401);
}

#[tokio::test]
async fn an_edge_enrols_by_its_token_once_and_comes_back_by_its_key_to_any_control_plane_of_the_database() {
    let mut production = enrolled(&[]).await;
    follows(&production, "first").await;
    let edge = listed(&production, "edge-eu").await;
    assert_eq!(
        (&edge["enrolled"], &edge["duty"]),
        (&true.into(), &"serve".into()),
        "{edge}"
    );
    let mut further = production.start_further_control_plane().await;
    production.edge_processes[0].kill().await;
    // It is given no token any more.
    production.restart_edge(0).await;
    follows(&production, "again").await;
    // The authority outlives the process, and the other process has the same.
    production.control_plane.kill().await;
    production.to_edge_listener.cut();
    let there = Cli::new(production.further.unwrap(), production.operator.token());
    let waited = there.json(&["edge", "wait"]).await;
    assert_eq!(waited["receipt"]["applied"], true, "{waited}");
    further.kill().await;
    production.restart_control_plane().await;
    follows(&production, "last").await;
}

#[tokio::test]
async fn a_token_enrols_one_key_of_its_own_edge_before_it_expires() {
    let production = enrolled(&[]).await;
    let token = production.enrolment_token("edge-new", &[]).await;
    let authority = authority_of(&token);
    let (key, other) = (EdgeKey::generate().unwrap(), EdgeKey::generate().unwrap());
    let ask = async |edge: &str, key: &EdgeKey, token: &str| {
        let answer = certify(&production, (edge, key), authority, Some(token)).await;
        answer.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    assert_eq!(
        ask("edge-eu", &key, &token).await,
        Code::Unauthenticated,
        "another's"
    );
    let forged = token.replacen("tp_enrol_", "", 1);
    let mut forged: Vec<char> = forged.chars().collect();
    forged[20] = if forged[20] == 'x' { 'y' } else { 'x' };
    let forged = format!("tp_enrol_{}", forged.into_iter().collect::<String>());
    assert_eq!(
        ask("edge-new", &key, &forged).await,
        Code::Unauthenticated,
        "forged"
    );
    assert_eq!(ask("edge-new", &key, &token).await, Code::Ok);
    assert_eq!(
        ask("edge-new", &key, &token).await,
        Code::Ok,
        "the answer was lost"
    );
    assert_eq!(
        ask("edge-new", &other, &token).await,
        Code::Unauthenticated,
        "used"
    );
    let told = certify(&production, ("edge-new", &other), authority, None)
        .await
        .unwrap_err();
    assert_eq!(told.code(), Code::Unauthenticated, "{told}");

    let short = production.enrolment_token("edge-late", &["--ttl", "1s"]).await;
    let end = clock::now().plus_seconds(2);
    eventually("the token's end", async || {
        (clock::now() > end).then_some(()).ok_or(())
    })
    .await;
    assert_eq!(
        ask("edge-late", &other, &short).await,
        Code::Unauthenticated,
        "expired"
    );
    assert_eq!(listed(&production, "edge-late").await["state"], "invited");
    let events = production.operator.json(&["log", "list"]).await.to_string();
    assert!(events.contains("edge.invited") && events.contains("edge.enrolled"));
    let secret = &token[..40];
    assert!(!events.contains(secret) && !production.control_plane.printed().contains(secret));
}

#[tokio::test]
async fn whoever_has_not_enrolled_gets_nothing_by_any_method() {
    let production = enrolled(&[]).await;
    let (key, authority) = stolen(production.folder());
    let nobody = channel(&production, authority, None);
    let refused = vec![Code::Unauthenticated; 4];
    assert_eq!(codes(&asked(&nobody, None, "edge-eu").await), refused);
    // The keyring opens neither listener.
    let keyring = Keyring::parse(&Secret::new(production.keyring()))
        .unwrap()
        .edge_token();
    assert_eq!(
        codes(&asked(&nobody, Some(keyring.expose()), "edge-eu").await),
        refused
    );
    let common = format!("http://{}", production.to_control_plane.address);
    let common = Endpoint::from_shared(common).unwrap().connect_lazy();
    assert_eq!(
        codes(&asked(&common, Some(keyring.expose()), "edge-eu").await),
        refused
    );

    // Signed for the very key, by somebody else.
    let (foreign, edge) = (Authority::generate().unwrap(), "edge-eu".parse().unwrap());
    let life = std::time::Duration::from_secs(3600);
    let signed = foreign
        .certify(&edge, key.public_key(), clock::now(), life)
        .unwrap();
    let posing = Identity::from_pem(signed, key.pem().unwrap().expose());
    for answer in asked(&channel(&production, authority, Some(posing)), None, "edge-eu").await {
        let status = answer.unwrap_err();
        assert!(format!("{status:?}").contains("transport error"), "{status:?}");
    }
    // An edge trusts nobody else either.
    let elsewhere = channel(&production, foreign.public_key(), None);
    assert!(
        asked(&elsewhere, None, "edge-eu")
            .await
            .iter()
            .all(Result::is_err)
    );

    // It speaks for itself alone.
    let own = certify(&production, ("edge-eu", &key), authority, None)
        .await
        .unwrap();
    let own = channel(&production, authority, Some(own));
    assert_eq!(
        codes(&asked(&own, None, "edge-eu").await)[..2],
        [Code::Ok, Code::Ok]
    );
    let posing = codes(&asked(&own, None, "edge-us").await);
    assert_eq!(posing[2..], [Code::FailedPrecondition, Code::FailedPrecondition]);
}

/// The edge serves nobody any more.
async fn closed(production: &Production, key: &Key) {
    eventually("the edge to close", async || {
        let answer = production.caller(key).chat(MODEL).await;
        (answer.status == 503).then_some(()).ok_or(answer)
    })
    .await;
}

#[tokio::test]
async fn a_revoked_edge_is_cut_off_at_once_and_what_was_stolen_from_it_opens_nothing() {
    let mut production = enrolled(&[]).await;
    let key = production.granted("steady").await;
    assert_eq!(production.caller(&key).chat(MODEL).await.status, 200);
    let (private, authority) = stolen(production.folder());
    let identity = certify(&production, ("edge-eu", &private), authority, None)
        .await
        .unwrap();
    let thief = channel(&production, authority, Some(identity));
    let report = Report {
        edge: "edge-eu".to_owned(),
        region: "eu".to_owned(),
        ..Report::default()
    };
    let reports = stream::StreamExt::chain(stream::iter([report]), stream::pending());
    let open = SyncClient::new(thief.clone()).attach(reports).await.unwrap();
    let mut open = open.into_inner();
    open.message().await.unwrap();

    let revoke = ["edge", "revoke", "edge-eu", "--reason", "stolen"];
    production.operator.json(&revoke).await;
    // A stream that is open ends, a call on the open connection is refused, and so is a new certificate.
    let ended = eventually("the end of the stream", async || match open.message().await {
        Err(status) => Ok(status),
        Ok(notice) => Err(notice),
    })
    .await;
    assert_eq!(ended.code(), Code::PermissionDenied, "{ended}");
    assert_eq!(
        codes(&asked(&thief, None, "edge-eu").await),
        vec![Code::PermissionDenied; 4]
    );
    let refused = certify(&production, ("edge-eu", &private), authority, None)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    // The edge itself serves nobody any more, also after a restart, and nobody waits for it.
    closed(&production, &key).await;
    assert_eq!(listed(&production, "edge-eu").await["state"], "revoked");
    let waited = production.operator.json(&["edge", "wait"]).await;
    assert_eq!(waited["receipt"]["edges"][0]["state"], "revoked", "{waited}");
    production.edge_processes[0].kill().await;
    production.restart_edge(0).await;
    closed(&production, &key).await;

    // Enrolled anew, it has another key, and the old one stays dead.
    production.edge_processes[0].kill().await;
    fs::remove_file(production.folder().join("edge-eu/enrolment.json")).unwrap();
    production.restart_edge(0).await;
    eventually("service", async || {
        match production.caller(&key).chat(MODEL).await.status {
            200 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let refused = certify(&production, ("edge-eu", &private), authority, None)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn certificates_are_renewed_before_they_end_without_anybody_s_help() {
    let mut production = enrolled(&[("TURNPIKE_EDGE_CERTIFICATE_LIFE", "3s")]).await;
    let renewed = async |production: &Production| {
        let url = format!("http://{}/metrics", production.edges[0].operations);
        eventually("a renewed certificate", async || {
            let metrics = reqwest::get(&url).await.unwrap().text().await.unwrap();
            let line = metrics
                .lines()
                .find(|line| line.starts_with("turnpike_edge_certificates_total"));
            let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            count.filter(|count| *count >= 3.0).map(drop).ok_or(metrics)
        })
        .await;
    };
    renewed(&production).await;
    follows(&production, "steady").await;
    // A control plane that was away for longer than a certificate lives is found again.
    production.control_plane.kill().await;
    let end = clock::now().plus_seconds(4);
    eventually("the certificate's end", async || {
        (clock::now() > end).then_some(()).ok_or(())
    })
    .await;
    production.restart_control_plane().await;
    follows(&production, "after").await;
}

#[tokio::test]
async fn a_drained_edge_finishes_what_it_has_and_is_waited_for_no_more_until_it_is_resumed() {
    let mut production = Production::start_as(Plan {
        environment: vec![("TURNPIKE_DRAIN_NOTICE".to_owned(), "0.2".to_owned())],
        ..Plan::default()
    })
    .await;
    let key = production.granted("steady").await;
    let (here, there) = (production.caller(&key), production.callers(&key).remove(1));
    let asked = json!({"model": "fake-faults/slow-stream", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let mut stream = here.post("/v1/chat/completions", &asked).send().await.unwrap();
    let mut text = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    production.operator.words("edge drain edge-eu --wait").await;
    let url = format!("http://{}/readyz", production.edges[0].operations);
    eventually("the edge not to be ready", async || {
        let told = reqwest::get(&url).await.unwrap();
        (told.status() == 503).then_some(()).ok_or(told)
    })
    .await;
    while let Some(piece) = stream.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let state = async |production: &Production, wanted: &str| {
        eventually(wanted, async || {
            let edge = listed(production, "edge-eu").await;
            (edge["state"] == wanted).then_some(()).ok_or(edge)
        })
        .await;
    };
    state(&production, "drained").await;
    assert_eq!(here.chat(MODEL).await.status, 503);
    assert_eq!(there.chat(MODEL).await.status, 200);
    let unknown = production.operator.run(&["edge", "drain", "edge-nowhere"]).await;
    assert_eq!(unknown.status, 1, "{unknown:?}");

    production.operator.words("edge resume edge-eu --wait").await;
    state(&production, "live").await;
    assert_eq!(here.chat(MODEL).await.status, 200);
    // Nobody waits for an edge that has said that it serves nobody.
    production.operator.words("edge drain edge-eu --wait").await;
    state(&production, "drained").await;
    production.edge_processes[0].kill().await;
    let revoked = production
        .admin
        .json(&["credential", "revoke", &key.id, "--wait"])
        .await;
    assert_eq!(revoked["receipt"]["applied"], true, "{revoked}");
    assert_eq!(there.chat(MODEL).await.status, 401);
}
