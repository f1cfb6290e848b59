//! Receipts: who has applied a change, since when, and what becomes of those that have not.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::Value;
use turnpike_tests::{cli::Ended, eventually::eventually, production::Production};

fn receipt(ended: &Ended) -> Value {
    let printed: Value =
        serde_json::from_str(&ended.printed).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    printed["receipt"].clone()
}

fn entry<'r>(receipt: &'r Value, edge: &str) -> &'r Value {
    let edges = receipt["edges"].as_array().unwrap();
    edges
        .iter()
        .find(|entry| entry["edge"] == edge)
        .unwrap_or_else(|| panic!("no {edge} in {receipt}"))
}

#[tokio::test]
async fn a_receipt_names_each_edge_and_by_when_the_silent_one_is_fenced_and_is_given_again() {
    let mut production = Production::start().await;
    let key = production.granted("leaked").await;
    production
        .admin
        .words("tenant update dev --max-staleness 1h --serve-stale fake-openai/llama-3 --wait")
        .await;
    production.edge_processes[1].kill().await;

    let revoke = [
        "--timeout",
        "2s",
        "--output",
        "json",
        "credential",
        "revoke",
        &key.id,
        "--wait",
    ];
    let ended = production.admin.run(&revoke).await;
    assert_eq!(ended.status, 1, "one has not applied it: {ended:?}");
    let first = receipt(&ended);
    let (eu, us) = (entry(&first, "edge-eu"), entry(&first, "edge-us"));
    assert_eq!(
        (eu["region"].as_str(), eu["applied"].as_bool()),
        (Some("eu"), Some(true)),
        "{first}"
    );
    assert!(
        eu["position"].as_u64() >= first["position"].as_u64() && eu["applied_time"].is_string(),
        "{first}"
    );
    assert_eq!(
        (us["applied"].as_bool(), us["spared"][0].as_str()),
        (Some(false), Some("fake-openai/llama-3")),
        "{first}"
    );
    // Both are UTC times with milliseconds, and an hour apart.
    let (committed, fenced) = (
        first["committed"].as_str().unwrap(),
        us["fenced_by"].as_str().unwrap(),
    );
    assert!(fenced > committed && fenced[14..] == committed[14..], "{first}");
    assert!(eu["fenced_by"].is_null(), "{first}");

    let position = first["position"].to_string();
    let again = ["--output", "json", "edge", "receipt", &position];
    let ended = production.admin.run(&again).await;
    assert_eq!((ended.status, entry(&receipt(&ended), "edge-eu")), (1, eu));

    production.restart_edge(1).await;
    let last = eventually("the missing answer", async || {
        let ended = production.admin.run(&again).await;
        match ended.status {
            0 => Ok(receipt(&ended)),
            _ => Err(ended),
        }
    })
    .await;
    assert_eq!(entry(&last, "edge-eu"), eu, "an answer stays as it was given");
    assert_eq!(entry(&last, "edge-us")["applied"], true, "{last}");
    assert_eq!(last["committed"], first["committed"]);
}

#[tokio::test]
async fn another_tenants_receipts_do_not_exist() {
    let production = Production::with_one_edge(&[]).await;
    let made = production.admin.words("team create crew --wait").await;
    let position = made["receipt"]["position"].to_string();
    let created = production
        .operator
        .words("tenant create rival --administrator admin --wait")
        .await;
    let rival = production.admin.by(created["key"].as_str().unwrap());
    let ask = ["--output", "json", "edge", "receipt", &position];
    let refused = rival.run(&ask).await;
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(!refused.printed.contains("edge-eu"), "{refused:?}");
    let unknown = rival
        .run(&["--output", "json", "edge", "receipt", "1000000"])
        .await;
    assert_eq!(unknown.complaint.replace("1000000", &position), refused.complaint);
    assert_eq!(production.operator.run(&ask).await.status, 0);
}

/// The published keys, once there are as many as edges.
async fn published(production: &Production) -> JwkSet {
    let url = format!("http://{}/.well-known/edge-keys.json", production.operations);
    eventually("the edges' keys", async || {
        let answer = reqwest::get(&url).await.unwrap().bytes().await.unwrap();
        let keys: JwkSet = serde_json::from_slice(&answer).unwrap();
        match keys.keys.len() == production.edges.len() {
            true => Ok(keys),
            false => Err(keys),
        }
    })
    .await
}

/// As an auditor reads a statement: by a JWT library, with the published keys and no others.
fn verified(keys: &JwkSet, statement: &str) -> Result<Value, String> {
    let header = decode_header(statement).map_err(|error| error.to_string())?;
    assert_eq!(header.typ.as_deref(), Some("turnpike-applied+jwt"));
    let key = keys
        .find(&header.kid.unwrap())
        .ok_or("the key is not published")?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["sub"]);
    validation.validate_exp = false;
    let read = decode::<Value>(statement, &DecodingKey::from_jwk(key).unwrap(), &validation);
    read.map(|token| token.claims).map_err(|error| error.to_string())
}

#[tokio::test]
async fn each_answer_in_a_receipt_is_signed_by_its_edge_and_verified_with_the_published_keys() {
    let production = Production::start().await;
    let key = production.granted("leaked").await;
    let revoke = ["credential", "revoke", &key.id, "--wait"];
    let receipt = production.admin.json(&revoke).await["receipt"].clone();
    let keys = published(&production).await;
    for (edge, region) in [("edge-eu", "eu"), ("edge-us", "us")] {
        let told = entry(&receipt, edge);
        let statement = told["statement"].as_str().unwrap();
        let claims = verified(&keys, statement).unwrap();
        let state = &claims["turnpike"];
        assert_eq!(
            (claims["sub"].as_str(), state["region"].as_str()),
            (Some(edge), Some(region)),
            "{claims}"
        );
        assert_eq!(state["position"], told["position"], "{claims}");
        assert!(
            state["position"].as_u64() >= receipt["position"].as_u64(),
            "{claims}"
        );
        let other = JwkSet {
            keys: keys
                .keys
                .iter()
                .filter(|key| !key.common.key_id.as_ref().unwrap().starts_with(edge))
                .cloned()
                .collect(),
        };
        assert!(verified(&other, statement).is_err());
    }
    let listed = production.admin.words("edge list").await;
    for edge in listed.as_array().unwrap() {
        let behind = edge["behind"].as_str().unwrap().trim_end_matches('s');
        assert!(behind.parse::<f64>().is_ok(), "how far behind it can be: {edge}");
    }
}
