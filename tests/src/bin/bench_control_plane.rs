//! A control plane for benchmarks: holds so many credentials, gives them to a real edge, and takes its audit.
//!
//! `bench_control_plane ADDRESS UPSTREAM CREDENTIALS KEYS_FILE`: the keyring comes from `TURNPIKE_KEYRING`; a sample
//! of full keys is written to the file. A real control plane would need minutes to make a million credentials one
//! command at a time; to the edge the difference does not show. A line `RATE SECONDS` on its input makes it change the state
//! so many times a second for so long; without a bus, the edge hears of each change here and fetches it.

use std::{
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::{mpsc, watch},
};
use tokio_stream::{
    Stream, StreamExt as _,
    wrappers::{ReceiverStream, WatchStream},
};
use tonic::{Request, Response, Status, Streaming, codec::CompressionEncoding, transport::Server};
use turnpike_access::{
    codec,
    digest::Peppers,
    log::{Head, Recorded},
    snapshot::Snapshot,
};
use turnpike_proto::{
    audit::v1::{Acknowledgement, Batch, ingest_server},
    sync::{
        batch, head,
        v1::{self, ChangesRequest, Notice, Report, SnapshotChunk, SnapshotRequest, sync_server},
    },
};
use turnpike_runtime::{clock, keyring::Keyring, secret::Secret, shutdown::Shutdown, task::Tasks};
use turnpike_tests::bench::{Population, population};

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

struct ControlPlane {
    /// What edges begin with.
    snapshot: Arc<Snapshot>,
    /// What came after it.
    changes: Mutex<Vec<Recorded>>,
    head: watch::Sender<Head>,
    tasks: Tasks,
}

impl ControlPlane {
    fn since(&self, after: u64) -> Vec<Recorded> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = after.saturating_sub(self.snapshot.position().get());
        let rest = changes.iter().skip(usize::try_from(known).unwrap_or(usize::MAX));
        rest.cloned().collect()
    }

    /// Changes the state as it is told.
    async fn follow_orders(&self, mut population: Population, peppers: &Peppers) -> Result<(), Failure> {
        let mut orders = BufReader::new(tokio::io::stdin()).lines();
        while let Some(order) = orders.next_line().await? {
            let numbers: Vec<u32> = order
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?;
            let [rate, seconds] = numbers.as_slice() else {
                return Err("an order is RATE SECONDS".into());
            };
            let mut pace = tokio::time::interval(Duration::from_secs(1) / (*rate).max(1));
            for _ in 0..rate.saturating_mul(*seconds) {
                pace.tick().await;
                let change = population.change(peppers).map_err(|error| error.to_string())?;
                let head = change.head();
                self.changes
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(change);
                self.head.send_replace(head);
            }
        }
        Ok(())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, upstream, credentials, keys_file] = arguments.as_slice() else {
        return Err("usage: bench_control_plane ADDRESS UPSTREAM CREDENTIALS KEYS_FILE".into());
    };
    let keyring = Keyring::parse(&Secret::new(std::env::var("TURNPIKE_KEYRING")?))?;
    let population = population(&keyring, &format!("http://{upstream}/v1"), credentials.parse()?)?;
    std::fs::File::create(keys_file)?.write_all(population.keys.join("\n").as_bytes())?;
    let shutdown = Shutdown::on_signals()?;
    let tasks = Tasks::new(shutdown.clone());
    let held = Arc::new(ControlPlane {
        head: watch::Sender::new(population.snapshot.head()),
        snapshot: Arc::new(population.snapshot.clone()),
        changes: Mutex::default(),
        tasks: tasks.clone(),
    });
    let (orders, peppers) = (held.clone(), Peppers::new(keyring.peppers()));
    tasks.spawn("orders", async move {
        if let Err(error) = orders.follow_orders(population, &peppers).await {
            tracing::error!(%error, "orders are not followed any more");
        }
    });
    let zstd = CompressionEncoding::Zstd;
    Server::builder()
        .add_service(sync_server::SyncServer::from_arc(held.clone()).accept_compressed(zstd))
        .add_service(ingest_server::IngestServer::from_arc(held).accept_compressed(zstd))
        .serve_with_shutdown(address.parse()?, async move { shutdown.cancelled().await })
        .await?;
    Ok(())
}

#[tonic::async_trait]
impl sync_server::Sync for ControlPlane {
    type SnapshotStream = Answers<SnapshotChunk>;
    type ChangesStream = Answers<v1::Batch>;
    type AttachStream = Answers<Notice>;

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        let snapshot = self.snapshot.clone();
        self.tasks.spawn("snapshot", async move {
            let mut first = Some(head(snapshot.head(), clock::now()));
            let mut lines = Vec::new();
            let mut chunks = Vec::new();
            let encoded = codec::encode(&snapshot, |line| -> Result<(), serde_json::Error> {
                lines.extend_from_slice(line);
                if lines.len() > 256 * 1024 {
                    chunks.push(SnapshotChunk {
                        head: first.take(),
                        lines: std::mem::take(&mut lines),
                    });
                }
                Ok(())
            });
            chunks.push(SnapshotChunk {
                head: first.take(),
                lines,
            });
            if encoded.is_ok() {
                for chunk in chunks {
                    drop(sender.send(Ok(chunk)).await);
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn changes(
        &self,
        request: Request<ChangesRequest>,
    ) -> Result<Response<Self::ChangesStream>, Status> {
        let batch = batch(&self.since(request.into_inner().after));
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(batch)))))
    }

    async fn attach(
        &self,
        request: Request<Streaming<Report>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (heads, moved) = (self.head.clone(), WatchStream::new(self.head.subscribe()));
        // A state that nobody has confirmed is not served by from the disk.
        let reported = request
            .into_inner()
            .map(move |report| Ok((*heads.borrow(), report?.number)));
        let moved = moved.map(|at| Ok((at, 0)));
        let notices = reported.merge(moved).map(|told: Result<(Head, u64), Status>| {
            let (at, heard) = told?;
            Ok(Notice {
                head: Some(head(at, clock::now())),
                keys: Vec::new(),
                heard,
            })
        });
        Ok(Response::new(Box::pin(notices)))
    }
}

#[tonic::async_trait]
impl ingest_server::Ingest for ControlPlane {
    type UploadStream = Answers<Acknowledgement>;

    async fn upload(
        &self,
        request: Request<Streaming<Batch>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let acknowledged = request.into_inner().map(|batch| {
            let Batch {
                epoch,
                first,
                records,
                ..
            } = batch?;
            Ok(Acknowledgement {
                epoch,
                stored: (first + records.len() as u64).saturating_sub(1),
            })
        });
        Ok(Response::new(Box::pin(acknowledged)))
    }
}
