//! Any method of a gRPC service, called with an empty message: how strangers try it.

use std::net::SocketAddr;

use tonic::{
    Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, metadata::AsciiMetadataValue,
    transport::Channel,
};
use tonic_prost::ProstCodec;

/// A server.
#[derive(Debug, Clone)]
pub struct Rpc {
    channel: Channel,
}

impl Rpc {
    /// The server at an address, without TLS.
    pub fn at(address: SocketAddr) -> Self {
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URI");
        Self {
            channel: endpoint.connect_lazy(),
        }
    }

    /// How `package.Service/Method` answers whoever shows this token and asks about this tenant.
    pub async fn call(&self, method: &str, bearer: Option<&str>, tenant: Option<&str>) -> (Code, String) {
        let mut request = Request::new(());
        let text = |text: &str| text.parse::<AsciiMetadataValue>().expect("visible text");
        if let Some(bearer) = bearer {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", text(&format!("Bearer {bearer}")));
        }
        if let Some(tenant) = tenant {
            request.metadata_mut().insert("x-turnpike-tenant", text(tenant));
        }
        match self.send(method, request).await {
            Ok(()) => (Code::Ok, String::new()),
            Err(status) => (status.code(), status.message().to_owned()),
        }
    }

    /// As far as the first message of the answer.
    async fn send(&self, method: &str, request: Request<()>) -> Result<(), Status> {
        let mut client = Grpc::new(self.channel.clone());
        let ready = client.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let path: PathAndQuery = format!("/{method}").parse().expect("a path");
        let codec = ProstCodec::<(), ()>::default();
        let answer = client.server_streaming(request, path, codec).await?;
        answer.into_inner().message().await.map(|_| ())
    }
}
