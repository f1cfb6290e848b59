//! What Envoy asks, asked without Envoy: `envoy.service.auth.v3.Authorization/Check` as it is on the wire.

use std::{collections::BTreeMap, net::SocketAddr};

use tonic::{Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;
use turnpike_proto::ext_authz::v3::{
    AttributeContext, CheckRequest, CheckResponse,
    attribute_context::{HttpRequest, Request as Asked},
};

const METHOD: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Somebody at the listener for Envoy.
#[derive(Debug, Clone)]
pub struct Proxy {
    channel: Channel,
}

/// A client's request that a proxy asks about.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// `POST`
    pub method: String,
    /// `/v1/chat/completions`
    pub path: String,
    /// As the client sent it.
    pub body: String,
    /// The key, as a bearer token.
    pub key: Option<String>,
    /// `context_extensions` of the route's configuration.
    pub configured: Vec<(&'static str, String)>,
}

impl Proxy {
    /// Whoever connects to this address, without TLS.
    pub fn at(address: SocketAddr) -> Self {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URI");
        Self {
            channel: endpoint.connect_lazy(),
        }
    }

    /// Asks about a request.
    ///
    /// # Errors
    /// Where the edge does not answer the question at all.
    pub async fn check(&self, asked: CheckRequest) -> Result<CheckResponse, Status> {
        let mut client = Grpc::new(self.channel.clone());
        let ready = client.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let codec = ProstCodec::<CheckRequest, CheckResponse>::default();
        let path = PathAndQuery::from_static(METHOD);
        let answer = client.unary(Request::new(asked), path, codec).await?;
        Ok(answer.into_inner())
    }
}

impl Incoming {
    /// As Envoy tells of it.
    pub fn told(self) -> CheckRequest {
        let Self {
            method,
            path,
            body,
            key,
            configured,
        } = self;
        let mut headers = BTreeMap::from([
            (":method".to_owned(), method.clone()),
            (":path".to_owned(), path.clone()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ]);
        headers.extend(key.map(|key| ("authorization".to_owned(), format!("Bearer {key}"))));
        let http = HttpRequest {
            method,
            path,
            headers,
            raw_body: body.into_bytes(),
            ..HttpRequest::default()
        };
        let configured = configured.into_iter();
        CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Asked { http: Some(http) }),
                context_extensions: configured.map(|(name, value)| (name.to_owned(), value)).collect(),
                ..AttributeContext::default()
            }),
        }
    }
}
