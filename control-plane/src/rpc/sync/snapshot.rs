//! The whole state at one position, in chunks of whole lines.
//!
//! It is written down once for all who ask while that is done or while somebody is still being sent it, so that very many edges that
//! come at once cost little more than one. It is held meanwhile; only so many are sent at a time, and the others wait or ask again.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{Stream, stream};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use tonic::Status;
use turnpike_access::{codec, log::Position, snapshot::Snapshot};
use turnpike_proto::sync::v1::SnapshotChunk;

use super::end::LogEnd;
use crate::{projection::Projection, rpc::wire::head_now};

/// A chunk is full once it has so many bytes; the last line may go beyond it.
const CHUNK_BYTES: usize = 256 * 1024;
/// How long the state may take to come as far as the log.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many edges are sent a state at once.
const SENT_AT_ONCE: usize = 64;
/// How long another one waits before it is told to ask again.
const IN_LINE: Duration = Duration::from_secs(10);

/// Hands the state out.
pub(crate) struct Snapshots {
    /// The last that was written down, for as long as anybody is being sent it. Who holds the lock is writing.
    last: Mutex<Weak<Written>>,
    sending: Arc<Semaphore>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self {
            last: Mutex::default(),
            sending: Arc::new(Semaphore::new(SENT_AT_ONCE)),
        }
    }
}

/// A state that was written down.
struct Written {
    position: Position,
    chunks: Vec<SnapshotChunk>,
}

/// A state on its way to one edge.
struct Sending {
    written: Arc<Written>,
    next: usize,
    _one_of: OwnedSemaphorePermit,
}

impl Snapshots {
    /// The chunks of a state with all that was committed before it was asked for. An edge that begins with less would accept again
    /// what it, or the run before it, has given its word to refuse.
    ///
    /// # Errors
    /// The store cannot say how far the log goes, this process does not come so far, or too many are being sent it: another one may
    /// do better.
    pub(super) async fn newest(
        &self,
        end: &LogEnd,
        projection: &Projection,
    ) -> Result<impl Stream<Item = Result<SnapshotChunk, Status>> + use<>, Status> {
        let permit = timeout(IN_LINE, self.sending.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Status::unavailable(
                "too many edges are being sent the state; ask again",
            ));
        };
        let head = end.now().await?.position;
        let mut heads = projection.heads();
        let there = heads.wait_for(|known| known.position >= head);
        if !matches!(timeout(PATIENCE, there).await, Ok(Ok(_))) {
            return Err(Status::unavailable(format!(
                "this control plane stands before position {head} of the log; ask another one"
            )));
        }
        let sending = Sending {
            written: self.no_older_than(head, projection).await?,
            next: 0,
            _one_of: permit,
        };
        Ok(stream::unfold(sending, |mut sending| async move {
            let chunk = sending.written.chunks.get(sending.next)?.clone();
            sending.next += 1;
            Some((Ok(chunk), sending))
        }))
    }

    async fn no_older_than(&self, needed: Position, projection: &Projection) -> Result<Arc<Written>, Status> {
        let mut last = self.last.lock().await;
        if let Some(written) = last.upgrade().filter(|written| written.position >= needed) {
            return Ok(written);
        }
        let snapshot = projection.snapshot();
        // Seconds of work for a large state.
        let written = spawn_blocking(move || write(&snapshot)).await;
        let written = written.map_err(|error| error.to_string());
        let written = written.and_then(|written| written.map_err(|error| error.to_string()));
        let written = Arc::new(written.map_err(|error| {
            tracing::error!(error, "could not write the state down for edges");
            Status::internal("the state could not be written down")
        })?);
        *last = Arc::downgrade(&written);
        Ok(written)
    }
}

/// The first chunk says where the snapshot stands.
fn write(snapshot: &Snapshot) -> Result<Written, serde_json::Error> {
    let mut chunks = Vec::new();
    let mut next = SnapshotChunk {
        head: Some(head_now(snapshot.head())),
        lines: Vec::new(),
    };
    codec::encode(snapshot, |line| {
        next.lines.extend_from_slice(line);
        if next.lines.len() >= CHUNK_BYTES {
            chunks.push(std::mem::take(&mut next));
        }
        Ok::<_, serde_json::Error>(())
    })?;
    chunks.push(next);
    Ok(Written {
        position: snapshot.position(),
        chunks,
    })
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, future::join_all};
    use tempfile::tempdir;

    use super::*;
    use crate::fixture::{Core, create_team};

    #[tokio::test]
    async fn who_asks_at_once_is_sent_one_writing_of_the_state_and_who_asks_after_a_change_a_newer_one() {
        let folder = tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let (snapshots, end) = (Snapshots::default(), LogEnd::of(core.store.clone()));
        let head = core.snapshot().position();
        let asked = || snapshots.no_older_than(head, &core.projection);
        let shared = join_all([asked(), asked(), asked()]).await;
        let [first, others @ ..] = shared.as_slice() else {
            panic!("three");
        };
        let first = first.as_ref().unwrap();
        assert!(
            others
                .iter()
                .all(|other| Arc::ptr_eq(first, other.as_ref().unwrap()))
        );

        core.ask_as_root("platform", vec![create_team("ops")])
            .await
            .unwrap();
        let newer = snapshots.newest(&end, &core.projection).await.unwrap();
        let first_chunk = newer.boxed().next().await.unwrap().unwrap();
        assert!(first_chunk.head.unwrap().position > head.get());
        drop(shared);
        assert!(
            snapshots.last.lock().await.upgrade().is_none(),
            "nothing is held for nobody"
        );
    }

    #[tokio::test]
    async fn who_finds_too_many_before_it_is_told_to_ask_again() {
        let folder = tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let (snapshots, end) = (Snapshots::default(), LogEnd::of(core.store.clone()));
        let sent = snapshots.sending.clone().acquire_many_owned(64).await.unwrap();
        tokio::time::pause();
        let refused = snapshots.newest(&end, &core.projection).await;
        tokio::time::resume();
        assert_eq!(refused.err().unwrap().code(), tonic::Code::Unavailable);
        drop(sent);
        assert!(snapshots.newest(&end, &core.projection).await.is_ok());
    }
}
