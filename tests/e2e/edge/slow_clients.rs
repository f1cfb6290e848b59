//! Clients that stall or go away: they get their end, and their record.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use turnpike_tests::{eventually::eventually, production::Production, raw};

#[tokio::test]
async fn a_client_that_stalls_in_its_head_or_body_is_let_go_and_the_rest_is_served() {
    let production = Production::with_one_edge(&["--header-timeout", "0.5", "--body-timeout", "0.5"]).await;
    let key = production.granted("sleepy").await;
    let at = production.edges[0].data;
    let in_head = raw::exchange(at, b"POST /v1/chat/completions HTTP/1.1\r\nhost: edge\r\n").await;
    assert!([408, 0].contains(&raw::status(&in_head)), "{in_head}");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {}\r\ncontent-length: 500\r\n\r\n{{",
        key.text
    );
    let in_body = raw::exchange(at, head.as_bytes()).await;
    assert_eq!(raw::status(&in_body), 408, "{in_body}");
    assert!(in_body.contains("request_timeout"), "{in_body}");
    assert_eq!(
        production.caller(&key).chat("fake-openai/gpt-4o").await.status,
        200
    );
    recorded_with(&production, "request_timeout").await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_of_its_body_is_recorded() {
    let production = Production::with_one_edge(&[]).await;
    let key = production.granted("leaving").await;
    let mut stream = TcpStream::connect(production.edges[0].data).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {}\r\ncontent-length: 500\r\n\r\n{{",
        key.text
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    recorded_with(&production, "").await;
}

/// Waits for a record with this reason, of the caller or of nobody; the empty text is any.
async fn recorded_with(production: &Production, reason: &str) {
    eventually("a record of it", async || {
        let mut rows = production.audit(&["--reason", reason]).await;
        let unknown = production
            .operator
            .json(&["audit", "list", "--reason", reason])
            .await;
        rows.extend(unknown.as_array().unwrap().clone());
        let found = rows
            .iter()
            .any(|row| row["route"] == "POST /v1/chat/completions" && row["outcome"] == "refused");
        if found { Ok(()) } else { Err(rows) }
    })
    .await;
}
