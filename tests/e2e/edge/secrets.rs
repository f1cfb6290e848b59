//! Secrets stay where they belong: the client's key at the edge, the provider's secret between edge and provider.

use std::{fs, path::Path};

use serde_json::json;
use turnpike_tests::{
    caller::{Answer, chat},
    production::{PROVIDER_SECRET, Production},
};

const PATH: &str = "/v1/chat/completions";

#[tokio::test]
async fn the_provider_sees_its_own_secret_and_nothing_of_the_clients_identity() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("discreet").await;
    let caller = production.caller(&key);
    let body =
        json!({"model": "fake-faults/echo-request", "messages": [], "unknown_field": {"kept": [1, 2.50]}});
    let request = caller.post(&format!("{PATH}?kept=1"), &body);
    let request = request
        .header("x-api-key", &key.text)
        .header("api-key", &key.text)
        .header("cookie", "session=1");
    let request = request
        .header("x-turnpike-metadata", r#"{"a": "b"}"#)
        .header("x-turnpike-made-up", "1");
    let request = request.header("openai-beta", "kept").header("x-custom", "kept");
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.echo();
    assert_eq!(
        seen["headers"]["authorization"],
        json!([format!("Bearer {PROVIDER_SECRET}")])
    );
    let headers = seen["headers"].as_object().unwrap();
    let ours = |name: &&String| {
        name.starts_with("x-turnpike-") || ["x-api-key", "api-key", "cookie"].contains(&name.as_str())
    };
    assert_eq!(headers.keys().find(ours), None, "{headers:?}");
    assert!(
        !seen.to_string().contains(&key.text),
        "the client's key went to the provider"
    );
    assert_eq!(
        (&headers["openai-beta"], &headers["x-custom"]),
        (&json!(["kept"]), &json!(["kept"]))
    );
    assert_eq!(seen["query"], "kept=1", "query strings pass");
    let sent = body
        .to_string()
        .replace("fake-faults/echo-request", "echo-request");
    assert_eq!(seen["raw_body"], sent, "the client's bytes, but for the model");
}

#[tokio::test]
async fn no_secret_is_in_any_log_database_spool_or_answer() {
    let mut production = Production::start().await;
    let (key, narrow) = (
        production.granted("canary").await,
        production.application("narrow").await,
    );
    let mut answers = vec![production.caller(&narrow).chat("fake-openai/gpt-4o").await];
    for caller in production.callers(&key) {
        answers.push(caller.stream("fake-openai/gpt-4o").await);
        for model in [
            "fake-openai/gpt-4o",
            "fake-faults/fault-close",
            "fake-faults/fault-status-401",
            "fake-openai/nothing",
        ] {
            answers.push(caller.chat(model).await);
        }
        let cut = &key.text[..key.text.len() - 1];
        answers.push(Answer::of(caller.post(PATH, &chat("x")).header("x-api-key", cut)).await);
    }
    production
        .audited_all(answers.iter().map(Answer::request_id))
        .await;
    let rotate = ["credential", "rotate", &key.id, "--overlap", "1h", "--wait"];
    let rotated = production.admin.json(&rotate).await["key"]
        .as_str()
        .unwrap()
        .to_owned();
    production
        .admin
        .json(&["credential", "revoke", &narrow.id, "--wait"])
        .await;
    // What is in memory is brought down to the disk.
    for edge in &mut production.edge_processes {
        edge.terminate().await;
    }
    production.control_plane.terminate().await;

    let mut places = vec![(
        "the database".to_owned(),
        production.database.dump().await.into_bytes(),
    )];
    places.extend(
        answers
            .iter()
            .map(|answer| ("an answer".to_owned(), format!("{answer:?}").into_bytes())),
    );
    files_of(production.folder(), &mut places);
    for name in ["edge-eu.log", "edge-us.log", "control-plane.log", "the database"] {
        assert!(
            places
                .iter()
                .any(|(place, bytes)| place.ends_with(name) && !bytes.is_empty()),
            "{name} is empty"
        );
    }
    for canary in canaries(&production, &[&key.text, &narrow.text, &rotated]) {
        let found = places
            .iter()
            .find(|(_, bytes)| memchr::memmem::find(bytes, canary.as_bytes()).is_some());
        assert!(found.is_none(), "{canary} is in {}", found.unwrap().0);
    }
}

/// What must be nowhere: the secret parts of keys, the provider's secret, the keyring and the one-time token.
fn canaries(production: &Production, keys: &[&str]) -> Vec<String> {
    let administrators = [production.admin.token(), production.operator.token()];
    let keys = keys.iter().chain(&administrators);
    let mut canaries: Vec<String> = keys
        .map(|key| key.split('_').nth(3).unwrap().to_owned())
        .collect();
    canaries.extend([PROVIDER_SECRET.to_owned(), production.keyring().to_owned()]);
    let token = fs::read_to_string(production.folder().join("control-plane/bootstrap.token")).unwrap();
    canaries.push(token.trim().to_owned());
    canaries
}

/// Every file below a folder, but for the one whose purpose is to hold a secret.
fn files_of(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, places);
        } else if !path.ends_with("bootstrap.token") {
            places.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
}
