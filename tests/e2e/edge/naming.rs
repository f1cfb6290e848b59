//! How a request may name its model: in full, by alias, bare, in Azure's path, in a form; and what it is told was served.

use reqwest::Method;
use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    dev::Dev,
    ground::Ground,
    production::Production,
};

const PATH: &str = "/v1/chat/completions";

async fn served(caller: &Caller, path: &str, model: &str, provider: Option<&str>) -> (u16, String) {
    let mut request = caller.post(path, &chat(model));
    if let Some(provider) = provider {
        request = request.header("x-turnpike-provider", provider);
    }
    let answer = Answer::of(request).await;
    (answer.status, answer.header("x-turnpike-model").to_owned())
}

#[tokio::test]
async fn a_model_is_found_by_full_name_alias_unique_bare_name_or_named_provider() {
    let production = Production::with_one_edge(&[]).await;
    production
        .provider("second", "openai", &format!("http://{}/v1", production.provider))
        .await;
    let admin = &production.admin;
    admin.json(&["model", "create", "second/gpt-4o"]).await;
    admin
        .json(&["alias", "set", "fast", "fake-openai/gpt-4o-mini"])
        .await;
    let key = production.granted("namer").await;
    production.allow(&key.owner, "second/*").await;
    let caller = production.caller(&key);
    for (model, provider, status, model_served) in [
        ("fake-openai/gpt-4o", None, 200, "fake-openai/gpt-4o"),
        ("fast", None, 200, "fake-openai/gpt-4o-mini"),
        ("gpt-4o-mini", None, 200, "fake-openai/gpt-4o-mini"),
        ("gpt-4o", None, 400, ""),
        ("gpt-4o", Some("second"), 200, "second/gpt-4o"),
        ("gpt-4o", Some("fake-openai"), 200, "fake-openai/gpt-4o"),
        ("gpt-4o", Some("nobody"), 404, ""),
        ("whatever", Some("fake-faults"), 200, "fake-faults/whatever"),
        ("FAKE-OPENAI/gpt-4o", None, 404, ""),
        ("slow", None, 404, ""),
    ] {
        for path in [PATH, "/chat/completions"] {
            let seen = served(&caller, path, model, provider).await;
            assert_eq!(
                seen,
                (status, model_served.to_owned()),
                "{model} of {provider:?} at {path}"
            );
        }
    }
    admin
        .json(&["alias", "set", "fast", "fake-openai/llama-3", "--wait"])
        .await;
    assert_eq!(
        served(&caller, PATH, "fast", None).await,
        (200, "fake-openai/llama-3".to_owned())
    );
}

#[tokio::test]
async fn azures_path_names_the_model_and_a_body_that_names_another_is_refused() {
    let production = Production::with_one_edge(&[]).await;
    let at = format!("http://{}", production.provider);
    production.provider("azure", "azure-openai", &at).await;
    let key = production.granted("azurite").await;
    production.allow(&key.owner, "azure/*").await;
    let caller = production.caller(&key);
    let ask = async |deployment: &str, body: &Value| {
        let path = format!("/openai/deployments/{deployment}/chat/completions?api-version=2024-10-21");
        let request = Caller::new(&production.edges[0].url(), None).request(Method::POST, &path);
        Answer::of(request.header("api-key", &key.text).json(body)).await
    };
    let messages = json!({"messages": [{"role": "user", "content": "hi"}]});
    let answer = ask("azure%2Fecho-request", &messages).await;
    assert_eq!(
        (answer.status, answer.header("x-turnpike-model")),
        (200, "azure/echo-request"),
        "{answer:?}"
    );
    let seen = answer.echo();
    assert_eq!(seen["path"], "/openai/deployments/echo-request/chat/completions");
    assert_eq!(seen["query"], "api-version=2024-10-21");
    assert!(
        seen["headers"]["api-key"].is_array() && seen["headers"]["authorization"].is_null(),
        "{seen}"
    );
    assert_eq!(
        ask("gpt-4o-mini", &messages).await.header("x-turnpike-model"),
        "fake-openai/gpt-4o-mini"
    );
    assert_eq!(
        ask("gpt-4o-mini", &chat("fake-openai/gpt-4o")).await.status,
        400,
        "two models"
    );
    // An Azure provider behind OpenAI's shape.
    let answer = caller.chat("azure/echo-request").await;
    assert_eq!(
        answer.echo()["path"],
        "/openai/deployments/echo-request/chat/completions",
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_form_is_judged_by_its_model_field() {
    let dev = Dev::start().await;
    let key = dev.application("speaker").await;
    dev.allow(&key.owner, "fake-faults/whisper-*").await;
    let caller = dev.caller(&key);
    let send = async |model: &str| {
        let body = format!(
            "--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\u{1}model\r\n--cut\r\n\
             content-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--cut--\r\n"
        );
        let request = caller.request(Method::POST, "/v1/audio/transcriptions");
        Answer::of(
            request
                .header("content-type", "multipart/form-data; boundary=cut")
                .body(body),
        )
        .await
    };
    let allowed = send("fake-faults/whisper-1").await;
    assert_eq!(
        (allowed.status, allowed.header("x-turnpike-model")),
        (200, "fake-faults/whisper-1"),
        "{allowed:?}"
    );
    assert_eq!(
        dev.audited(allowed.request_id()).await["action"],
        "inference.transcriptions"
    );
    let refused = send("fake-faults/other").await;
    assert_eq!(refused.status, 403, "{refused:?}");
}

#[tokio::test]
async fn the_list_of_models_is_what_the_caller_may_use_in_both_shapes() {
    let dev = Dev::start().await;
    let key = dev.application("reader").await;
    dev.allow(&key.owner, "fake-openai/gpt-4o*").await;
    let caller = dev.caller(&key);
    let listed = Answer::of(caller.request(Method::GET, "/v1/models")).await.json();
    assert_eq!(
        ids(&listed),
        ["fake-openai/gpt-4o", "fake-openai/gpt-4o-mini"],
        "{listed}"
    );
    assert_eq!(
        (&listed["object"], &listed["data"][0]["object"]),
        (&json!("list"), &json!("model"))
    );
    let anthropic = caller
        .request(Method::GET, "/v1/models")
        .header("anthropic-version", "2023-06-01");
    let listed = Answer::of(anthropic).await.json();
    assert_eq!((ids(&listed).len(), &listed["has_more"]), (2, &json!(false)));
    assert_eq!(
        (&listed["first_id"], &listed["data"][0]["type"]),
        (&json!("fake-openai/gpt-4o"), &json!("model"))
    );
    for (path, status) in [
        ("/v1/models/fake-openai/gpt-4o", 200),
        ("/v1/models/fake-openai%2Fgpt-4o", 200),
        ("/models/fake-openai/gpt-4o", 200),
        ("/v1/models/fake-openai/llama-3", 404),
        ("/v1/models/nobody/nothing", 404),
    ] {
        let answer = Answer::of(caller.request(Method::GET, path)).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    nothing_for_nobody(&dev).await;
}

async fn nothing_for_nobody(ground: &Ground) {
    let key = ground.application("ungranted").await;
    let listed = Answer::of(ground.caller(&key).request(Method::GET, "/v1/models")).await;
    assert_eq!((listed.status, ids(&listed.json()).len()), (200, 0), "{listed:?}");
}

fn ids(list: &Value) -> Vec<String> {
    let ids = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap().to_owned());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}
