//! A tenant's webhook that takes no key and keeps what was posted.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use turnpike_tests::eventually::PATIENCE;

/// A running webhook.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    posted: Arc<Mutex<Vec<String>>>,
    news: Arc<Notify>,
    _serving: JoinSet<()>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::<Mutex<Vec<String>>>::default();
        let news = Arc::<Notify>::default();
        let (kept, told, mut serving) = (posted.clone(), news.clone(), JoinSet::new());
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, told) = (kept.clone(), told.clone());
                let take = service_fn(move |request: Request<Incoming>| {
                    let (kept, told) = (kept.clone(), told.clone());
                    async move {
                        let refused = refuse(request, kept).await;
                        told.notify_one();
                        refused
                    }
                });
                let served = http1::Builder::new().serve_connection(TokioIo::new(stream), take);
                connections.spawn(async move { drop(served.await) });
            }
        });
        Self {
            address,
            posted,
            news,
            _serving: serving,
        }
    }

    /// All that was posted, as soon as something is there for each of these. Credentials are looked at every half minute.
    pub(super) async fn posted_for(&self, credentials: &[&str]) -> String {
        let posted = async {
            loop {
                let news = self.news.notified();
                let all = self.posted.lock().unwrap().join("\n");
                if credentials.iter().all(|credential| all.contains(credential)) {
                    return all;
                }
                news.await;
            }
        };
        let posted = tokio::time::timeout(PATIENCE * 2, posted).await;
        posted.unwrap()
    }
}

async fn refuse(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let headers = format!("{:?}", request.headers());
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    kept.lock().unwrap().push(format!("{headers}\n{body}"));
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    Ok(answer)
}
