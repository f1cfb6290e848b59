//! How audit records come in from the edges' spools: stored first, then acknowledged, batch by batch.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use turnpike_proto::audit::{
    self,
    v1::{Acknowledgement, Batch, ingest_server::Ingest},
};

use super::{enrolled::Enrolled, wire::unavailable};
use crate::{
    execute::Executor,
    just_in_time,
    store::{AuditStore, StoreError, proof},
};

pub(crate) mod decoys;
pub(crate) mod losses;

#[cfg(test)]
mod tests;

use decoys::Decoys;
use losses::{Chains, Losses};

/// The service for audit records. Who calls was checked before, by [`super::edge_token`] or [`super::enrolled`].
pub(crate) struct IngestService {
    pub(crate) store: Arc<dyn AuditStore>,
    /// Raises the alerts of decoys.
    pub(crate) decoys: Decoys,
    /// Raises the alerts of what is lost.
    pub(crate) losses: Losses,
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
            enrolled: request.extensions().get::<Enrolled>().cloned(),
            batches: request.into_inner(),
            store: self.store.clone(),
            decoys: self.decoys.clone(),
            losses: self.losses.clone(),
            chains: Chains::new(),
            executor: self.executor.clone(),
            stop: self.stop.clone(),
        };
        Ok(Response::new(upload.acknowledgements().boxed()))
    }
}

/// One edge's stream.
struct Upload {
    /// By its certificate, where it has one.
    enrolled: Option<Enrolled>,
    batches: Streaming<Batch>,
    store: Arc<dyn AuditStore>,
    decoys: Decoys,
    losses: Losses,
    /// A chain for each lane, and for each that an earlier run left: as many as the edge has files for.
    chains: Chains,
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

    async fn store(&mut self, batch: Batch) -> Result<Acknowledgement, Status> {
        let batch =
            audit::Batch::try_from(batch).map_err(|error| Status::invalid_argument(error.to_string()))?;
        if let Some(enrolled) = &self.enrolled {
            enrolled.check(&batch.edge, None)?;
        }
        let epoch = batch.epoch;
        let stored = self
            .store
            .insert(&batch.edge, epoch, batch.first, &batch.records)
            .await
            .map_err(unavailable)?;
        self.keep_proof(&batch).await.map_err(unavailable)?;
        // Before the acknowledgement: what is not known to have been raised is sent again.
        self.decoys
            .look_through(&batch.edge, &batch.records)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        self.losses
            .look_through(&batch, stored, &mut self.chains)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        just_in_time::record_served(&self.executor, &batch.records).await;
        Ok(Acknowledgement { epoch, stored })
    }

    /// What the edge signed of the batch. A signature that is none is kept too: it is told when the audit is verified.
    async fn keep_proof(&self, batch: &audit::Batch) -> Result<(), StoreError> {
        let Some(said) = &batch.checkpoint else {
            return Ok(());
        };
        let originals: Vec<(u64, &[u8])> = proof::originals(&batch.records, &batch.bytes)
            .into_iter()
            .map(|(index, bytes)| (batch.first + index as u64, bytes))
            .collect();
        self.store.keep_checkpoint(said, &originals).await
    }
}
