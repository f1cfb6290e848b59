//! TLS on an edge's own listener, from PEM files, and towards a provider.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use turnpike_tests::{caller::Caller, production::Production, upstream::Http2};

#[tokio::test]
async fn an_edge_presents_its_certificate_and_serves_over_tls_alone() {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let flags = [
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let production = Production::with_one_edge(&flags).await;
    let granted = production.granted("secure").await;

    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder()
        .no_proxy()
        .add_root_certificate(trusted)
        .build()
        .unwrap();
    let url = format!("https://localhost:{}", production.edges[0].data.port());
    let caller = Caller::new(&url, Some(&granted.text)).through(http);
    assert_eq!(caller.chat("fake-openai/gpt-4o").await.status, 200);
    let streamed = caller.stream("fake-openai/gpt-4o").await;
    assert!(streamed.text().ends_with("data: [DONE]\n\n"), "{streamed:?}");

    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    stranger
        .get(format!("{url}/v1/models"))
        .send()
        .await
        .expect_err("an authority that is not trusted");
    let plain = turnpike_tests::raw::exchange(
        production.edges[0].data,
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
    )
    .await;
    assert!(
        !plain.starts_with("HTTP/1.1 2"),
        "nothing is served without TLS: {plain}"
    );
}

#[tokio::test]
async fn a_provider_that_offers_http2_is_asked_over_one_connection_and_its_streams_pass() {
    let provider = Arc::new(Http2::start().await);
    let authority = provider.authority();
    let production = Production::with_one_edge(&["--ca-file", authority.to_str().unwrap()]).await;
    production
        .provider("modern", "openai", &format!("{}/v1", provider.url()))
        .await;
    let key = production.application("modernist").await;
    production.allow(&key.owner, "modern/*").await;
    let caller = production.caller(&key);

    // One at a time until there is a connection, then many at once.
    assert_eq!(caller.chat("modern/gpt").await.status, 200);
    let asked = (0..20).map(|_| caller.chat("modern/gpt"));
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["version"], "HTTP/2.0");
    }
    assert_eq!(provider.connections(), 1, "20 requests at once share it");
    let streamed = caller.stream("modern/gpt").await;
    assert!(streamed.text().ends_with("data: [DONE]\n\n"), "{streamed:?}");

    // A provider that nobody vouches for is not spoken to.
    let unknown = Http2::start().await;
    production
        .provider("unknown", "openai", &format!("{}/v1", unknown.url()))
        .await;
    production.allow(&key.owner, "unknown/*").await;
    let refused = caller.chat("unknown/gpt").await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (502, &serde_json::json!("upstream_error")),
        "{refused:?}"
    );
    assert_eq!(unknown.requests(), 0);
}
