//! The identity header towards model servers of our user's own: verified as such a server would, by published keys.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use reqwest::Method;
use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    eventually::eventually,
    production::Production,
};

const PATH: &str = "/v1/chat/completions";
const HEADER: &str = "x-turnpike-identity";
const MODEL: &str = "fake-faults/echo-request";

/// What the provider saw of a request through an edge, whose client says of itself that it is somebody.
async fn seen(caller: &Caller) -> Value {
    let request = caller
        .post(PATH, &chat(MODEL))
        .header(HEADER, "eyJmb3JnZWQiOjF9.e30.");
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.echo()["headers"][HEADER].clone()
}

async fn published(production: &Production) -> JwkSet {
    let caller = Caller::new(&format!("http://{}", production.operations), None);
    let answer = Answer::of(caller.request(Method::GET, "/.well-known/edge-keys.json")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// As a model server reads it: by a JWT library, with the keys of the published set and no others.
fn verify(keys: &JwkSet, token: &str, audience: &str) -> Result<(String, Value), String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    assert_eq!(header.typ.as_deref(), Some("turnpike-identity+jwt"));
    let id = header.kid.unwrap();
    let key = keys.find(&id).ok_or("the key is not published")?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
    let claims = decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation);
    claims
        .map(|token| (id, token.claims))
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_model_server_learns_from_a_signed_header_who_calls_if_it_is_to_and_never_from_the_client() {
    let production = Production::start().await;
    let (admin, key) = (&production.admin, production.granted("checkout").await);
    for caller in production.callers(&key) {
        assert_eq!(seen(&caller).await, Value::Null, "the provider wants none");
    }
    let updated = admin
        .words("provider update fake-faults --identity-header true --wait")
        .await;
    assert_eq!(updated["provider"]["identity_header"], true, "{updated}");
    let base_url = updated["provider"]["base_url"].as_str().unwrap();

    // What an edge published when it was attached has been kept by now, or soon is.
    let keys = eventually("the edges' keys", async || {
        let keys = published(&production).await;
        if keys.keys.len() == production.edges.len() {
            Ok(keys)
        } else {
            Err(keys)
        }
    })
    .await;
    for (caller, region) in production.callers(&key).iter().zip(["eu", "us"]) {
        let tokens = seen(caller).await;
        let tokens = tokens.as_array().unwrap();
        assert_eq!(tokens.len(), 1, "{tokens:?}");
        let token = tokens[0].as_str().unwrap();
        let (id, claims) = verify(&keys, token, base_url).unwrap();
        assert!(id.starts_with(&format!("edge-{region}/")), "{id}");
        assert_eq!(claims["sub"], "virtual-account:checkout", "{claims}");
        let told = &claims["turnpike"];
        let expected = json!({
            "tenant": "dev", "method": "api_key", "credential": key.id, "model": MODEL,
            "decision": told["decision"],
        });
        assert_eq!(*told, expected);
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 60, "{claims}");
        assert!(verify(&keys, token, "https://another.example").is_err());
        assert_eq!(
            seen(caller).await[0],
            token,
            "it is not signed anew for every request"
        );
    }

    admin
        .words("provider update fake-faults --identity-audience models.acme.example --wait")
        .await;
    let token = seen(&production.callers(&key)[0]).await[0]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(verify(&keys, &token, "models.acme.example").is_ok());
    admin
        .words("provider update fake-faults --identity-header false --wait")
        .await;
    assert_eq!(seen(&production.callers(&key)[0]).await, Value::Null);
}
