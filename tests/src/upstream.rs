//! A provider of a test's own that speaks HTTP/2 over TLS alone, and counts who comes.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http2, service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use turnpike_runtime::{shutdown::Shutdown, task::Tasks, tls};

/// A provider at `https://localhost:PORT` with a certificate that it made itself.
#[derive(Debug)]
pub struct Http2 {
    port: u16,
    folder: TempDir,
    seen: Arc<Seen>,
    tasks: Tasks,
}

#[derive(Debug, Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Http2 {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).expect("a file");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        let config = tls::server_config(&certificate, &key, &[b"h2"]).expect("a certificate and its key");
        let listener = TcpListener::bind("localhost:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (seen, tasks) = (Arc::<Seen>::default(), Tasks::new(Shutdown::new()));
        let (counting, serving) = (seen.clone(), tasks.clone());
        tasks.spawn("http2-provider", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = serve(stream, TlsAcceptor::from(config.clone()), counting.clone());
                serving.spawn("http2-connection", connection);
            }
        });
        Self {
            port,
            folder,
            seen,
            tasks,
        }
    }

    /// `https://localhost:PORT`
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The file of the certificate that vouches for it.
    pub fn authority(&self) -> PathBuf {
        Path::join(self.folder.path(), "cert.pem")
    }

    /// How many connections were made that got as far as HTTP.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.tasks.shutdown().trigger("the test ends");
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, seen: Arc<Seen>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let answer = service_fn(move |request: Request<Incoming>| {
        seen.requests.fetch_add(1, Ordering::SeqCst);
        answer(request)
    });
    // How a connection ends is the other side's to choose.
    drop(
        http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), answer)
            .await,
    );
}

/// A completion that names the version of HTTP it was asked for with, or a stream of one chunk.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = format!("{:?}", request.version());
    let body = request
        .into_body()
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let streams = memchr::memmem::find(&body, br#""stream":true"#).is_some();
    let chunk = r#"{"id":"1","object":"chat.completion","model":"gpt","choices":[]}"#;
    let (kind, text) = if streams {
        ("text/event-stream", format!("data: {chunk}\n\ndata: [DONE]\n\n"))
    } else {
        (
            "application/json",
            format!(r#"{{"version":"{version}",{}"#, chunk.trim_start_matches('{')),
        )
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    Ok(response)
}
