//! Takes connections: plain or TLS, HTTP/1.1 or HTTP/2, each in a task of its own, drained at shutdown.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderValue, Request, Response, header::CONNECTION};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulConnection, GracefulShutdown},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use self::{
    exchange::{Counted, Exchange},
    watched::Watched,
};
use super::{handle::handle, headers::AmbiguousLength, state::State};

mod exchange;
mod framing;
#[cfg(test)]
mod tests;
mod unread;
mod watched;

/// A TLS handshake that takes longer is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system had no more file descriptors to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until shutdown, then lets requests under way finish, for at most the drain timeout.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let graceful = GracefulShutdown::new();
    let shutdown = state.tasks.shutdown().clone();
    let http = protocol(&state);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, client)) => connect(stream, client, tls.clone(), &http, &state, &graceful),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; raise the limit of open files");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(state.limits.drain_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish within the drain timeout and are cut");
    }
}

fn protocol(state: &State) -> auto::Builder<TokioExecutor> {
    let limits = &state.limits;
    let mut http = auto::Builder::new(TokioExecutor::new());
    // Twice the limit, so that a request a little over it is refused by us, with a body and a record.
    let buffer = usize::try_from(limits.header_limit.get())
        .unwrap_or(usize::MAX)
        .saturating_mul(2)
        .max(64 * 1024);
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(buffer);
    if limits.header_count != 100 {
        http.http1().max_headers(usize::from(limits.header_count));
    }
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(buffer).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(256);
    http
}

fn connect(
    stream: TcpStream,
    client: SocketAddr,
    tls: Option<TlsAcceptor>,
    http: &auto::Builder<TokioExecutor>,
    state: &Arc<State>,
    graceful: &GracefulShutdown,
) {
    // Small pieces of a stream must not wait for one another; a socket that refuses is about to fail anyway.
    drop(stream.set_nodelay(true));
    let Some(acceptor) = tls else {
        let served = connection(stream, client, http, state);
        let served = graceful.watch(served);
        state.tasks.spawn("connection", async move { log(served.await) });
        return;
    };
    let (http, state, watcher) = (http.clone(), state.clone(), graceful.watcher());
    state.clone().tasks.spawn("connection", async move {
        match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let served = connection(stream, client, &http, &state);
                log(watcher.watch(served).await);
            }
            Ok(Err(error)) => tracing::debug!(%client, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%client, "a TLS handshake took too long"),
        }
    });
}

fn connection<I: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: I,
    client: SocketAddr,
    http: &auto::Builder<TokioExecutor>,
    state: &Arc<State>,
) -> impl GracefulConnection<Error = Box<dyn std::error::Error + Send + Sync>> + Send + 'static {
    let client = client.ip().to_canonical();
    let exchange = Arc::new(Exchange::default());
    let watched = Watched::new(stream, exchange.clone(), state.clone(), client);
    let state = state.clone();
    let service = service_fn(move |request| respond(state.clone(), exchange.clone(), client, request));
    http.serve_connection(TokioIo::new(watched), service).into_owned()
}

fn respond(
    state: Arc<State>,
    exchange: Arc<Exchange>,
    client: IpAddr,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Counted>, Infallible>> {
    // Counted now, and not when first polled: the bytes that follow are judged by it.
    let ambiguous = exchange.begin();
    if ambiguous {
        request.extensions_mut().insert(AmbiguousLength);
    }
    async move {
        let mut response = handle(state, Some(client), request).await;
        if ambiguous {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Counted::new(body, exchange)))
    }
}

fn log(served: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionAborted | ConnectionReset
    )
}
