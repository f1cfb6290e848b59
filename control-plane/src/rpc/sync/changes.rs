//! The committed events after a position, up to the head as it was at the call: from memory where they are at hand, else from the store.

use std::sync::Arc;

use futures::{Stream, stream};
use tokio::sync::Semaphore;
use tonic::Status;
use turnpike_access::log::{Position, Recorded};
use turnpike_proto::sync::v1::Batch;

use super::end::LogEnd;
use crate::{projection::Projection, rpc::wire::unavailable, store::EventStore};

/// Events sent at a time.
const AT_A_TIME: u32 = 512;
/// How many edges the store is read for at once: far fewer than it has connections, which those who write need as well.
const READ_AT_ONCE: usize = 4;

/// Hands changes out.
pub(super) struct Changes {
    store: Arc<dyn EventStore>,
    projection: Arc<Projection>,
    reading: Semaphore,
}

impl Changes {
    pub(super) fn new(store: Arc<dyn EventStore>, projection: Arc<Projection>) -> Self {
        Self {
            store,
            projection,
            reading: Semaphore::new(READ_AT_ONCE),
        }
    }

    /// Batches of events, oldest first.
    ///
    /// # Errors
    /// `OUT_OF_RANGE` where the log ends before `after`: the edge holds what this log never had.
    pub(super) async fn since(
        self: Arc<Self>,
        after: u64,
        end: &LogEnd,
    ) -> Result<impl Stream<Item = Result<Batch, Status>> + use<>, Status> {
        let head = end.now().await?.position;
        let after = Position::new(after);
        if after > head {
            return Err(Status::out_of_range(format!(
                "the log ends at position {head}, before {after}"
            )));
        }
        Ok(stream::try_unfold(after, move |after| {
            let changes = self.clone();
            async move {
                if after >= head {
                    return Ok(None);
                }
                let mut events = changes.next(after).await?;
                events.retain(|event| event.position <= head);
                match events.last().map(|last| last.position) {
                    Some(last) => Ok(Some((turnpike_proto::sync::batch(&events), last))),
                    None => Err(Status::data_loss(format!(
                        "the log has nothing after position {after}"
                    ))),
                }
            }
        }))
    }

    async fn next(&self, after: Position) -> Result<Vec<Recorded>, Status> {
        if let Some(events) = self.projection.recent(after, AT_A_TIME as usize) {
            return Ok(events);
        }
        // Never closed.
        let _one_of = self.reading.acquire().await;
        self.store.read(after, AT_A_TIME).await.map_err(unavailable)
    }
}
