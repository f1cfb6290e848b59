//! The upload call with records as the spool holds them: encoded once, when they were written, and sent as they are.
//!
//! On the wire this is `turnpike.audit.v1.Ingest/Upload` and nothing else; the generated client would decode every
//! record only to encode it again.

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{IntoStreamingRequest as _, Status, Streaming, client::Grpc, codec::CompressionEncoding};
use tonic_prost::ProstCodec;
use turnpike_proto::audit::v1::{Acknowledgement, Seal};

use crate::connect::ControlPlane;

const UPLOAD: PathAndQuery = PathAndQuery::from_static("/turnpike.audit.v1.Ingest/Upload");

/// `turnpike.audit.v1.Batch`. A message within a message is written as its bytes would be (protobuf encoding,
/// "length-delimited records").
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Batch {
    #[prost(string, tag = "1")]
    pub(super) edge: String,
    #[prost(uint64, tag = "2")]
    pub(super) epoch: u64,
    #[prost(uint64, tag = "3")]
    pub(super) first: u64,
    #[prost(bytes = "bytes", repeated, tag = "4")]
    pub(super) records: Vec<Bytes>,
    #[prost(message, optional, tag = "5")]
    pub(super) seal: Option<Seal>,
}

/// Sends the batches and gives what the control plane answers.
pub(super) async fn upload(
    channel: &ControlPlane,
    batches: ReceiverStream<Batch>,
) -> Result<Streaming<Acknowledgement>, Status> {
    let mut client = Grpc::new(channel.clone()).send_compressed(CompressionEncoding::Zstd);
    let unready = |error| Status::unavailable(format!("no connection to the control plane: {error}"));
    client.ready().await.map_err(unready)?;
    let codec: ProstCodec<Batch, Acknowledgement> = ProstCodec::default();
    let answer = client.streaming(batches.into_streaming_request(), UPLOAD, codec);
    Ok(answer.await?.into_inner())
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use turnpike_proto::audit::v1;

    use super::*;

    #[test]
    fn a_batch_of_encoded_records_is_the_batch_of_the_protocol() {
        let record = |id: &str| v1::Record {
            request_id: id.to_owned(),
            position: 7,
            ..v1::Record::default()
        };
        let expected = v1::Batch {
            edge: "edge-1".to_owned(),
            epoch: 3,
            first: 41,
            records: [record("a"), v1::Record::default(), record("b")]
                .map(|record| record.encode_to_vec())
                .into(),
            seal: Some(Seal {
                before: vec![1; 32],
                time_us: 9,
                ..Seal::default()
            }),
        };
        let sent = Batch {
            edge: "edge-1".to_owned(),
            epoch: 3,
            first: 41,
            records: expected.records.iter().cloned().map(Into::into).collect(),
            seal: expected.seal.clone(),
        };
        assert_eq!(
            v1::Batch::decode(sent.encode_to_vec().as_slice()).expect("a batch"),
            expected
        );
    }
}
