//! The committed events after a position, read from the store, up to the head as it was at the call.

use std::sync::Arc;

use futures::{Stream, stream};
use tonic::Status;
use turnpike_access::log::Position;
use turnpike_proto::sync::v1::Batch;

use crate::{rpc::wire::unavailable, store::EventStore};

/// Events read at a time.
const READ_LIMIT: u32 = 512;

/// Batches of events, oldest first.
///
/// # Errors
/// `OUT_OF_RANGE` where the log ends before `after`: the edge holds what this log never had.
pub(super) async fn since(
    store: Arc<dyn EventStore>,
    after: u64,
) -> Result<impl Stream<Item = Result<Batch, Status>>, Status> {
    let head = store.head().await.map_err(unavailable)?.position;
    let after = Position::new(after);
    if after > head {
        return Err(Status::out_of_range(format!(
            "the log ends at position {head}, before {after}"
        )));
    }
    Ok(stream::try_unfold(after, move |after| {
        let store = store.clone();
        async move {
            if after >= head {
                return Ok(None);
            }
            let mut events = store.read(after, READ_LIMIT).await.map_err(unavailable)?;
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
