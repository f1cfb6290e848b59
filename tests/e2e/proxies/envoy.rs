//! Envoy with `ext_authz` over gRPC.

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, Caller, chat},
    eventually::eventually,
};

use super::{Front, SPOOFED, Scene, get};

const CHAT: &str = "/v1/chat/completions";

async fn front(scene: &mut Scene) -> Front {
    let process = &mut scene.production.edge_processes[0];
    let edge = process.address(0, "Envoy may ask", "ext_authz").await;
    Front::envoy(scene.production.folder(), edge, scene.service.address).await
}

#[tokio::test]
async fn envoy_lets_through_who_is_allowed_and_nobody_else_and_after_a_revocation_not_even_them() {
    let mut scene = Scene::set().await;
    let front = front(&mut scene).await;
    let reader = front.caller(Some(&scene.reader.text));
    let passed = get(&reader, "/prompts/welcome", &SPOOFED).await;
    assert_eq!(passed.status, 200, "{passed:?}");
    let seen = passed.json();
    let headers = &seen["headers"];
    for (name, expected) in [
        ("x-turnpike-principal", json!("virtual-account:reader")),
        ("x-turnpike-tenant", json!("dev")),
        ("x-turnpike-decision", json!(passed.header("x-turnpike-decision"))),
        ("x-turnpike-model", Value::Null),
        ("authorization", Value::Null),
    ] {
        assert_eq!(headers[name], expected, "{name}: {seen}");
    }
    let decision = passed.header("x-turnpike-decision").to_owned();
    let row = scene.row(&decision).await;
    assert_eq!(
        (&row["route"], &row["action"], &row["client"]),
        (
            &json!("POST /envoy.service.auth.v3.Authorization/Check"),
            &json!("prompts.read"),
            &json!("127.0.0.1")
        ),
        "{row}"
    );
    eventually("Envoy's access log", async || {
        let printed = front.process.printed();
        let line = format!("decision={decision} principal=virtual-account:reader");
        if printed.contains(&line) {
            Ok(())
        } else {
            Err(printed)
        }
    })
    .await;

    refuses_others(&scene, &front).await;
    scene
        .production
        .admin
        .words(&format!("credential revoke {} --wait", scene.reader.id))
        .await;
    assert_eq!(get(&reader, "/prompts/welcome", &[]).await.status, 401);
}

async fn refuses_others(scene: &Scene, front: &Front) {
    let refused = get(
        &front.caller(Some(&scene.other.text)),
        "/prompts/welcome",
        &SPOOFED,
    )
    .await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(
        scene.row(refused.header("x-turnpike-decision")).await["reason"],
        "no_grant"
    );
    let admin = &scene.production.admin;
    let [gone, rests] = [&scene.gone, &scene.rests];
    admin
        .words(&format!("credential revoke {} --wait", gone.id))
        .await;
    admin
        .words(&format!("credential suspend {} --wait", rests.id))
        .await;
    for key in [None, Some("tp_va_made_up"), Some(&*gone.text), Some(&*rests.text)] {
        let answer = get(&front.caller(key), "/prompts/welcome", &[]).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Bearer"),
            "{answer:?}"
        );
        assert_eq!(answer.json()["error"]["code"], "invalid_api_key");
    }
}

#[tokio::test]
async fn envoy_asks_about_the_model_of_the_body_and_answers_as_the_edge_would() {
    let mut scene = Scene::set().await;
    let front = front(&mut scene).await;
    scene
        .production
        .allow(&scene.reader.owner, "fake-openai/gpt-*")
        .await;
    let reader = front.caller(Some(&scene.reader.text));
    let passed = Answer::of(reader.post(CHAT, &chat("gpt-4o"))).await;
    assert_eq!(passed.status, 200, "{passed:?}");
    let seen = passed.json();
    assert_eq!(seen["headers"]["x-turnpike-model"], "fake-openai/gpt-4o");
    assert!(
        !seen["headers"]["authorization"].is_null(),
        "this route keeps the credential: {seen}"
    );
    assert!(
        seen["body"].as_str().unwrap().contains("\"gpt-4o\""),
        "the body is the client's: {seen}"
    );
    assert_eq!(
        scene.row(passed.header("x-turnpike-decision")).await["model_served"],
        "fake-openai/gpt-4o"
    );

    refuses_as_the_edge_would(&reader).await;

    scene.production.edge_processes[0].kill().await;
    assert_eq!(Answer::of(reader.post(CHAT, &chat("gpt-4o"))).await.status, 503);
}

async fn refuses_as_the_edge_would(reader: &Caller) {
    for (path, model, status, code, kind) in [
        (
            CHAT,
            "fake-openai/llama-3",
            403,
            json!("permission_denied"),
            Value::Null,
        ),
        (CHAT, "unheard/of", 404, json!("model_not_found"), Value::Null),
        (
            "/v1/messages",
            "fake-anthropic/claude-sonnet-5",
            403,
            Value::Null,
            json!("error"),
        ),
        ("/v1/unheard-of", "gpt-4o", 404, json!("not_found"), Value::Null),
    ] {
        let answer = Answer::of(reader.post(path, &chat(model))).await;
        assert_eq!(answer.status, status, "{path} {model}: {answer:?}");
        let body = answer.json();
        assert_eq!((&body["error"]["code"], &body["type"]), (&code, &kind), "{body}");
    }
    let twice = r#"{"model": "gpt-4o", "messages": [], "model": "fake-openai/llama-3"}"#;
    let request = reader
        .request(reqwest::Method::POST, CHAT)
        .header("content-type", "application/json");
    assert_eq!(
        Answer::of(request.body(twice)).await.status,
        400,
        "what reads in two ways is refused"
    );
    let request = reader
        .request(reqwest::Method::POST, CHAT)
        .header("content-type", "application/json");
    let large = format!(
        r#"{{"model": "gpt-4o", "messages": ["{}"]}}"#,
        "x".repeat(2 << 20)
    );
    assert_eq!(
        Answer::of(request.body(large)).await.status,
        413,
        "what is not judged does not pass"
    );
}
