//! Sends a request on to its provider and waits for the head of the answer.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use super::{
    headers,
    judge::Approved,
    reject::Refusal,
    route::{Endpoint, Route},
};
use crate::settings::limits::Limits;

/// Who calls, signed by this edge. A client's own was taken away.
const IDENTITY: HeaderName = HeaderName::from_static(turnpike_runtime::identity::HEADER);
/// How much of a refusal is read in order to understand it.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// The pool of connections to providers: HTTP/1.1 and, where a provider offers it, HTTP/2.
pub(super) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    first_byte_timeout: std::time::Duration,
}

/// What is sent: the client's bytes, with another model in them.
pub(super) struct Outgoing {
    pub(super) route: &'static Route,
    pub(super) query: Option<Box<str>>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The body with the wish for usage at the end of the stream, where the client has none.
    pub(super) asking: Option<Bytes>,
}

/// The head of the answer.
pub(super) enum Answer {
    /// The provider's response, as it comes. `asked`: it was asked for usage that the client did not ask for.
    Stream {
        response: Response<Incoming>,
        asked: bool,
    },
    /// A short response that had to be read.
    Read(Response<Bytes>),
}

impl Upstream {
    pub(super) fn new(
        limits: &Limits,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(limits.connect_timeout));
        let tls = turnpike_runtime::tls::client_config(authorities)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(std::time::Duration::from_secs(60))
            .pool_max_idle_per_host(1024)
            .build(connector);
        Ok(Self {
            client,
            first_byte_timeout: limits.first_byte_timeout,
        })
    }

    /// Sends, and sends again without the wish for usage where the provider refuses that.
    pub(super) async fn send(&self, approved: &Approved, outgoing: Outgoing) -> Result<Answer, Refusal> {
        let Outgoing {
            route,
            query,
            mut headers,
            body,
            asking,
        } = outgoing;
        headers::prepare_request(&mut headers);
        approved.target.authorize(&mut headers);
        if let Some(identity) = &approved.identity {
            headers.insert(IDENTITY, identity.clone());
        }
        let uri = approved
            .target
            .uri(route, &approved.upstream_model, query.as_deref())?;
        let request = |body: Bytes, headers: HeaderMap| {
            let mut request = Request::new(Full::new(body));
            *request.method_mut() = route.method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers;
            request
        };
        let Some(asking) = asking else {
            let response = self.exchange(request(body, headers)).await?;
            return Ok(Answer::Stream {
                response,
                asked: false,
            });
        };
        let response = self.exchange(request(asking, headers.clone())).await?;
        if response.status() != StatusCode::BAD_REQUEST {
            return Ok(Answer::Stream {
                response,
                asked: true,
            });
        }
        let refusal = read_refusal(response).await?;
        if memchr::memmem::find(refusal.body(), b"stream_options").is_none() {
            return Ok(Answer::Read(refusal));
        }
        approved
            .target
            .rejects_stream_options
            .store(true, Ordering::Relaxed);
        tracing::warn!(model = %approved.model, "the provider refuses stream_options: usage of its streams may be missing");
        let response = self.exchange(request(body, headers)).await?;
        Ok(Answer::Stream {
            response,
            asked: false,
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Refusal> {
        match timeout(self.first_byte_timeout, self.client.request(request)).await {
            Err(_) => Err(Refusal::UpstreamTimeout),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                tracing::warn!(error = %Chain(&error), "a provider could not be reached");
                Err(if timed_out(&error) {
                    Refusal::UpstreamTimeout
                } else {
                    Refusal::UpstreamUnreachable
                })
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %Chain(&error), "a provider did not answer properly");
                Err(Refusal::UpstreamInvalid)
            }
        }
    }
}

/// Whether a stream of this endpoint can be asked for its usage.
pub(super) fn may_ask_usage(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions)
}

async fn read_refusal(response: Response<Incoming>) -> Result<Response<Bytes>, Refusal> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, REFUSAL_LIMIT)
        .collect()
        .await
        .map_err(|_| Refusal::UpstreamInvalid)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = |error: &(dyn std::error::Error + 'static)| {
        error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
    };
    std::iter::successors(Some(error), |error| error.source()).any(io)
}

/// An error with its causes.
struct Chain<'e>(&'e dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        std::iter::successors(self.0.source(), |error| error.source())
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Keeps the client's bytes where nothing is to be changed.
pub(super) fn unchanged(body: &Bytes, edited: impl FnOnce() -> Vec<u8>, same: bool) -> Bytes {
    if same { body.clone() } else { Bytes::from(edited()) }
}
