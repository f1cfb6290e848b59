//! The whole state at one position, in chunks of whole lines.

use std::{sync::Arc, time::Duration};

use futures::Stream;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use turnpike_access::{codec, snapshot::Snapshot};
use turnpike_proto::sync::v1::SnapshotChunk;

use crate::{
    projection::Projection,
    rpc::wire::{head_now, unavailable},
    store::EventStore,
};

/// A chunk is sent once it has so many bytes; the last line may go beyond it.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait for a slow edge. When full, encoding waits: nothing is dropped.
const CHUNKS_WAITING: usize = 4;

/// How long the state may take to come as far as the log.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state with all that was committed before it was asked for. An edge that begins with less would accept again what it,
/// or the run before it, has given its word to refuse.
///
/// # Errors
/// The store cannot say how far the log goes, or this process does not come so far: another one may.
pub(super) async fn newest(store: &dyn EventStore, projection: &Projection) -> Result<Arc<Snapshot>, Status> {
    let head = store.head().await.map_err(unavailable)?.position;
    let mut heads = projection.heads();
    let there = heads.wait_for(|known| known.position >= head);
    match timeout(PATIENCE, there).await {
        Ok(Ok(_)) => Ok(projection.snapshot()),
        Ok(Err(_)) | Err(_) => Err(Status::unavailable(format!(
            "this control plane stands before position {head} of the log; ask another one"
        ))),
    }
}

/// Encodes on a blocking thread, as fast as the edge takes it; an edge that goes away ends the work.
pub(super) fn chunks(snapshot: Arc<Snapshot>) -> impl Stream<Item = Result<SnapshotChunk, Status>> {
    let (chunks, sent) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || {
        let mut chunker = Chunker::new(&snapshot, chunks);
        match codec::encode(&snapshot, |line| chunker.line(line)).and_then(|()| chunker.flush()) {
            Ok(()) | Err(Stopped::Gone) => {}
            Err(Stopped::Encoding(error)) => {
                tracing::error!(%error, "could not write the state down for an edge");
                chunker.fail(Status::internal("the state could not be written down"));
            }
        }
    });
    ReceiverStream::new(sent)
}

/// Why encoding ended early.
enum Stopped {
    Gone,
    Encoding(serde_json::Error),
}

impl From<serde_json::Error> for Stopped {
    fn from(error: serde_json::Error) -> Self {
        Self::Encoding(error)
    }
}

/// Gathers lines into chunks; the first chunk says where the snapshot stands.
struct Chunker {
    next: SnapshotChunk,
    chunks: mpsc::Sender<Result<SnapshotChunk, Status>>,
}

impl Chunker {
    fn new(snapshot: &Snapshot, chunks: mpsc::Sender<Result<SnapshotChunk, Status>>) -> Self {
        let next = SnapshotChunk {
            head: Some(head_now(snapshot.head())),
            lines: Vec::new(),
        };
        Self { next, chunks }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Stopped> {
        self.next.lines.extend_from_slice(line);
        if self.next.lines.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        let chunk = std::mem::take(&mut self.next);
        self.chunks.blocking_send(Ok(chunk)).map_err(|_| Stopped::Gone)
    }

    fn fail(&self, status: Status) {
        // An edge that went away need not be told.
        let _ = self.chunks.blocking_send(Err(status));
    }
}
