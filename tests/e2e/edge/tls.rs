//! TLS on an edge's own listener, from PEM files, and towards a provider.

use rcgen::generate_simple_self_signed;
use turnpike_tests::{caller::Caller, production::Production};

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
