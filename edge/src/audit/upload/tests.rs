//! Against a real gRPC server in this process, over TCP.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::{StreamExt, wrappers::TcpListenerStream};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, transport::Server};
use turnpike_access::audit::{
    chain::{Checkpoint, Leaf},
    walk::Walk,
};
use turnpike_proto::audit::{
    self,
    v1::{
        Batch,
        ingest_server::{Ingest, IngestServer},
    },
};
use turnpike_runtime::identity;

use super::*;
use crate::{
    audit::{
        Opened,
        tests::{record, settings},
    },
    connect::{self, EdgeToken},
};

/// Stores as the control plane does: each record once, acknowledging what is contiguous.
#[derive(Debug, Default)]
struct Store {
    rows: Mutex<BTreeMap<(u64, u64), String>>,
    leaves: Mutex<BTreeMap<(u64, u64), Leaf>>,
    checkpoints: Mutex<Vec<Checkpoint>>,
    /// Each connection is cut after so many batches; 0 never.
    cut_after: usize,
    sent_again: Mutex<u64>,
}

impl Store {
    fn insert(&self, batch: Batch) -> Acknowledgement {
        let batch = audit::Batch::try_from(batch).expect("a batch");
        self.remember(&batch);
        let mut rows = self.rows.lock().expect("lock");
        for (sequence, record) in (batch.first..).zip(batch.records) {
            let id = record.request_id.to_string();
            if rows.insert((batch.epoch, sequence), id).is_some() {
                *self.sent_again.lock().expect("lock") += 1;
            }
        }
        let stored = (1..).find(|sequence| !rows.contains_key(&(batch.epoch, *sequence)));
        Acknowledgement {
            epoch: batch.epoch,
            stored: stored.unwrap_or(1) - 1,
        }
    }

    fn remember(&self, batch: &audit::Batch) {
        let mut leaves = self.leaves.lock().expect("lock");
        for (sequence, bytes) in (batch.first..).zip(&batch.bytes) {
            leaves.insert((batch.epoch, sequence), Leaf::of(bytes));
        }
        let said = batch.checkpoint.clone().expect("a seal");
        assert!(identity::signed(&said.key, &said.statement(), &said.signature));
        self.checkpoints.lock().expect("lock").push(said);
    }

    /// Every record is under what was signed, however often it was sent and in whichever batches.
    fn proven(&self) {
        let leaves = self.leaves.lock().expect("lock");
        let mut checkpoints = self.checkpoints.lock().expect("lock").clone();
        checkpoints.sort_by_key(|said| (said.last, said.first));
        let epochs: BTreeSet<u64> = leaves.keys().map(|(epoch, _)| *epoch).collect();
        for epoch in epochs {
            let mut walk = Walk::new(epoch);
            let mut records = leaves.range((epoch, 0)..=(epoch, u64::MAX)).peekable();
            for said in checkpoints.iter().filter(|said| said.epoch == epoch) {
                while let Some(((_, sequence), leaf)) = records.next_if(|((_, at), _)| *at <= said.last) {
                    walk.record(*sequence, *leaf);
                }
                walk.checkpoint(said, true);
            }
            let verdict = walk.end(0);
            assert_eq!(
                (verdict.unproven, verdict.problems),
                (0, Vec::new()),
                "epoch {epoch}"
            );
        }
    }

    fn requests(&self) -> BTreeSet<u64> {
        let rows = self.rows.lock().expect("lock");
        rows.values().map(|id| id.parse().expect("number")).collect()
    }
}

#[derive(Debug, Clone)]
struct Served(Arc<Store>);

#[tonic::async_trait]
impl Ingest for Served {
    type UploadStream =
        std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<Acknowledgement, Status>> + Send>>;

