//! The operations listener, asked over its socket.

use std::net::SocketAddr;

use opentelemetry::KeyValue;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;
use crate::{
    task::Tasks,
    telemetry::{LogFormat, Settings, metrics as named},
};

/// The status line and headers, and the body.
async fn ask(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn start(readiness: Readiness) -> (SocketAddr, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new(Shutdown::new());
    tasks.spawn("operations", serve(listener, readiness, tasks.shutdown().clone()));
    (address, tasks)
}

#[tokio::test]
async fn the_process_is_alive_while_it_waits_and_ready_only_then_without_waiting() {
    let readiness = Readiness::new();
    let bus = readiness.condition("bus", "connecting");
    let (address, tasks) = start(readiness).await;
    assert!(ask(address, "/healthz").await.0.starts_with("HTTP/1.1 200"));
    let (head, body) = ask(address, "/readyz").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let waiting =
        json!({"ready": false, "conditions": {"bus": {"state": "waiting", "reason": "connecting"}}});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), waiting);
    bus.ready();
    assert!(ask(address, "/readyz").await.0.starts_with("HTTP/1.1 200"));
    let (head, body) = ask(address, "/").await;
    assert!(
        head.starts_with("HTTP/1.1 404") && head.contains("application/json"),
        "{head}"
    );
    assert!(body.contains("/readyz"), "{body}");
    tasks.shutdown().trigger("test");
    tasks.join(std::time::Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn metrics_are_shown_under_their_names_with_units_and_buckets() {
    let settings = Settings {
        log: "off".into(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
        otlp_ca_file: None,
    };
    let first = telemetry::init("turnpike-test", &settings).unwrap();
    assert!(!first.tracing());
    // As when control plane and edge run in one process.
    telemetry::init("turnpike-test", &settings).unwrap();

    let route = [KeyValue::new("http.route", "/v1/models")];
    named::http_server_request_duration().record(0.02, &route);
    named::gen_ai_client_operation_duration().record(100.0, &[]);
    named::gen_ai_client_token_usage().record(5, &[]);
    named::gen_ai_server_request_duration().record(1.0, &[]);
    named::gen_ai_server_time_to_first_token().record(1.0, &[]);
    named::gen_ai_server_time_per_output_token().record(1.0, &[]);
    named::authn_duration().record(0.000_02, &[]);
    named::propagation_delay().record(0.2, &[]);
    named::decisions().add(2, &[]);
    named::usage_missing().add(1, &[]);
    named::audit_dropped().add(1, &[]);
    named::limit_degraded().add(1, &[]);
    named::snapshot_position().record(7, &[]);
    named::snapshot_age(|| Some(1.5));
    named::audit_queued(|| Some(3));

    let (address, _tasks) = start(Readiness::new()).await;
    let (head, text) = ask(address, "/metrics").await;
    assert!(head.contains("text/plain"), "{head}");
    for line in [
        "http_server_request_duration_seconds_bucket{http_route=\"/v1/models\",le=\"0.025\"} 1",
        "gen_ai_client_operation_duration_seconds_bucket{le=\"0.01\"} 0",
        "gen_ai_client_operation_duration_seconds_bucket{le=\"81.92\"} 0",
        "gen_ai_client_operation_duration_seconds_bucket{le=\"+Inf\"} 1",
        "gen_ai_client_token_usage_bucket{le=\"4\"} 0",
        "gen_ai_client_token_usage_bucket{le=\"16\"} 1",
        "gen_ai_client_token_usage_bucket{le=\"67108864\"} 1",
        "gen_ai_server_request_duration_seconds_count 1",
        "gen_ai_server_time_to_first_token_seconds_count 1",
        "gen_ai_server_time_per_output_token_seconds_count 1",
        "turnpike_authn_duration_seconds_bucket{le=\"0.000025\"} 1",
        "turnpike_propagation_delay_seconds_count 1",
        "turnpike_decisions_total 2",
        "turnpike_usage_missing_total 1",
        "turnpike_audit_dropped_total 1",
        "turnpike_limit_degraded_total 1",
        "turnpike_snapshot_position 7",
        "turnpike_snapshot_age_seconds 1.5",
        "turnpike_audit_queued 3",
    ] {
        assert!(
            text.lines().any(|shown| shown == line),
            "{line} is not in\n{text}"
        );
    }
    let boundaries = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
    // Fourteen boundaries each, and infinity.
    assert_eq!(boundaries("gen_ai_client_operation_duration_seconds_bucket"), 15);
    assert_eq!(boundaries("gen_ai_client_token_usage_bucket"), 15);
}
