//! Requests that no library would send: refused, not tidied, and no harm to anybody else.

use turnpike_tests::{dev::Dev, ground::Key, raw};

const BODY: &str = r#"{"model":"fake-openai/gpt-4o","messages":[]}"#;

fn request(line: &str, key: &Key, headers: &str) -> String {
    let length = BODY.len();
    format!(
        "{line} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         {headers}content-length: {length}\r\n\r\n{BODY}",
        key.text
    )
}

/// Paths that another reader might read otherwise.
const PATHS: &[&str] = &[
    "/v1//chat/completions",
    "/v1/models/../chat/completions",
    "/v1/x/%2e%2e/chat/completions",
    "/v1%2fchat/completions",
    "/v1/chat/completions%zz",
];

#[tokio::test]
async fn paths_and_headers_that_can_be_read_in_two_ways_are_refused() {
    let dev = Dev::start().await;
    let key = dev.granted("attacker").await;
    let at = dev.edges[0].data;
    let chat = |headers: &str| request("POST /v1/chat/completions", &key, headers);
    let many: String = (0..200)
        .map(|number| format!("x-filler-{number}: 1\r\n"))
        .collect();
    let mut cases = vec![
        (chat(""), &[200][..]),
        (chat(&format!("authorization: Bearer {}\r\n", key.text)), &[400]),
        (chat("content-length: 3\r\n"), &[400]),
        (chat("transfer-encoding: chunked\r\n"), &[400]),
        (chat("host: other\r\n"), &[400]),
        (chat("").replace("host: edge\r\n", ""), &[400]),
        (
            chat("")
                .replace("host: edge\r\n", "")
                .replace("HTTP/1.1", "HTTP/1.0"),
            &[200],
        ),
        (chat(&many), &[431]),
        (chat(&format!("x-large: {}\r\n", "y".repeat(40 * 1024))), &[431]),
        ("good morning\r\n\r\n".to_owned(), &[400, 0]),
        (request("POST /v1/chat\0/completions", &key, ""), &[400, 0]),
    ];
    cases.extend(
        PATHS
            .iter()
            .map(|path| (request(&format!("POST {path}"), &key, ""), &[400][..])),
    );
    for (bytes, statuses) in cases {
        let answer = raw::exchange(at, bytes.as_bytes()).await;
        assert!(statuses.contains(&raw::status(&answer)), "{bytes:.300}: {answer}");
    }
    let served = dev.caller(&key).chat("fake-openai/gpt-4o").await;
    assert_eq!(served.status, 200, "and everybody else is served as before");
}

#[tokio::test]
async fn headers_a_little_too_large_are_refused_with_a_body_and_a_record() {
    let dev = Dev::start().await;
    let key = dev.granted("wordy").await;
    let request = dev.caller(&key).post(
        "/v1/chat/completions",
        &turnpike_tests::caller::chat("fake-openai/gpt-4o"),
    );
    let answer = turnpike_tests::caller::Answer::of(request.header("x-large", "y".repeat(33 * 1024))).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (431, &"headers_too_large".into()),
        "{answer:?}"
    );
    let rows = dev.audited_all([answer.request_id()]).await;
    assert_eq!(rows[answer.request_id()]["status"], 431);
}