    async fn upload(
        &self,
        request: Request<Streaming<Batch>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let store = self.0.clone();
        let mut batches = 0;
        let answers = request.into_inner().map(move |batch| {
            batches += 1;
            let answer = store.insert(batch?);
            // Stored, but the edge never hears of it.
            if batches == store.cut_after {
                return Err(Status::unavailable("cut"));
            }
            Ok(answer)
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

struct Bed {
    _folder: tempfile::TempDir,
    audit: Arc<Audit>,
    upload: Upload,
    store: Arc<Store>,
    tasks: JoinSet<u64>,
}

async fn bed(cut_after: usize) -> Bed {
    let folder = tempfile::tempdir().expect("folder");
    let mut roomy = settings(folder.path());
    roomy.max_bytes = 16 << 20;
    let Opened { audit, reader, .. } = Audit::open(&roomy, 1).expect("open");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let control_plane: http::Uri = format!("http://{address}").parse().expect("uri");
    let store = Arc::new(Store {
        cut_after,
        ..Store::default()
    });
    let service = IngestServer::new(Served(store.clone())).accept_compressed(CompressionEncoding::Zstd);
    let mut tasks = JoinSet::new();
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tasks.spawn(async {
        serving.await.expect("serve");
        0
    });
    let upload = Upload {
        edge: Arc::from("edge-1"),
        channel: connect::channel(&control_plane.into(), None, EdgeToken::of(None)).expect("channel"),
        audit: audit.clone(),
        reader,
        signer: Arc::new(EdgeSigner::keep(folder.path(), Arc::from("edge-1")).expect("key")),
    };
    Bed {
        _folder: folder,
        audit,
        upload,
        store,
        tasks,
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), poll)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_arrives_and_then_nothing_is_left_in_the_folder() {
    let Bed {
        audit,
        upload,
        store,
        mut tasks,
        _folder,
    } = bed(0).await;
    let (done, writers_done) = watch::channel(false);
    tasks.spawn(upload.run(writers_done));
    for id in 0..2000 {
        audit.append(&record(id, 100)).expect("room");
    }
    eventually("all acknowledged", || audit.waiting() == 0).await;
    assert_eq!(store.requests(), (0..2000).collect());
    assert_eq!(*store.sent_again.lock().expect("lock"), 0);

    audit.append(&record(2000, 100)).expect("room");
    done.send_replace(true);
    let left = timeout(Duration::from_secs(10), tasks.join_next())
        .await
        .expect("in time");
    assert_eq!(left.expect("a task").expect("no panic"), 0);
    assert_eq!(store.requests(), (0..=2000).collect());
    let files = std::fs::read_dir(_folder.path()).expect("folder").count();
    assert_eq!(files, 2, "only the lock and the key");
    store.proven();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let Bed {
        audit,
        upload,
        store,
        mut tasks,
        _folder,
    } = bed(3).await;
    let (_done, writers_done) = watch::channel(false);
    tasks.spawn(upload.run(writers_done));
    for id in 0..6000 {
        audit.append(&record(id, 100)).expect("room");
    }
    eventually("all acknowledged", || audit.waiting() == 0).await;
    assert_eq!(store.requests(), (0..6000).collect());
    assert_eq!(store.rows.lock().expect("lock").len(), 6000);
    assert!(
        *store.sent_again.lock().expect("lock") > 0,
        "the cuts made no difference"
    );
    store.proven();
}

#[test]
fn what_waits_is_counted_right_also_while_more_is_written() {
    let folder = tempfile::tempdir().expect("folder");
    let mut roomy = settings(folder.path());
    roomy.max_bytes = 64 << 20;
    let Opened { audit, reader, .. } = Audit::open(&roomy, 1).expect("open");
    let edge: Arc<str> = Arc::from("edge-1");
    let signer = Arc::new(EdgeSigner::keep(folder.path(), edge.clone()).expect("key"));
    let mut outbox = Outbox::new(edge, audit.clone(), reader, signer);
    let write = || (0..20_000).for_each(|id| audit.append(&record(id, 10)).expect("room"));
    std::thread::scope(|scope| {
        let writers = [scope.spawn(write), scope.spawn(write)];
        while !writers.iter().all(|writer| writer.is_finished()) || outbox.unread() > 0 {
            while let Some(batch) = outbox.read(BATCH).expect("readable") {
                outbox.acknowledge(batch.epoch, batch.first + batch.records.len() as u64 - 1);
            }
        }
    });
    assert_eq!(
        (audit.waiting(), outbox.waiting(), outbox.acknowledged()),
        (0, 0, 40_000)
    );
}
