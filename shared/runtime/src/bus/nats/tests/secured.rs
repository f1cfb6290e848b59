//! TLS towards NATS, and users that prove themselves with a key (`.creds`), with the real server.

use std::{fs, path::Path};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{NatsBus, PATIENCE, Server, connected, next, publish};
use crate::bus::{Bus as _, nats::NatsSettings};

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn over_tls_the_servers_authority_must_be_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let certificate = write(&folder, "cert.pem", &made.cert.pem());
    let key = write(&folder, "key.pem", &made.signing_key.serialize_pem());
    let mut server = Server::new(&["--tls", "--tlscert", &certificate, "--tlskey", &key]);
    server.start();

    let trusting = NatsSettings {
        ca_file: Some(certificate.into()),
        ..server.settings("")
    };
    let bus = connected(&trusting).await;
    let mut heard = bus.subscribe().await.unwrap();
    publish(&bus, 1).await;
    assert_eq!(next(&mut heard).await, 1);

    let stranger = NatsBus::connect(&server.settings(""), "test")
        .await
        .unwrap()
        .unwrap();
    // As long as it takes to be sure: one that is trusted connects by then.
    connected(&trusting).await;
    assert!(!*stranger.state().borrow(), "an authority that nobody trusts");
}

/// What NATS signs: the claims of a user, an account or an operator, by whoever stands above it.
fn token(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let claims = json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(), "name": name,
        "nats": nats,
    });
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// A server that believes an operator, and the `.creds` file of a user of its account.
fn with_operator(folder: &TempDir) -> (Server, String) {
    let (operator, account, system) = (
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_account(),
    );
    let unlimited = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let accounts = |key: &KeyPair, name: &str, limits: &Value| {
        let nats = json!({"type": "account", "version": 2, "limits": limits});
        format!("{}: {}", key.public_key(), token(&operator, key, name, &nats))
    };
    let plain = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1});
    let trusted = token(
        &operator,
        &operator,
        "op",
        &json!({"type": "operator", "version": 2}),
    );
    let configuration = format!(
        "operator: {trusted}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n{}\n{}\n}}\n",
        system.public_key(),
        accounts(&account, "turnpike", &unlimited),
        accounts(&system, "system", &plain),
    );
    let configuration = write(folder, "nats.conf", &configuration);

    let user = KeyPair::new_user();
    let rights =
        json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}});
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        token(&account, &user, "edge", &rights),
        user.seed().unwrap(),
    );
    let credentials = write(folder, "edge.creds", &credentials);
    (Server::new(&["--config", &configuration]), credentials)
}

#[tokio::test]
async fn a_user_with_a_credentials_file_is_let_in_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, credentials) = with_operator(&folder);
    server.start();
    let settings = NatsSettings {
        credentials: Some(Path::new(&credentials).to_owned()),
        ..server.settings("")
    };
    let bus = connected(&settings).await;
    let mut heard = timeout(PATIENCE, bus.subscribe()).await.unwrap().unwrap();
    publish(&bus, 1).await;
    assert_eq!(next(&mut heard).await, 1);

    let stranger = NatsBus::connect(&server.settings(""), "test")
        .await
        .unwrap()
        .unwrap();
    connected(&settings).await;
    assert!(!*stranger.state().borrow(), "nobody without a key");
}
