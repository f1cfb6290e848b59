//! The official clients, unmodified, with nothing changed but base URL and key.

use serde_json::{Value, json};
use turnpike_tests::{dev::Dev, ground::Ground, production::Production, python};

/// Their environment, as `dev.env` has it.
fn environment(ground: &Ground, key: &str) -> Vec<(&'static str, String)> {
    let url = ground.edges[0].url();
    vec![
        ("OPENAI_BASE_URL", format!("{url}/v1")),
        ("OPENAI_API_KEY", key.to_owned()),
        ("ANTHROPIC_BASE_URL", url),
        ("ANTHROPIC_API_KEY", key.to_owned()),
    ]
}

fn step<'s>(steps: &'s [Value], name: &str) -> &'s Value {
    steps
        .iter()
        .find(|step| step["step"] == name)
        .unwrap_or(&Value::Null)
}

/// Every step of the OpenAI client gives what the client's own types promise.
async fn openai_does_everything(ground: &Ground, key: &str) {
    let mut environment = environment(ground, key);
    environment.push(("MODEL", "fake-openai/gpt-4o".to_owned()));
    environment.push(("EMBEDDING_MODEL", "fake-openai/text-embedding-3-small".to_owned()));
    let steps = python::run("openai_client.py", &environment, &[]).await;
    let text = "gpt-4o heard: good morning";
    let chat = step(&steps, "chat");
    assert_eq!(
        (&chat["text"], &chat["usage"]),
        (&json!(text), &json!(6)),
        "{steps:#?}"
    );
    assert_eq!(
        chat["headers"]["x-turnpike-model"], "fake-openai/gpt-4o",
        "{chat}"
    );
    assert!(chat["headers"]["x-turnpike-decision"].is_string(), "{chat}");
    let stream = step(&steps, "stream");
    assert_eq!(
        (&stream["text"], &stream["usage"]),
        (&json!(text), &Value::Null),
        "not asked, not told"
    );
    let asked = step(&steps, "stream_usage");
    assert_eq!(
        (&asked["text"], &asked["usage"]),
        (&json!(text), &json!(6)),
        "asked and told"
    );
    assert_eq!(step(&steps, "tool")["called"], "look_up");
    let embeddings = step(&steps, "embeddings");
    assert_eq!(
        (&embeddings["rows"], &embeddings["same_as_floats"]),
        (&json!(2), &json!(true))
    );
    let models = step(&steps, "models");
    let ids = models["ids"].as_array().unwrap();
    assert!(ids.contains(&json!("fake-openai/gpt-4o")), "{models}");
    assert_eq!(step(&steps, "responses")["text"], text);
    let responses = step(&steps, "responses_stream");
    assert_eq!(
        (&responses["text"], &responses["last"]),
        (&json!(text), &json!("response.completed"))
    );
}

/// The same for Anthropic's.
async fn anthropic_does_everything(ground: &Ground, key: &str, model: &str) {
    let mut environment = environment(ground, key);
    environment.push(("MODEL", model.to_owned()));
    let steps = python::run("anthropic_client.py", &environment, &[]).await;
    let (_, name) = model.split_once('/').unwrap();
    let text = format!("{name} heard: good morning");
    assert_eq!(step(&steps, "messages")["text"], text, "{steps:#?}");
    let stream = step(&steps, "stream");
    assert_eq!(
        (&stream["text"], &stream["stop"]),
        (&json!(text), &json!("end_turn"))
    );
    assert_eq!(step(&steps, "tool")["called"], "look_up");
    assert_eq!(step(&steps, "count_tokens")["tokens"], 2);
    assert!(
        step(&steps, "models")["ids"]
            .as_array()
            .unwrap()
            .contains(&json!(model)),
        "{steps:#?}"
    );
}

#[tokio::test]
async fn the_official_clients_do_everything_with_what_dev_env_exports() {
    let dev = Dev::start().await;
    let key = dev.environment["OPENAI_API_KEY"].clone();
    assert_eq!(
        dev.environment["OPENAI_BASE_URL"],
        format!("{}/v1", dev.edges[0].url())
    );
    assert_eq!(dev.environment["ANTHROPIC_BASE_URL"], dev.edges[0].url());
    assert_eq!(dev.environment["ANTHROPIC_API_KEY"], key);
    openai_does_everything(&dev, &key).await;
    anthropic_does_everything(&dev, &key, &anthropic_model(&dev).await).await;
}

#[tokio::test]
async fn the_official_clients_do_everything_through_a_production_edge() {
    let production = Production::start().await;
    let key = production.granted("sdk").await;
    openai_does_everything(&production, &key.text).await;
    anthropic_does_everything(&production, &key.text, &anthropic_model(&production).await).await;
}

async fn anthropic_model(ground: &Ground) -> String {
    let models = ground.admin.json(&["model", "list"]).await;
    let mut ids = models
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|model| model["id"].as_str());
    ids.find(|id| id.starts_with("fake-anthropic/"))
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_official_clients_raise_the_exceptions_that_their_users_catch() {
    let dev = Dev::start().await;
    let nobody = dev.application("nobody").await;
    let mut forbidden = environment(&dev, &nobody.text);
    forbidden.push(("MODEL", "fake-openai/gpt-4o".to_owned()));
    let mut claude = environment(&dev, &nobody.text);
    claude.push(("MODEL", anthropic_model(&dev).await));
    let unknown = environment(&dev, "tp_va_nobody");
    // Python starts slowly, so that all of them start at once.
    let (forbidden, claude, unknown, strange) = tokio::join!(
        python::run("openai_client.py", &forbidden, &["chat", "stream"]),
        python::run("anthropic_client.py", &claude, &["messages"]),
        python::run("openai_client.py", &unknown, &["chat", "models"]),
        python::run("anthropic_client.py", &unknown, &["messages"]),
    );
    for (steps, error, word) in [
        (&forbidden, "PermissionDeniedError", "permission_denied"),
        (&claude, "PermissionDeniedError", "permission_error"),
        (&unknown, "AuthenticationError", "invalid_api_key"),
        (&strange, "AuthenticationError", "authentication_error"),
    ] {
        for step in steps {
            let told = step["code"].as_str().or(step["type"].as_str());
            assert_eq!(
                (step["error"].as_str(), told),
                (Some(error), Some(word)),
                "{step}"
            );
        }
    }
}
