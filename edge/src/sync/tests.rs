//! Following a real gRPC server in this process, over TCP, with a bus that loses and lies.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use prost::Message as _;
use tokio::{net::TcpListener, time::timeout};
use tokio_stream::wrappers::{TcpListenerStream, WatchStream};
use tonic::{Request, Response, Status, Streaming, transport::Server};
use turnpike_access::{
    codec,
    log::{Head, Recorded},
    snapshot::Snapshot,
};
use turnpike_proto::sync::{
    self, v1,
    v1::{
        Report, Signed,
        signed::Kind,
        sync_server::{Sync as Service, SyncServer},
    },
};
use turnpike_runtime::{
    bus::{Bus as _, local::LocalBus},
    readiness::Readiness,
    shutdown::Shutdown,
    signing::SigningKey,
};

use super::{follow::tests::log, *};
use crate::connect::{self, EdgeToken};

type Answers<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;
use std::pin::Pin;

/// The log up to a length, which a test makes grow.
#[derive(Clone)]
struct ControlPlane {
    log: Arc<Vec<Recorded>>,
    length: watch::Sender<usize>,
    key: Arc<SigningKey>,
    reports: Arc<Mutex<Vec<Report>>>,
}

impl ControlPlane {
    fn committed(&self) -> &[Recorded] {
        &self.log[..*self.length.borrow()]
    }
}

#[tonic::async_trait]
impl Service for ControlPlane {
    type SnapshotStream = Answers<v1::SnapshotChunk>;
    type ChangesStream = Answers<v1::Batch>;
    type AttachStream = Answers<v1::Notice>;

    async fn snapshot(
        &self,
        _: Request<v1::SnapshotRequest>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        let mut snapshot = Snapshot::default();
        for event in self.committed() {
            snapshot.fold(event).expect("folds");
        }
        let mut chunks = Vec::new();
        codec::encode::<serde_json::Error>(&snapshot, |line| {
            chunks.push(Ok(v1::SnapshotChunk {
                head: None,
                lines: line.to_vec(),
            }));
            Ok(())
        })
        .expect("encodes");
        Ok(Response::new(Box::pin(stream::iter(chunks))))
    }

    async fn changes(
        &self,
        request: Request<v1::ChangesRequest>,
    ) -> Result<Response<Self::ChangesStream>, Status> {
        let after = request.into_inner().after as usize;
        let missing = self.committed().get(after..).unwrap_or_default();
        let batches: Vec<_> = missing.chunks(2).map(|events| Ok(sync::batch(events))).collect();
        Ok(Response::new(Box::pin(stream::iter(batches))))
    }

    async fn attach(
        &self,
        request: Request<Streaming<Report>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let plane = self.clone();
        let mut said = request.into_inner();
        let heads = WatchStream::new(self.length.subscribe()).map(move |length| {
            let head = length
                .checked_sub(1)
                .map_or(Head::default(), |last| plane.log[last].head());
            Ok(v1::Notice {
                head: Some(sync::head(head, Timestamp::default())),
                keys: vec![plane.key.verifying_key()],
                heard: 0,
            })
        });
        let reports = self.reports.clone();
        // Ends with the edge's side, as the control plane's does.
        let listening = async move {
            while let Ok(Some(report)) = said.message().await {
                reports
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(report);
            }
        };
        Ok(Response::new(Box::pin(heads.take_until(listening))))
    }
}

struct Bed {
    plane: ControlPlane,
    bus: LocalBus,
    current: Arc<Current>,
    tasks: Tasks,
    done: CancellationToken,
}

