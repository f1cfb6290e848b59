//! Every route of the table, asked with keys of all kinds.

use std::time::Duration;

use turnpike_access::credential::Credential;

use super::*;

/// Keys that open nothing, each for another reason.
async fn bad_keys(served: &Served) -> Vec<(&'static str, String)> {
    let bot = |id| credential("acme", "virtual-account:bot", id);
    let soon = Timestamp::from_micros(clock::now().as_micros() + 300_000);
    let expiring = Credential {
        expires: Some(soon),
        ..bot("expired00000")
    };
    let reason: Arc<str> = Arc::from("test");
    served
        .change(vec![
            Command::IssueCredential(expiring),
            Command::IssueCredential(bot("revoked00000")),
            Command::IssueCredential(bot("suspended000")),
            Command::RevokeCredential {
                id: id("revoked00000"),
                reason: reason.clone(),
            },
            Command::SuspendCredential {
                id: id("suspended000"),
                reason,
            },
        ])
        .await;
    let expired = key("expired00000");
    // In its last second it is told that its end is too near.
    let over = Err("invalid_client".to_owned());
    let until = async { while served.token(&with_key(&expired, &[])).await != over {} };
    tokio::time::timeout(Duration::from_secs(10), until)
        .await
        .unwrap();
    let wrong = write_key(KeyKind::VirtualAccount, id(BOT), &"x".repeat(43));
    vec![
        ("expired", expired),
        ("revoked", key("revoked00000")),
        ("suspended", key("suspended000")),
        ("unknown", key("unknown00000")),
        ("with another secret", wrong),
        ("no key at all", "nonsense".to_owned()),
    ]
}

#[tokio::test]
async fn every_route_tells_whoever_has_no_key_or_a_dead_one_the_same() {
    let served = Served::start().await;
    let bad = bad_keys(&served).await;
    let before = served.core.snapshot().position();
    for route in ROUTES {
        let request = |key: Option<&str>| match route.policy {
            // Whoever operates the process is asked nothing.
            Policy::Operations => None,
            Policy::Client => Some(match key {
                Some(key) => post_form(&with_key(key, &[])),
                None => post_form(&[("grant_type", token::CLIENT_CREDENTIALS)]),
            }),
            Policy::Finder => {
                let shown = key.unwrap_or_default().to_owned();
                Some(Request::post(route.path).body(Body::from(shown)).unwrap())
            }
            Policy::Public => {
                let shown = format!("Bearer {}", key.unwrap_or_default());
                let request = Request::get(route.path).header("authorization", shown);
                Some(request.body(Body::empty()).unwrap())
            }
        };
        let Some(without) = request(None) else { continue };
        let without = served.ask(without).await;
        assert_eq!(
            without.0 == StatusCode::UNAUTHORIZED,
            route.policy == Policy::Client
        );
        // Whoever finds a key that is genuine ends it, dead or not: that is tried elsewhere.
        let genuine = ["expired", "revoked", "suspended"];
        for (why, key) in &bad {
            if route.policy == Policy::Finder && genuine.contains(why) {
                continue;
            }
            let told = served.ask(request(Some(key)).unwrap()).await;
            let same = match route.policy {
                Policy::Finder => !told.2.to_string().contains("true_positive"),
                _ => told == without,
            };
            assert!(same, "{} with a key that is {why}: {told:?}", route.path);
        }
    }
    assert_eq!(served.core.snapshot().position(), before);
}
