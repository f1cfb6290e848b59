//! A control plane for benchmarks: holds so many credentials, gives them to a real edge, and takes its audit.
//!
//! `bench_control_plane ADDRESS UPSTREAM CREDENTIALS KEYS_FILE`: the keyring comes from `TURNPIKE_KEYRING`; a sample
//! of full keys is written to the file. A real control plane would need minutes to make a million credentials one
//! command at a time; to the edge the difference does not show.

use std::{io::Write as _, sync::Arc};

use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming, codec::CompressionEncoding, transport::Server};
use turnpike_access::{codec, snapshot::Snapshot};
use turnpike_proto::{
    audit::v1::{Acknowledgement, Batch, ingest_server},
    sync::{
        head,
        v1::{self, ChangesRequest, Notice, Report, SnapshotChunk, SnapshotRequest, sync_server},
    },
};
use turnpike_runtime::{clock, keyring::Keyring, secret::Secret, shutdown::Shutdown, task::Tasks};
use turnpike_tests::bench::population;

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

struct ControlPlane {
    snapshot: Arc<Snapshot>,
    tasks: Tasks,
}

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
    let held = Arc::new(ControlPlane {
        snapshot: Arc::new(population.snapshot),
        tasks: Tasks::new(shutdown.clone()),
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

    async fn changes(&self, _: Request<ChangesRequest>) -> Result<Response<Self::ChangesStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::empty())))
    }

    async fn attach(
        &self,
        request: Request<Streaming<Report>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let at = self.snapshot.head();
        let notices = request.into_inner().map(move |report| {
            report.map(|_| Notice {
                head: Some(head(at, clock::now())),
                keys: Vec::new(),
                heard: 0,
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
