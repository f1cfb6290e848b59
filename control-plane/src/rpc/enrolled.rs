//! Who calls the services for edges at the edges' own listener: an edge that the log knows by the key of its certificate.
//!
//! TLS has verified the certificate. What the log says of the key is asked with each call, and again while it is answered:
//! an edge that is revoked is told nothing more, not even on a stream that is open.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures::future::BoxFuture;
use http_body::Frame;
use tonic::{
    Status,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use turnpike_access::id::Name;
use turnpike_runtime::enrolment::key_of;

use super::enrolment::{known, unknown};
use crate::projection::Projection;

/// The one method that is called without a certificate.
const CERTIFY: &str = "/turnpike.sync.v1.Enrolment/Certify";
/// What was decided about edges is looked at this often at most while a call is answered.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The edge that calls, by its certificate.
#[derive(Debug, Clone)]
pub(crate) struct Enrolled {
    name: Name,
    region: Option<Name>,
}

impl Enrolled {
    /// An edge speaks for itself alone, and from where it was meant to be.
    pub(crate) fn check(&self, name: &str, region: Option<&str>) -> Result<(), Status> {
        let elsewhere = match (&self.region, region) {
            (Some(meant), Some(said)) => meant.as_str() != said,
            _ => false,
        };
        if self.name.as_str() != name || elsewhere {
            let region = self.region.as_ref().map_or("any region", Name::as_str);
            return Err(Status::failed_precondition(format!(
                "this certificate is of edge {} in {region}; TURNPIKE_NAME and TURNPIKE_REGION must say the same",
                self.name
            )));
        }
        Ok(())
    }
}

/// Lets edges in that the log knows.
pub(crate) async fn admit(
    State(projection): State<Arc<Projection>>,
    mut request: Request,
    next: Next,
) -> Response {
    if request.uri().path() == CERTIFY {
        return next.run(request).await;
    }
    let Some(key) = key_of_caller(&request) else {
        return Status::unauthenticated(
            "an edge shows its certificate here; `turnpike edge enrol` lets one in",
        )
        .into_http();
    };
    let edge = known(projection.snapshot().edges(), &key).cloned();
    let edge = match edge {
        Ok(edge) => edge,
        Err(status) => return status.into_http(),
    };
    request.extensions_mut().insert(Enrolled {
        name: edge.name,
        region: edge.enrolment.and_then(|enrolment| enrolment.invitation.region),
    });
    let mut sent_away = sent_away(projection, key);
    let answer = tokio::select! {
        answer = next.run(request) => answer,
        status = &mut sent_away => return status.into_http(),
    };
    answer.map(|body| {
        Body::new(UntilSentAway {
            body,
            sent_away: Some(sent_away),
        })
    })
}

fn key_of_caller(request: &Request) -> Option<String> {
    let tls = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>()?;
    key_of(tls.peer_certs()?.first()?)
}

/// Ends when the edge of a key is to be told nothing more, with what it is told.
fn sent_away(projection: Arc<Projection>, key: String) -> BoxFuture<'static, Status> {
    Box::pin(async move {
        let mut heads = projection.heads();
        let mut seen = projection.snapshot().edges().clone();
        while heads.changed().await.is_ok() {
            let edges = projection.snapshot().edges().clone();
            if !edges.is(&seen) {
                if let Err(status) = known(&edges, &key) {
                    return status;
                }
                seen = edges;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        unknown()
    })
}

/// An answer that breaks off when its edge is sent away. What made it is dropped then.
struct UntilSentAway {
    body: Body,
    sent_away: Option<BoxFuture<'static, Status>>,
}

impl http_body::Body for UntilSentAway {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(sent_away) = &mut self.sent_away else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(status) = sent_away.as_mut().poll(cx) {
            self.sent_away = None;
            self.body = Body::empty();
            let told = status.into_http::<Body>();
            return Poll::Ready(Some(Ok(Frame::trailers(told.into_parts().0.headers))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
