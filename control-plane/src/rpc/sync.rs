//! How edges come by the access state: the whole of it, what changed since, and news of the head.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use turnpike_proto::sync::v1::{
    Batch, ChangesRequest, Notice, Report, SnapshotChunk, SnapshotRequest, sync_server::Sync,
};

use super::enrolled::Enrolled;
use crate::{edges::Edges, projection::Projection, signing::Signing, store::EventStore};

mod attach;
mod changes;
mod snapshot;
#[cfg(test)]
mod tests;

pub(crate) use snapshot::Snapshots;

/// What a call answers with, piece by piece.
type Pieces<T> = BoxStream<'static, Result<T, Status>>;

/// The service for edges. Who calls was checked before, by [`super::edge_token`] or [`super::enrolled`].
pub(crate) struct SyncService {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) projection: Arc<Projection>,
    pub(crate) edges: Edges,
    pub(crate) signing: Signing,
    pub(crate) snapshots: Snapshots,
    /// Ends the streams that would otherwise hold up the end of the process.
    pub(crate) stop: CancellationToken,
}

#[tonic::async_trait]
impl Sync for SyncService {
    type SnapshotStream = Pieces<SnapshotChunk>;
    type ChangesStream = Pieces<Batch>;
    type AttachStream = Pieces<Notice>;

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let chunks = self.snapshots.newest(&*self.store, &self.projection).await?;
        Ok(Response::new(chunks.boxed()))
    }

    async fn changes(
        &self,
        request: Request<ChangesRequest>,
    ) -> Result<Response<Self::ChangesStream>, Status> {
        let ChangesRequest { after } = request.into_inner();
        let batches = changes::since(self.store.clone(), after).await?;
        Ok(Response::new(batches.boxed()))
    }

    async fn attach(
        &self,
        request: Request<Streaming<Report>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let enrolled = request.extensions().get::<Enrolled>().cloned();
        let attached = attach::Attached::new(self, request.into_inner(), enrolled);
        Ok(Response::new(attached.notices().boxed()))
    }
}
