//! How audit records come in from the edges' spools: stored first, then acknowledged, batch by batch.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use turnpike_proto::audit::{
    self,
    v1::{Acknowledgement, Batch, ingest_server::Ingest},
};

use super::wire::unavailable;
use crate::{execute::Executor, just_in_time, store::AuditStore};

pub(crate) mod decoys;

#[cfg(test)]
mod tests;

use decoys::Decoys;

/// The service for audit records. Who calls was checked before, by [`super::edge_token`].
pub(crate) struct IngestService {
    pub(crate) store: Arc<dyn AuditStore>,
    /// Raises the alerts of decoys.
    pub(crate) decoys: Decoys,
    /// Records the users whom edges served just in time.
    pub(crate) executor: Executor,
    /// Ends the streams that would otherwise hold up the end of the process.
    pub(crate) stop: CancellationToken,
}

#[tonic::async_trait]
impl Ingest for IngestService {
    type UploadStream = BoxStream<'static, Result<Acknowledgement, Status>>;

    /// One batch of a stream is in work at a time: the edge's further ones wait in the connection's window, and in
    /// its spool. A failure ends the stream, so that the edge sends again from what was acknowledged.
    async fn upload(
        &self,
        request: Request<Streaming<Batch>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let upload = Upload {
            batches: request.into_inner(),
            store: self.store.clone(),
            decoys: self.decoys.clone(),
            executor: self.executor.clone(),
            stop: self.stop.clone(),
        };
        Ok(Response::new(upload.acknowledgements().boxed()))
    }
}

/// One edge's stream.
struct Upload {
    batches: Streaming<Batch>,
    store: Arc<dyn AuditStore>,
    decoys: Decoys,
    executor: Executor,
    stop: CancellationToken,
}

impl Upload {
    fn acknowledgements(self) -> impl Stream<Item = Result<Acknowledgement, Status>> {
        stream::try_unfold(self, |mut upload| async move {
            let batch = tokio::select! {
                batch = upload.batches.message() => batch?,
                () = upload.stop.cancelled() => None,
            };
            match batch {
                Some(batch) => Ok(Some((upload.store(batch).await?, upload))),
                None => Ok(None),
            }
        })
    }

    async fn store(&self, batch: Batch) -> Result<Acknowledgement, Status> {
        let batch =
            audit::Batch::try_from(batch).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let epoch = batch.epoch;
        let stored = self
            .store
            .insert(&batch.edge, epoch, batch.first, &batch.records)
            .await
            .map_err(unavailable)?;
        // Before the acknowledgement: what is not known to have been raised is sent again.
        self.decoys
            .look_through(&batch.edge, &batch.records)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        just_in_time::record_served(&self.executor, &batch.records).await;
        Ok(Acknowledgement { epoch, stored })
    }
}
