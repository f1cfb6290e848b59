//! Export to a collector that listens on a socket, as a real one does.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    trace::v1::Span as Exported,
};
use tokio::{
    net::TcpListener,
    sync::mpsc::{self, UnboundedReceiver},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig},
};

use super::*;
use crate::{shutdown::Shutdown, task::Tasks};

const SOON: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Receiver {
    spans: mpsc::UnboundedSender<Exported>,
    metrics: mpsc::UnboundedSender<String>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_spans
            .into_iter()
            .flat_map(|of| of.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            self.spans.send(span).unwrap();
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes = request
            .into_inner()
            .resource_metrics
            .into_iter()
            .flat_map(|of| of.scope_metrics);
        for metric in scopes.flat_map(|scope| scope.metrics) {
            self.metrics.send(metric.name).unwrap();
        }
        Ok(Response::new(Default::default()))
    }
}

/// Starts a collector, and says where it is and what it gets.
async fn collect(
    tasks: &Tasks,
    mut server: Server,
) -> (SocketAddr, UnboundedReceiver<Exported>, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (spans, got_spans) = mpsc::unbounded_channel();
    let (metrics, got_metrics) = mpsc::unbounded_channel();
    let receiver = Receiver { spans, metrics };
    tasks.spawn("collector", async move {
        let server = server
            .add_service(TraceServiceServer::new(receiver.clone()))
            .add_service(MetricsServiceServer::new(receiver));
        server
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .unwrap();
    });
    (address, got_spans, got_metrics)
}

/// A request in the trace of `parent` that makes one call, and the headers that the call is sent with.
fn refused_request(parent: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static(parent));
    let server = span::server("POST", "/v1/chat/completions", &headers);
    let call = span::Call {
        operation: "chat",
        provider: "openai",
        model: "gpt",
        address: "api.example",
        port: 443,
    };
    let client = span::client(&server, call);
    propagation::inject(&client, &mut headers);
    span::answered(&client, 429);
    span::answered(&server, 429);
    headers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_both_spans_in_the_callers_trace_and_the_metrics_before_the_process_ends() {
    let tasks = Tasks::new(Shutdown::new());
    let (address, mut got_spans, mut got_metrics) = collect(&tasks, Server::builder()).await;
    let settings = Settings {
        log: "off".into(),
        log_format: LogFormat::Json,
        otlp_endpoint: Some(format!("http://{address}")),
        otlp_ca_file: None,
    };
    let telemetry = init("turnpike-test", &settings).unwrap();
    assert!(telemetry.tracing() && tracing());
    metrics::decisions().add(1, &[]);
    let headers = refused_request("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    telemetry.shutdown().await;

    let call = tokio::time::timeout(SOON, got_spans.recv())
        .await
        .unwrap()
        .unwrap();
    let request = tokio::time::timeout(SOON, got_spans.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (call.name.as_str(), request.name.as_str()),
        ("chat gpt", "POST /v1/chat/completions")
    );
    assert_eq!(call.parent_span_id, request.span_id);
    assert_eq!(request.parent_span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    let sent = headers["traceparent"].to_str().unwrap();
    let own: String = call.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent, format!("00-0af7651916cd43dd8448eb211c80319c-{own}-01"));
    let failed = |span: &Exported| span.status.as_ref().is_some_and(|status| status.code == 2);
    assert!(failed(&call) && !failed(&request));
    let metric = tokio::time::timeout(SOON, got_metrics.recv()).await.unwrap();
    assert_eq!(metric.as_deref(), Some("turnpike.decisions"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_https_the_collectors_authority_must_be_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    let server = Server::builder().tls_config(ServerTlsConfig::new().identity(identity));
    let tasks = Tasks::new(Shutdown::new());
    let (address, mut got_spans, _) = collect(&tasks, server.unwrap()).await;
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), made.cert.pem()).unwrap();

    let send = async |name: &'static str, ca_file: Option<PathBuf>| {
        let settings = Settings {
            log: "off".into(),
            log_format: LogFormat::Json,
            otlp_endpoint: Some(format!("https://localhost:{}", address.port())),
            otlp_ca_file: ca_file,
        };
        let collector = Collector::of(&settings).unwrap().unwrap();
        let provider = export::tracer("turnpike-test", collector).unwrap();
        provider.tracer("test").start(name).end();
        let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        // What can't be exported is dropped, and told in the log alone.
        flush.await.unwrap().unwrap();
    };
    send("to nobody that is trusted", None).await;
    send("a span", Some(authority.path().to_owned())).await;
    let span = tokio::time::timeout(SOON, got_spans.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(span.name, "a span");
    assert!(
        got_spans.try_recv().is_err(),
        "only what was sent to a trusted one"
    );
}

#[test]
fn a_missing_file_of_authorities_is_named_with_its_setting() {
    let settings = Settings {
        log: "off".into(),
        log_format: LogFormat::Json,
        otlp_endpoint: Some("https://collector:4317".into()),
        otlp_ca_file: Some("/nowhere/ca.pem".into()),
    };
    let error = Collector::of(&settings).unwrap_err().to_string();
    assert!(
        error.starts_with("--otlp-ca-file: cannot read /nowhere/ca.pem"),
        "{error}"
    );
}
