//! Fetches the whole state from the control plane.

use crate::connect::ControlPlane;
use tokio::{sync::mpsc, task::spawn_blocking};
use tonic::Code;
use turnpike_access::{
    codec::{Decoder, Unreadable},
    snapshot::Snapshot,
};
use turnpike_proto::sync::v1::{SnapshotChunk, SnapshotRequest, sync_client::SyncClient};

/// Chunks that wait for the decoder. When it lags, the control plane is slowed down by the stream's flow control.
const AHEAD: usize = 8;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSnapshot {
    #[error("the control plane did not send a snapshot: {0}")]
    Refused(#[from] tonic::Status),
    #[error("the control plane's snapshot cannot be used: {0}")]
    Unreadable(#[from] Unreadable),
    #[error("the snapshot could not be decoded: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

impl NoSnapshot {
    /// Whether this edge is not to have one.
    pub(super) fn is_refusal(&self) -> bool {
        let refusals = [Code::PermissionDenied, Code::Unauthenticated];
        matches!(self, Self::Refused(status) if refusals.contains(&status.code()))
    }
}

/// The state as the control plane holds it now. Half of one is never returned.
pub(super) async fn fetch(channel: ControlPlane) -> Result<Snapshot, NoSnapshot> {
    let mut client = SyncClient::new(channel)
        .accept_compressed(tonic::codec::CompressionEncoding::Zstd)
        .max_decoding_message_size(super::LARGEST_MESSAGE);
    let mut chunks = client.snapshot(SnapshotRequest {}).await?.into_inner();
    let (sender, mut receiver) = mpsc::channel::<SnapshotChunk>(AHEAD);
    // A million lines of JSON take seconds: not on a thread that answers requests.
    let decoding = spawn_blocking(move || {
        let mut decoder = Decoder::default();
        while let Some(chunk) = receiver.blocking_recv() {
            decoder.feed(&chunk.lines)?;
        }
        decoder.finish()
    });
    while let Some(chunk) = chunks.message().await? {
        if sender.send(chunk).await.is_err() {
            // The decoder gave up; it says why.
            break;
        }
    }
    drop(sender);
    Ok(decoding.await??)
}