async fn bed(log: Vec<Recorded>, length: usize) -> Bed {
    let plane = ControlPlane {
        log: Arc::new(log),
        length: watch::Sender::new(length),
        key: Arc::new(SigningKey::generate().expect("key")),
        reports: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let control_plane = format!("http://{}", listener.local_addr().expect("address"));
    let tasks = Tasks::new(Shutdown::new());
    let served = Server::builder()
        .add_service(SyncServer::new(plane.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let plane_tasks = Tasks::new(Shutdown::new());
    plane_tasks.spawn("control-plane", async { served.await.expect("serve") });

    let bus = LocalBus::new();
    let current = Arc::new(Current::default());
    let done = CancellationToken::new();
    let sync = Sync {
        channel: connect::channel(
            &control_plane.parse::<http::Uri>().expect("uri").into(),
            None,
            EdgeToken::of(None),
        )
        .expect("channel"),
        control_plane,
        bus: Some(Arc::new(bus.clone())),
        on_bus: None,
        identity: Identity {
            edge: Arc::from("edge-1"),
            region: Arc::from("eu"),
            version: Arc::from("0"),
            epoch: 1,
            key: Arc::default(),
            proof: Arc::default(),
            signer: None,
        },
        current: current.clone(),
        on_disk: None,
        duty: Arc::new(watch::Sender::new(Duty::Serve)),
        condition: Readiness::new().condition("snapshot", "starting"),
    };
    sync.start(&tasks, &done);
    Bed {
        plane,
        bus,
        current,
        tasks,
        done,
    }
}

impl Bed {
    async fn publish(&self, signed: &Signed) {
        let message = signed.encode_to_vec().into();
        self.bus.publish_head(message).await.expect("published");
    }

    async fn reaches(&self, position: u64) {
        let reached = self
            .current
            .wait_for(Position::new(position), Duration::from_secs(20))
            .await;
        assert!(reached, "stands at {:?}, not {position}", self.current.position());
    }

    /// What the edge reported last, once it fits.
    async fn reported(&self, fits: impl Fn(&Report) -> bool) -> Report {
        let poll = async {
            loop {
                let last = self.plane.reports.lock().expect("lock").last().cloned();
                if let Some(report) = last.filter(&fits) {
                    return report;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), poll)
            .await
            .expect("a fitting report")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_takes_the_snapshot_and_follows_a_silent_bus_by_the_control_planes_notices() {
    let bed = bed(log(12), 5).await;
    bed.reaches(5).await;
    bed.plane.length.send_replace(12);
    bed.reaches(12).await;
    bed.reported(|report| report.applied == 12).await;
    bed.done.cancel();
    bed.tasks.join(Duration::from_secs(20)).await.expect("ends");
    assert!(bed.reported(|report| report.goodbye).await.goodbye);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_says_is_believed_only_if_signed_and_gaps_are_healed() {
    let log = log(12);
    let bed = bed(log.clone(), 3).await;
    bed.reaches(3).await;
    bed.reported(|report| report.applied == 3).await;
    let body = |events: &[Recorded]| sync::batch(events).encode_to_vec();

    // Not committed as far as the control plane's log goes: only the bus can bring it.
    let signed = bed.plane.key.sign(Kind::Batch, body(&log[3..5]));
    bed.publish(&signed).await;
    bed.reaches(5).await;

    let stranger = SigningKey::generate().expect("key");
    bed.publish(&stranger.sign(Kind::Batch, body(&log[5..8]))).await;
    bed.plane.length.send_if_modified(|length| {
        *length = 9;
        false
    });
    // A gap: 6 to 8 were never heard, and 9 comes alone.
    bed.publish(&bed.plane.key.sign(Kind::Batch, body(&log[8..9])))
        .await;
    bed.reaches(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_before_an_event_it_does_not_know_stands_there_and_reports_it() {
    let mut log = log(4);
    let origin = log[3].origin.clone();
    log.push(Recorded::after(
        log[3].head(),
        origin,
        Arc::from("tenant.levitated"),
        1,
        Arc::from("{}"),
    ));
    let bed = bed(log, 2).await;
    bed.reaches(2).await;
    bed.plane.length.send_replace(5);
    let report = bed.reported(|report| !report.halted.is_empty()).await;
    assert_eq!(report.applied, 4);
    assert!(report.halted.contains("tenant.levitated"), "{}", report.halted);
    assert_eq!(bed.current.position(), Some(Position::new(4)));
}
