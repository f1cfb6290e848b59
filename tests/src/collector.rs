//! An OpenTelemetry collector that keeps all that it is sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    /// Where it takes OTLP over gRPC.
    pub address: SocketAddr,
    kept: Kept,
    _serving: JoinSet<()>,
}

/// What came, as text, traces and metrics apart.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<[Vec<String>; 2]>>);

impl Collector {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let kept = Kept::default();
        let (traces, metrics) = (kept.clone(), kept.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let server = Server::builder()
                .add_service(TraceServiceServer::new(traces))
                .add_service(MetricsServiceServer::new(metrics));
            let incoming = TcpListenerStream::new(listener);
            server.serve_with_incoming(incoming).await.expect("a server");
        });
        Self {
            address,
            kept,
            _serving: serving,
        }
    }

    /// All traces.
    pub fn traces(&self) -> String {
        self.kept.all(0)
    }

    /// All metrics.
    pub fn metrics(&self) -> String {
        self.kept.all(1)
    }
}

impl Kept {
    fn add(&self, kind: usize, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[kind].push(text);
    }

    fn all(&self, kind: usize) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[kind].join("\n")
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.add(0, format!("{request:?}"));
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.add(1, format!("{request:?}"));
        Ok(Response::new(Default::default()))
    }
}
