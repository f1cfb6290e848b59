//! The one route that is not on the data listener, where Envoy asks, walked by the same callers as the others.

use turnpike_proto::ext_authz::v3::{CheckRequest, CheckResponse, check_response::HttpResponse};
use turnpike_tests::{
    caller::chat,
    ext_authz::{Incoming, Proxy},
    production::Production,
};

use crate::edge::walk::{MODEL, NOBODYS, bad_keys, only, rivals_key};

/// Ways to ask: what the path and the body say, and what the route's configuration says.
#[derive(Debug, Clone, Copy)]
enum Way {
    Body,
    Path,
    ModelConfigured,
    ResourceConfigured,
    List,
}

impl Way {
    const ALL: [Self; 5] = [
        Self::Body,
        Self::Path,
        Self::ModelConfigured,
        Self::ResourceConfigured,
        Self::List,
    ];

    fn action(self) -> &'static str {
        match self {
            Self::Body | Self::ModelConfigured => "inference.chat",
            Self::Path => "inference.embeddings",
            Self::ResourceConfigured => "prompts.read",
            Self::List => "models.list",
        }
    }

    /// A request of the holder of a key; it names the model, where it names one.
    fn asked(self, key: Option<&str>, model: &str) -> CheckRequest {
        let (method, path, body, configured) = match self {
            Self::Body => (
                "POST",
                "/v1/chat/completions".to_owned(),
                chat(model).to_string(),
                vec![],
            ),
            Self::Path => {
                let model = model.replace('/', "%2F");
                let path = format!("/openai/deployments/{model}/embeddings");
                ("POST", path, "{}".to_owned(), vec![])
            }
            Self::ModelConfigured => (
                "GET",
                "/anything".to_owned(),
                String::new(),
                vec![("action", self.action().to_owned()), ("model", model.to_owned())],
            ),
            Self::ResourceConfigured => (
                "GET",
                "/prompts/welcome".to_owned(),
                String::new(),
                vec![
                    ("action", self.action().to_owned()),
                    ("resource", "prompt:welcome".to_owned()),
                ],
            ),
            Self::List => ("GET", "/v1/models".to_owned(), String::new(), vec![]),
        };
        let incoming = Incoming {
            method: method.to_owned(),
            path,
            body,
            key: key.map(str::to_owned),
            configured,
        };
        incoming.told()
    }
}

/// An edge that Envoy may ask, and somebody who asks it.
async fn stage() -> (Production, Proxy) {
    let mut production = Production::with_one_edge(&["--ext-authz-listen", "127.0.0.1:0"]).await;
    let edge = &mut production.edge_processes[0];
    let proxy = Proxy::at(edge.address(0, "Envoy may ask", "ext_authz").await);
    (production, proxy)
}

/// The status that the client would get; 200 where the request goes on.
fn status(answer: &CheckResponse) -> i32 {
    let code = answer.status.as_ref().unwrap().code;
    let status = match answer.http_response.as_ref().unwrap() {
        HttpResponse::OkResponse(_) => 200,
        HttpResponse::DeniedResponse(denied) => denied.status.as_ref().unwrap().code,
    };
    assert_eq!(code == 0, status == 200, "{answer:?}");
    status
}

/// What the client is told, as it is compared: without what names the request, the decision or the model.
fn told(answer: &CheckResponse, model: &str) -> String {
    let CheckResponse {
        status,
        http_response,
        // For Envoy's own log, which may tell why a key is none.
        dynamic_metadata: _,
    } = answer;
    let text = format!("{status:?} {http_response:?}").replace(model, "MODEL");
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = |word: &&str| word.starts_with("dec_") || word.starts_with("req_");
    words.map(|word| if named(&word) { "ID" } else { word }).collect()
}

async fn asked(proxy: &Proxy, way: Way, key: Option<&str>, model: &str) -> CheckResponse {
    proxy.check(way.asked(key, model)).await.unwrap()
}

#[tokio::test]
async fn envoys_route_tells_whoever_has_no_key_or_a_dead_one_the_same() {
    let (production, proxy) = stage().await;
    let bad = bad_keys(&production).await;
    for way in Way::ALL {
        let without = asked(&proxy, way, None, MODEL).await;
        assert_eq!(status(&without), 401, "{way:?}: {without:?}");
        let without = told(&without, MODEL);
        assert!(without.contains("invalid_api_key"), "{without}");
        for (why, key) in &bad {
            let answer = asked(&proxy, way, key.as_deref(), MODEL).await;
            assert_eq!(told(&answer, MODEL), without, "{way:?} with a key that is {why}");
        }
    }
    for nothing in [CheckRequest::default(), Incoming::default().told()] {
        let answer = proxy.check(nothing).await.unwrap();
        assert!([400, 401].contains(&status(&answer)), "{answer:?}");
    }
}

#[tokio::test]
async fn envoys_route_is_for_those_who_have_what_is_demanded_and_for_nobody_else() {
    let (production, proxy) = stage().await;
    let nothing = production.application("nothing").await;
    let elsewhere = only(&production, "prompts.edit").await;
    for way in Way::ALL {
        for key in [&nothing, &elsewhere] {
            let answer = asked(&proxy, way, Some(&key.text), MODEL).await;
            assert_eq!(status(&answer), 403, "{way:?}: {answer:?}");
        }
        let enough = only(&production, way.action()).await;
        let answer = asked(&proxy, way, Some(&enough.text), MODEL).await;
        assert_eq!(status(&answer), 200, "{way:?}: {answer:?}");
    }
}

#[tokio::test]
async fn envoys_route_tells_another_tenants_caller_of_a_model_what_it_tells_of_one_that_is_not_there() {
    let (production, proxy) = stage().await;
    let key = rivals_key(&production).await;
    for way in Way::ALL {
        let theirs = asked(&proxy, way, Some(&key), MODEL).await;
        let nobodys = asked(&proxy, way, Some(&key), NOBODYS).await;
        assert_eq!(told(&theirs, MODEL), told(&nobodys, NOBODYS), "{way:?}");
        match way {
            // About what names no model they ask their own tenant, where they may do everything.
            Way::ResourceConfigured | Way::List => assert_eq!(status(&theirs), 200, "{theirs:?}"),
            _ => assert_eq!(status(&theirs), 404, "{way:?}: {theirs:?}"),
        }
    }
}
