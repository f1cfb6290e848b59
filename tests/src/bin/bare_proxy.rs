//! The practical limit: a pass-through proxy of nothing but hyper, with the client that the edge uses too.
//!
//! `bare_proxy ADDRESS UPSTREAM`, both `HOST:PORT`.

use std::net::SocketAddr;

use hyper::{Request, Response, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;
use turnpike_runtime::{shutdown::Shutdown, task::Tasks};

type Upstream = Client<HttpConnector, Incoming>;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: bare_proxy ADDRESS UPSTREAM";
    let address: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let upstream = arguments.next().ok_or(usage)?;
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Upstream = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(address).await?;
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            () = tasks.shutdown().cancelled() => return Ok(()),
        };
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.clone());
        let service = service_fn(move |request| pass(client.clone(), upstream.clone(), request));
        tasks.spawn("connection", async move {
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn pass(
    client: Upstream,
    upstream: String,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::builder()
        .scheme("http")
        .authority(upstream)
        .path_and_query(path)
        .build()?;
    request.headers_mut().remove("host");
    Ok(client.request(request).await?)
}
