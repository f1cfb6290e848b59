//! Every route and every method, walked by bearers of tokens: dead ones, another tenant's, and good ones that open nothing.

use serde_json::json;
use tonic::Code;
use turnpike_tests::{caller::Caller, idp::JWT_AUDIENCE, rpc::Rpc};

use super::stage::{MODEL, Stage, seconds};
use crate::{
    edge::walk::Route,
    grpc::{BOOTSTRAP, methods},
};

/// What everybody may ask who is recognised.
const OF_ONESELF: &str = "turnpike.admin.v1.AccessService/WhoAmI";

/// Tokens that open nothing, each for another reason.
async fn dead(stage: &Stage) -> Vec<(&'static str, String)> {
    let nothing = || json!({});
    let good = stage.signed(nothing(), nothing()).await;
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let over = json!({"exp": seconds() - 600, "iat": seconds() - 1200});
    let early = json!({"nbf": seconds() + 600});
    vec![
        ("over", stage.signed(over, nothing()).await),
        ("early", stage.signed(early, nothing()).await),
        (
            "for others",
            stage.signed(json!({"aud": "somebody-else"}), nothing()).await,
        ),
        (
            "of an unknown issuer",
            stage
                .signed(json!({"iss": "https://idp.example"}), nothing())
                .await,
        ),
        (
            "of nobody",
            stage.signed(json!({"sub": "nobody"}), nothing()).await,
        ),
        ("altered", format!("{signed}.{first}{}", &signature[1..])),
        ("unsigned", format!("{signed}.")),
    ]
}

#[tokio::test]
async fn every_route_and_method_tells_whoever_has_a_dead_token_what_it_tells_whoever_has_none() {
    let stage = Stage::trusting().await;
    let (url, rpc) = (stage.dev.edges[0].url(), Rpc::at(stage.dev.admin.control_plane()));
    let dead = dead(&stage).await;
    for route in Route::all().iter().filter(|route| !route.is_public()) {
        let without = route.told(&Caller::new(&url, None), MODEL).await;
        for (why, token) in &dead {
            let told = route.told(&stage.caller(token), MODEL).await;
            assert_eq!(told, without, "{} with a token that is {why}", route.template);
        }
    }
    for method in methods(&stage.dev)
        .await
        .iter()
        .filter(|method| *method != BOOTSTRAP)
    {
        let without = rpc.call(method, None, None).await;
        for (why, token) in &dead {
            for tenant in [None, Some("dev"), Some("nowhere")] {
                let told = rpc.call(method, Some(token), tenant).await;
                assert_eq!(told, without, "{method} with a token that is {why}");
            }
        }
    }
}

#[tokio::test]
async fn no_route_and_no_method_is_for_the_bearer_of_a_good_token_who_was_granted_nothing() {
    let stage = Stage::trusting().await;
    let dev = &stage.dev;
    let token = stage.idp.person_token("alice", JWT_AUDIENCE).await;
    let bearer = stage.caller(&token);
    for route in Route::all().iter().filter(|route| !route.is_public()) {
        let (status, text) = route.told(&bearer, MODEL).await;
        match route.lists() {
            true => assert!(!text.contains("gpt-4o"), "{}: {text}", route.template),
            false => assert_eq!(status, 403, "{}: {text}", route.template),
        }
    }
    let rpc = Rpc::at(dev.admin.control_plane());
    let before = dev.admin.words("log list").await;
    for method in methods(dev).await.iter().filter(|method| *method != BOOTSTRAP) {
        let own = rpc.call(method, Some(&token), None).await;
        let of_edges = !method.starts_with("turnpike.admin.");
        match method.as_str() {
            OF_ONESELF => assert_eq!(own.0, Code::Ok, "{own:?}"),
            _ if of_edges => assert_eq!(own.0, Code::Unauthenticated, "{method}: {own:?}"),
            // What cannot be read is refused before it is known what it is about.
            _ => assert!(
                [Code::PermissionDenied, Code::InvalidArgument, Code::NotFound].contains(&own.0),
                "{method}: {own:?}"
            ),
        }
        if !of_edges {
            let [theirs, nobodys] = [
                rpc.call(method, Some(&token), Some("platform")).await,
                rpc.call(method, Some(&token), Some("nowhere")).await,
            ];
            assert_eq!(theirs.0, Code::NotFound, "{method}: {theirs:?}");
            assert_eq!(
                theirs.1.replace("platform", "T"),
                nobodys.1.replace("nowhere", "T"),
                "{method}"
            );
        }
    }
    assert_eq!(dev.admin.words("log list").await, before);
    dev.allow("user:carol", "fake-*").await;
    assert_eq!(stage.status(&token).await, 200);
}
