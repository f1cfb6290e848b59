//! Edges' calls through a real server on loopback.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tempfile::{TempDir, tempdir};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Status,
    metadata::AsciiMetadataValue,
    service::interceptor::InterceptedService,
    transport::{Channel, Server},
};
use turnpike_access::{codec::Decoder, snapshot::Snapshot};
use turnpike_proto::sync::{
    read_batch, read_head,
    v1::{ChangesRequest, Report, SnapshotRequest, sync_client::SyncClient, sync_server::SyncServer},
};
use turnpike_runtime::{keyring::Keyring, secret::Secret};

use super::SyncService;
use crate::{
    edges::{EdgeState, Edges},
    fixture::{Core, create_team, create_user},
    rpc::edge_token::EdgeToken,
    signing::Signing,
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

type Interceptor = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send + Sync>;

/// A control plane that serves edges.
struct Served {
    core: Core,
    edges: Edges,
    keyring: Arc<Keyring>,
    address: SocketAddr,
    stop: CancellationToken,
    folder: TempDir,
}

impl Served {
    #[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
    async fn start() -> Self {
        let folder = tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
        let edges = Edges::new(core.store.clone(), core.projection.clone());
        let stop = CancellationToken::new();
        let signing = Signing::load(&*core.store, &keyring).await.unwrap();
        let known = (core.projection.clone(), edges.clone(), signing);
        let service = SyncService::new(core.store.clone(), known, stop.clone());
        let service = SyncServer::with_interceptor(service, EdgeToken::of(keyring.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.clone().cancelled_owned());
        tokio::spawn(serving);
        Self {
            core,
            edges,
            keyring,
            address,
            stop,
            folder,
        }
    }

    async fn client(&self, token: &Secret) -> SyncClient<InterceptedService<Channel, Interceptor>> {
        let channel = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        let bearer: AsciiMetadataValue = format!("Bearer {}", token.expose()).parse().unwrap();
        let present: Interceptor = Box::new(move |mut request| {
            request.metadata_mut().insert("authorization", bearer.clone());
            Ok(request)
        });
        SyncClient::with_interceptor(channel.connect().await.unwrap(), present)
    }

    async fn edge(&self) -> SyncClient<InterceptedService<Channel, Interceptor>> {
        self.client(&self.keyring.edge_token()).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn read_snapshot(served: &Served) -> (Snapshot, usize) {
    let mut chunks = served
        .edge()
        .await
        .snapshot(SnapshotRequest {})
        .await
        .unwrap()
        .into_inner();
    let mut decoder = Decoder::default();
    let mut count = 0;
    let mut said = None;
    while let Some(chunk) = chunks.message().await.unwrap() {
        said = said.or(chunk.head);
        decoder.feed(&chunk.lines).unwrap();
        count += 1;
    }
    let snapshot = decoder.finish().unwrap();
    assert_eq!(read_head(&said.unwrap()).unwrap().0, snapshot.head());
    (snapshot, count)
}

#[tokio::test]
async fn a_snapshot_of_many_chunks_is_the_state_that_was_committed() {
    let served = Served::start().await;
    let users = (0..4000)
        .map(|number| create_user(&format!("user-{number}")))
        .collect();
    let done = served.core.ask_as_root("platform", users).await.unwrap();
    let (snapshot, chunks) = read_snapshot(&served).await;
    assert!(chunks > 1, "{chunks}");
    assert_eq!(snapshot.head(), done.snapshot.head());
    let accounts = |snapshot: &Snapshot| snapshot.tenant("platform").unwrap().accounts().len();
    assert_eq!(accounts(&snapshot), accounts(&done.snapshot));
}

#[tokio::test]
async fn a_control_plane_that_is_behind_sends_no_state_that_lacks_what_is_committed() {
    let served = Served::start().await;
    let (other, mut writer) = Core::idle_in(served.folder.path()).await;
    let asked = other.ask_as_root("platform", vec![create_team("ops")]);
    // Nobody tells of it: the one that is asked hears of it when it next looks.
    let (done, ()) = tokio::join!(asked, writer.turn());
    let (snapshot, _) = read_snapshot(&served).await;
    assert_eq!(snapshot.head(), done.unwrap().snapshot.head());
}

#[tokio::test]
async fn changes_after_a_snapshot_lead_to_the_newest_state() {
    let served = Served::start().await;
    let (mut snapshot, _) = read_snapshot(&served).await;
    let teams = (0..1200)
        .map(|number| create_team(&format!("team-{number}")))
        .collect();
    let done = served.core.ask_as_root("platform", teams).await.unwrap();
    let after = snapshot.position().get();
    let mut batches = served
        .edge()
        .await
        .changes(ChangesRequest { after })
        .await
        .unwrap()
        .into_inner();
    while let Some(batch) = batches.message().await.unwrap() {
        for event in read_batch(batch).unwrap() {
            snapshot.fold(&event).unwrap();
        }
    }
    assert_eq!(snapshot.head(), done.snapshot.head());
}

#[tokio::test]
async fn whoever_holds_more_than_the_log_is_told_so() {
    let served = Served::start().await;
    let refused = served
        .edge()
        .await
        .changes(ChangesRequest { after: 99 })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
}

#[tokio::test]
async fn without_the_edge_token_nothing_is_told() {
    let served = Served::start().await;
    let other = Keyring::parse(&Keyring::generate()).unwrap().edge_token();
    let refused = served
        .client(&other)
        .await
        .snapshot(SnapshotRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

fn report(served: &Served, goodbye: bool) -> Report {
    Report {
        edge: "eu-1".to_owned(),
        region: "eu".to_owned(),
        applied: served.core.snapshot().position().get(),
        goodbye,
        ..Report::default()
    }
}

#[tokio::test]
async fn an_attached_edge_hears_of_the_head_and_is_heard() {
    let served = Served::start().await;
    let (reports, sent) = mpsc::channel(4);
    let mut notices = served
        .edge()
        .await
        .attach(ReceiverStream::new(sent))
        .await
        .unwrap()
        .into_inner();
    let first = timeout(PATIENCE, notices.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(first.keys.len(), 1);
    let head = read_head(&first.head.unwrap()).unwrap().0;
    assert_eq!(head, served.core.snapshot().head());

    let done = served
        .core
        .ask_as_root("platform", vec![create_team("ops")])
        .await
        .unwrap();
    loop {
        let notice = timeout(PATIENCE, notices.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if read_head(&notice.head.unwrap()).unwrap().0 == done.snapshot.head() {
            break;
        }
    }
    reports.send(report(&served, false)).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let receipt = loop {
        let receipt = served.edges.wait_applied(done.position, deadline).await.unwrap();
        // Nobody is waited for until the first report is in.
        if !receipt.edges.is_empty() {
            break receipt;
        }
        tokio::task::yield_now().await;
    };
    assert!(receipt.applied);
    assert_eq!(receipt.edges[0].0.state, EdgeState::Live);

    reports.send(report(&served, true)).await.unwrap();
    drop(reports);
    while timeout(PATIENCE, notices.message())
        .await
        .unwrap()
        .unwrap()
        .is_some()
    {}
    assert_eq!(served.edges.list().await.unwrap()[0].state, EdgeState::Departed);
}

#[tokio::test]
async fn a_stopping_control_plane_ends_the_streams_of_its_edges() {
    let served = Served::start().await;
    let (_reports, sent) = mpsc::channel::<Report>(4);
    let mut notices = served
        .edge()
        .await
        .attach(ReceiverStream::new(sent))
        .await
        .unwrap()
        .into_inner();
    timeout(PATIENCE, notices.message()).await.unwrap().unwrap();
    served.stop.cancel();
    while timeout(PATIENCE, notices.message())
        .await
        .unwrap()
        .unwrap()
        .is_some()
    {}
}
