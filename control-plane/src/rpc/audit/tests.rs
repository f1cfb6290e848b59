//! Uploads through a real server on loopback.

use std::sync::Arc;

use prost::Message as _;
use tempfile::tempdir;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Code,
    transport::{Channel, Server},
};
use turnpike_access::{audit::chain::Link, event::Event, id::Name, log::Position};
use turnpike_proto::audit::v1::{
    Batch, Ending, Outcome, Record, Seal, ingest_client::IngestClient, ingest_server::IngestServer,
};

use super::{IngestService, decoys::Decoys, losses::Losses};
use crate::{
    fixture::Core,
    store::{self, AuditFilter, AuditStore, Page},
};

fn batch(first: u64, count: u64) -> Batch {
    let record = |sequence| Record {
        time_us: 1,
        request_id: format!("request-{sequence}"),
        tenant: "platform".to_owned(),
        route: "POST /v1/chat/completions".to_owned(),
        reason: "granted".to_owned(),
        region: "eu".to_owned(),
        status: 200,
        outcome: Outcome::Allowed.into(),
        ending: Ending::Complete.into(),
        ..Record::default()
    };
    Batch {
        edge: "eu-1".to_owned(),
        epoch: 7,
        first,
        records: (first..first + count)
            .map(|sequence| record(sequence).encode_to_vec())
            .collect(),
        seal: None,
    }
}

/// A server on the audit store of a core, and a client of it.
#[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
async fn serve(core: &Core) -> (IngestClient<Channel>, Arc<dyn AuditStore>) {
    let audit = store::connect(&core.url).await.unwrap().audit;
    let service = IngestService {
        store: audit.clone(),
        decoys: Decoys::new(core.executor.clone()),
        losses: Losses::new(core.executor.clone()),
        executor: core.executor.clone(),
        stop: CancellationToken::new(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(
        Server::builder()
            .add_service(IngestServer::new(service))
            .serve_with_incoming(incoming),
    );
    let channel = Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    (IngestClient::new(channel), audit)
}

#[tokio::test]
async fn what_is_acknowledged_is_stored_once_however_often_it_is_sent() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let (mut client, store) = serve(&core).await;
    // The third is again part of what came before; the fourth leaves a gap, and is not acknowledged.
    let batches = vec![batch(1, 3), batch(4, 2), batch(2, 3), batch(9, 1)];
    let mut answers = client
        .upload(futures::stream::iter(batches))
        .await
        .unwrap()
        .into_inner();
    let mut stored = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.epoch, 7);
        stored.push(answer.stored);
    }
    assert_eq!(stored, [3, 5, 5, 5]);
    let page = Page {
        limit: 100,
        after: None,
    };
    let kept = store
        .list(&Name::platform(), &AuditFilter::default(), page)
        .await
        .unwrap();
    assert_eq!(kept.len(), 6);
}

#[tokio::test]
async fn a_batch_that_means_nothing_is_refused_and_ends_the_stream() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let (mut client, _store) = serve(&core).await;
    let mut nameless = batch(1, 1);
    nameless.edge.clear();
    let mut answers = client
        .upload(futures::stream::iter(vec![nameless]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answers.message().await.unwrap_err().code(), Code::InvalidArgument);
}

/// The summaries of the alerts of a kind.
async fn alerts(core: &Core, kind: &str) -> Vec<String> {
    let events = core.store.read(Position::ZERO, 1000).await.unwrap();
    let decoded = events
        .iter()
        .map(|event| Event::decode(&event.kind, event.version, &event.payload));
    let raised = decoded.filter_map(|event| match event.unwrap() {
        Event::AlertRaised(alert) if *alert.kind == *kind => Some(alert.summary.to_string()),
        _ => None,
    });
    raised.collect()
}

async fn upload(client: &mut IngestClient<Channel>, batches: Vec<Batch>) {
    let sent = client.upload(futures::stream::iter(batches)).await.unwrap();
    let mut answers = sent.into_inner();
    while answers.message().await.unwrap().is_some() {}
}

fn sealed(batch: Batch, before: Link, signature: &[u8]) -> Batch {
    let seal = Seal {
        before: before.0.into(),
        time_us: 1,
        key: "a key".to_owned(),
        signature: signature.into(),
    };
    Batch {
        seal: Some(seal),
        ..batch
    }
}

#[tokio::test]
async fn a_gap_and_a_signature_that_is_none_are_told_once() {
    let folder = tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    let (mut client, store) = serve(&core).await;
    upload(&mut client, vec![batch(1, 3), batch(4, 1)]).await;
    assert_eq!(alerts(&core, "audit_gap").await, [""; 0]);
    for _ in 0..2 {
        upload(&mut client, vec![batch(9, 1)]).await;
    }
    let gap = "The records 5 to 8 of epoch 7 of the edge eu-1 are not there.";
    assert_eq!(alerts(&core, "audit_gap").await, [gap]);
    let forged = sealed(batch(5, 1), Link::start(7), b"no signature");
    upload(&mut client, vec![forged.clone(), forged]).await;
    let broken =
        "The records 5 to 5 of epoch 7 of the edge eu-1: the signature is not by the key that it names.";
    assert_eq!(alerts(&core, "audit_chain_broken").await, [broken]);
    let kept = store.checkpoints("eu-1", 7, (0, 0), 10).await.unwrap();
    assert_eq!(kept.len(), 1, "it is kept for whoever verifies the audit");
}
