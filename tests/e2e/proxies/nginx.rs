//! nginx with `auth_request`.

use serde_json::{Value, json};
use turnpike_tests::caller::chat;

use super::{Answer, Front, SPOOFED, Scene, get};

async fn front(scene: &Scene) -> Front {
    let edge = scene.production.edges[0].data;
    Front::nginx(scene.production.folder(), edge, scene.service.address).await
}

#[tokio::test]
async fn nginx_lets_through_who_is_allowed_and_nobody_else_and_after_a_revocation_not_even_them() {
    let scene = Scene::set().await;
    let front = front(&scene).await;
    let reader = front.caller(Some(&scene.reader.text));
    let passed = get(&reader, "/prompts/welcome", &[]).await;
    assert_eq!(passed.status, 200, "{passed:?}");
    let seen = passed.json();
    let headers = &seen["headers"];
    assert_eq!(headers["x-turnpike-principal"], "virtual-account:reader");
    assert_eq!(
        (&headers["x-turnpike-tenant"], &headers["authorization"]),
        (&json!("dev"), &Value::Null)
    );
    let row = scene.row(passed.header("x-turnpike-decision")).await;
    assert_eq!(
        (&row["route"], &row["action"], &row["resource"], &row["client"]),
        (
            &json!("GET /authz"),
            &json!("prompts.read"),
            &json!("prompt:welcome"),
            &json!("127.0.0.1")
        ),
        "{row}"
    );

    let post = Answer::of(reader.post("/prompts/welcome", &json!({"text": "x"}))).await;
    assert_eq!(post.status, 403, "reading is not editing: {post:?}");
    let refused = get(&front.caller(Some(&scene.other.text)), "/prompts/welcome", &[]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        scene.row(refused.header("x-turnpike-decision")).await["reason"],
        "no_grant"
    );
    for (key, status) in [(None, 401), (Some("tp_va_made_up"), 401)] {
        let answer = get(&front.caller(key), "/prompts/welcome", &[]).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (status, "Bearer")
        );
    }
    for path in [
        "/",
        "/prompts/",
        "/prompts/a%2Fb",
        "/-/turnpike",
        "/prompts/welcome/more",
    ] {
        assert!(
            matches!(get(&reader, path, &[]).await.status, 403 | 404),
            "{path}"
        );
    }

    scene
        .production
        .admin
        .words(&format!("credential revoke {} --wait", scene.reader.id))
        .await;
    assert_eq!(get(&reader, "/prompts/welcome", &[]).await.status, 401);
}

#[tokio::test]
async fn what_a_client_says_in_the_headers_of_nginx_is_not_believed() {
    let scene = Scene::set().await;
    let front = front(&scene).await;
    let other = front.caller(Some(&scene.other.text));
    let answer = get(&other, "/prompts/welcome", &SPOOFED).await;
    assert_eq!(answer.status, 403, "the prompt is the path's: {answer:?}");
    assert_eq!(
        scene.row(answer.header("x-turnpike-decision")).await["client"],
        "127.0.0.1"
    );
    let passed = get(&other, "/prompts/farewell", &SPOOFED).await;
    let seen = passed.json();
    assert_eq!(seen["headers"]["x-turnpike-principal"], "virtual-account:other");
    assert_eq!(seen["headers"]["x-turnpike-tenant"], "dev");
    assert_eq!(
        seen["headers"]["x-turnpike-decision"],
        passed.header("x-turnpike-decision")
    );
}

#[tokio::test]
async fn nginx_asks_about_a_model_by_its_name_in_the_catalogue_and_passes_nobody_without_an_answer() {
    let mut scene = Scene::set().await;
    let front = front(&scene).await;
    let path = "/llama/v1/chat/completions";
    let reader = front.caller(Some(&scene.reader.text));
    assert_eq!(Answer::of(reader.post(path, &chat("llama-3"))).await.status, 403);
    scene
        .production
        .allow(&scene.reader.owner, "fake-openai/llama-*")
        .await;
    let passed = Answer::of(reader.post(path, &chat("llama-3"))).await;
    assert_eq!(passed.status, 200, "{passed:?}");
    let seen = passed.json();
    assert_eq!(seen["path"], "/v1/chat/completions");
    assert!(
        seen["body"].as_str().unwrap().contains("llama-3"),
        "the body is the client's: {seen}"
    );

    scene.production.edge_processes[0].kill().await;
    assert_eq!(Answer::of(reader.post(path, &chat("llama-3"))).await.status, 500);
}
