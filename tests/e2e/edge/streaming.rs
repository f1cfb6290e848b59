//! Streams: passed on event by event, with usage read off them whether or not the client asked.

use serde_json::{Value, json};
use turnpike_tests::{
    caller::{Answer, streamed},
    dev::Dev,
};

const PATH: &str = "/v1/chat/completions";

#[tokio::test]
async fn the_provider_is_asked_for_usage_and_a_client_that_did_not_ask_never_sees_it() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("frugal").await);
    let answer = caller.stream("fake-faults/echo-request").await;
    let events = answer.events();
    assert!(
        events
            .iter()
            .all(|event| event["usage"].is_null() && event["choices"] != json!([])),
        "{events:?}"
    );
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
    let text: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect();
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        seen["body"]["stream_options"],
        json!({"include_usage": true}),
        "the provider was asked"
    );
    let row = dev.audited(answer.request_id()).await;
    assert_eq!(
        (&row["input_tokens"], &row["streamed"]),
        (&json!(2), &json!(true)),
        "{row}"
    );
    assert!(
        row["output_tokens"].as_u64().unwrap() > 0 && row["first_token_ms"].is_number(),
        "{row}"
    );
}

#[tokio::test]
async fn a_client_that_asks_for_usage_gets_the_last_chunk_with_no_choices() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("curious").await);
    let mut body = streamed("fake-openai/gpt-4o");
    body["stream_options"] = json!({"include_usage": true});
    let answer = Answer::of(caller.post(PATH, &body)).await;
    let events = answer.events();
    let last = events.last().unwrap();
    assert_eq!(
        (&last["choices"], &last["usage"]["total_tokens"]),
        (&json!([]), &json!(6)),
        "{last}"
    );
}

#[tokio::test]
async fn usage_is_read_off_every_kind_of_answer() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("counting").await);
    let models = dev.admin.words("model list").await.to_string();
    let claude = models
        .split('"')
        .find(|text| text.starts_with("fake-anthropic/"))
        .unwrap()
        .to_owned();
    let whole = caller.chat("fake-openai/gpt-4o").await;
    let input = json!({"model": "fake-openai/gpt-4o", "input": "good morning", "stream": true});
    let prompt = json!({"model": "fake-openai/gpt-4o", "prompt": "good morning", "stream": true});
    let texts = json!({"model": "fake-openai/text-embedding-3-small", "input": ["one", "two words"]});
    for (answer, counted) in [
        (whole, (json!(2), json!(4))),
        (caller.stream("fake-openai/gpt-4o").await, (json!(2), json!(4))),
        (caller.messages(&claude, false).await, (json!(2), json!(4))),
        (caller.messages(&claude, true).await, (json!(2), json!(4))),
        (
            Answer::of(caller.post("/v1/responses", &input)).await,
            (json!(2), json!(4)),
        ),
        (
            Answer::of(caller.post("/v1/completions", &prompt)).await,
            (json!(2), json!(4)),
        ),
        (
            Answer::of(caller.post("/v1/embeddings", &texts)).await,
            (json!(3), Value::Null),
        ),
    ] {
        assert_eq!(answer.status, 200, "{answer:?}");
        let row = dev.audited(answer.request_id()).await;
        let (input, output) = (row["input_tokens"].clone(), row["output_tokens"].clone());
        let output = if output == json!(0) { Value::Null } else { output };
        assert_eq!((input, output), counted, "{row}");
    }
}

#[tokio::test]
async fn a_client_gone_in_mid_stream_is_recorded_so_with_the_usage_of_the_whole_answer() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("impatient").await);
    let mut stream = caller
        .post(PATH, &streamed("fake-faults/slow-stream"))
        .send()
        .await
        .unwrap();
    let id = stream.headers()["x-request-id"].to_str().unwrap().to_owned();
    stream.chunk().await.unwrap().unwrap();
    drop(stream);
    let row = dev.audited(&id).await;
    assert_eq!(
        (&row["ending"], &row["status"]),
        (&json!("client_gone"), &json!(200)),
        "{row}"
    );
    assert_eq!(
        (&row["input_tokens"], &row["output_tokens"]),
        (&json!(2), &json!(4)),
        "{row}"
    );
}

#[tokio::test]
async fn events_are_passed_on_as_they_come() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("watching").await);
    // It stops for ever after two chunks, so that whoever waits for more than that never gets these.
    let mut stream = caller
        .post(PATH, &streamed("fake-faults/fault-stall-stream"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        stream.headers()["content-type"],
        "text/event-stream; charset=utf-8"
    );
    let mut text = String::new();
    while text.matches("data: ").count() < 2 {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("chat.completion.chunk"), "{text}");
}

#[tokio::test]
async fn a_long_stream_arrives_whole() {
    let dev = Dev::start().await;
    let caller = dev.caller(&dev.granted("patient").await);
    let answer = caller.stream("fake-faults/long-stream-5000").await;
    let text = answer.text();
    let words: Vec<&str> = text.matches("\"word").collect();
    assert_eq!(words.len(), 5000);
    assert_eq!(dev.audited(answer.request_id()).await["output_tokens"], 5000);
}
