//! A thousand edges on one control plane, as far as it can tell: each holds its stream and says that it is where the log ends.
//! All of them lose it at once, come back at once, and changes are made meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, transport::Channel};
use turnpike_proto::sync::v1::{Report, sync_client::SyncClient};
use turnpike_runtime::{keyring::Keyring, retry::Backoff, secret::Secret};
use turnpike_tests::{eventually::eventually, production::Production};

const EDGES: usize = 1_000;
/// Streams that share a connection.
const SHARING: usize = 20;

/// Holds a stream for as long as it is given, and again when it breaks, each time a little later, as edges do.
async fn edge(name: String, channel: Channel, bearer: String, held: Arc<AtomicUsize>) {
    let mut backoff = Backoff::default();
    loop {
        let (reports, sent) = mpsc::channel(4);
        let mut request = Request::new(ReceiverStream::new(sent));
        let value = bearer.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        let opened = SyncClient::new(channel.clone()).attach(request).await;
        if let Ok(notices) = opened {
            held.fetch_add(1, SeqCst);
            let mut notices = notices.into_inner();
            let mut number = 0;
            while let Ok(Some(notice)) = notices.message().await {
                backoff.reset();
                number += 1;
                let report = Report {
                    edge: name.clone(),
                    region: "crowd".to_owned(),
                    version: "0.1.0".to_owned(),
                    applied: notice.head.map_or(0, |head| head.position),
                    epoch: 1,
                    number,
                    ..Report::default()
                };
                if reports.send(report).await.is_err() {
                    break;
                }
            }
            held.fetch_sub(1, SeqCst);
        }
        backoff.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_edges_come_back_at_once_and_changes_are_made_meanwhile() {
    let production = Production::with_one_edge(&[]).await;
    let bearer = Keyring::parse(&Secret::new(production.keyring().to_owned())).unwrap();
    let bearer = format!("Bearer {}", bearer.edge_token().expose());
    let address = production.to_control_plane.address;
    let held = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    for connection in 0..EDGES / SHARING {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        let channel = channel.connect_timeout(Duration::from_secs(5)).connect_lazy();
        for nth in 0..SHARING {
            let name = format!("crowd-{connection}-{nth}");
            crowd.spawn(edge(name, channel.clone(), bearer.clone(), held.clone()));
        }
    }
    let all = async || match held.load(SeqCst) {
        EDGES => Ok(()),
        held => Err(held),
    };
    eventually("all of them", all).await;
    let there = production.to_control_plane.cut().unwrap();
    eventually("none of them", async || match held.load(SeqCst) {
        0 => Ok(()),
        held => Err(held),
    })
    .await;
    production.to_control_plane.connect(there);
    for nth in 0..10 {
        // While they come back: none of these waits for anybody, and none may fail.
        production
            .admin
            .json(&["team", "create", &format!("meanwhile-{nth}")])
            .await;
    }
    eventually("all of them again", all).await;
    let made = production
        .admin
        .json(&["team", "create", "afterwards", "--wait", "--timeout", "60s"])
        .await;
    let edges = made["receipt"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), EDGES + 1);
    assert!(edges.iter().all(|edge| edge["applied"] == true), "{made}");
}
