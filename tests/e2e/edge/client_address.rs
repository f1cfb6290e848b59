//! Whose address counts: the connection's, or the one that a trusted proxy tells.

use serde_json::json;
use turnpike_tests::{
    caller::{Answer, chat},
    production::Production,
};

const MODEL: &str = "fake-openai/gpt-4o";

#[tokio::test]
async fn the_address_that_a_trusted_proxy_tells_is_judged_and_recorded_and_no_other() {
    let behind = Production::with_one_edge(&["--trusted-proxies", "127.0.0.0/8,10.0.0.0/8"]).await;
    let owner = behind.granted("proxied").await.owner;
    let key = behind.key(&owner, &["--network", "203.0.113.0/24"]).await;
    let caller = behind.caller(&key);
    for (forwarded, client, status, reason) in [
        (Some("203.0.113.7"), "203.0.113.7", 200, "granted"),
        (
            Some("198.51.100.9, 203.0.113.7, 10.0.0.1"),
            "203.0.113.7",
            200,
            "granted",
        ),
        (
            Some("203.0.113.7, 198.51.100.9"),
            "198.51.100.9",
            403,
            "scope_network",
        ),
        (Some("203.0.113.7, nonsense"), "127.0.0.1", 403, "scope_network"),
        (None, "127.0.0.1", 403, "scope_network"),
    ] {
        let mut request = caller.post("/v1/chat/completions", &chat(MODEL));
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, status, "{forwarded:?}: {answer:?}");
        let row = behind.audited(answer.request_id()).await;
        assert_eq!(
            (&row["client"], &row["reason"]),
            (&json!(client), &json!(reason)),
            "{row}"
        );
    }
}
