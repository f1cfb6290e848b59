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
mod end;
mod snapshot;
#[cfg(test)]
mod tests;

use self::{changes::Changes, end::LogEnd, snapshot::Snapshots};

/// What a call answers with, piece by piece.
type Pieces<T> = BoxStream<'static, Result<T, Status>>;

/// The service for edges. Who calls was checked before, by [`super::edge_token`] or [`super::enrolled`].
pub(crate) struct SyncService {
    end: LogEnd,
    changes: Arc<Changes>,
    projection: Arc<Projection>,
    edges: Edges,
    signing: Signing,
    snapshots: Snapshots,
    /// The streams that are held open: one more for each.
    attached: Arc<()>,
    /// Ends the streams that would otherwise hold up the end of the process.
    stop: CancellationToken,
}

impl SyncService {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        (projection, edges, signing): (Arc<Projection>, Edges, Signing),
        stop: CancellationToken,
    ) -> Self {
        Self {
            end: LogEnd::of(store.clone()),
            changes: Arc::new(Changes::new(store, projection.clone())),
            projection,
            edges,
            signing,
            snapshots: Snapshots::default(),
            attached: Arc::default(),
            stop,
        }
    }
}

#[tonic::async_trait]
impl Sync for SyncService {
    type SnapshotStream = Pieces<SnapshotChunk>;
    type ChangesStream = Pieces<Batch>;
    type AttachStream = Pieces<Notice>;

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let chunks = self.snapshots.newest(&self.end, &self.projection).await?;
        Ok(Response::new(chunks.boxed()))
    }

    async fn changes(
        &self,
        request: Request<ChangesRequest>,
    ) -> Result<Response<Self::ChangesStream>, Status> {
        let ChangesRequest { after } = request.into_inner();
        let batches = self.changes.clone().since(after, &self.end).await?;
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
