//! Any number of control planes on one database: all take changes, one publishes them on the bus, and when that one dies another
//! goes on where it was.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures::StreamExt as _;
use prost::Message as _;
use tokio::task::JoinSet;
use turnpike_access::log::Recorded;
use turnpike_proto::sync::{
    self,
    v1::{Batch, Signed, signed::Kind},
};
use turnpike_runtime::{
    bus::{
        Bus as _,
        nats::{NatsBus, NatsSettings},
    },
    secret::Secret,
};
use turnpike_tests::{cli::Cli, eventually::eventually, production::Production};

/// Changes asked of each control plane before and after the death of the one that publishes.
const CHANGES: usize = 12;

/// Every event that came over the bus, as often as it came, in its order.
struct Heard {
    events: Arc<Mutex<Vec<Recorded>>>,
    _listening: JoinSet<()>,
}

impl Heard {
    async fn on(production: &Production) -> Self {
        let nats = &production.nats;
        let settings = NatsSettings {
            url: Some(Secret::new(nats.url_by_way_of(nats.address))),
            ..NatsSettings::default()
        };
        let bus = NatsBus::connect(&settings, "listener").await.unwrap().unwrap();
        let mut messages = bus.subscribe().await.unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut listening = JoinSet::new();
        let kept = events.clone();
        listening.spawn(async move {
            while let Some(message) = messages.next().await {
                let signed = Signed::decode(message).unwrap();
                if signed.kind() == Kind::Batch {
                    let batch = Batch::decode(signed.body.as_slice()).unwrap();
                    kept.lock().unwrap().extend(sync::read_batch(batch).unwrap());
                }
            }
        });
        Self {
            events,
            _listening: listening,
        }
    }

    /// Waits until the end of the log has come, and says what has come by then.
    async fn whole(&self, production: &Production) -> Vec<Recorded> {
        let log = production.database.events().await;
        let last = log.last().unwrap().position;
        eventually("the end of the log on the bus", async || {
            let heard = self.events.lock().unwrap().clone();
            let end = heard.iter().map(|event| event.position).max();
            match end >= Some(last) {
                true => Ok(heard),
                false => Err((end, last)),
            }
        })
        .await
    }
}

/// Whether a control plane says that it is the one that publishes.
async fn publishes(operations: SocketAddr) -> Result<bool, String> {
    let asked = reqwest::get(format!("http://{operations}/metrics")).await;
    let text = asked.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("turnpike_relay_active"));
    match line.and_then(|line| line.rsplit(' ').next()) {
        Some("1") => Ok(true),
        Some("0") => Ok(false),
        other => Err(format!("{other:?}")),
    }
}

async fn comes_to(operations: SocketAddr, publish: bool) {
    eventually("whose turn it is", async || match publishes(operations).await {
        Ok(found) if found == publish => Ok(()),
        other => Err(other),
    })
    .await;
}

/// Asks for changes, whose names begin so, one after the other; how many were made, until it does not answer.
async fn make(admin: Cli, name: String) -> usize {
    for nth in 0..CHANGES {
        let asked = admin.run(&["team", "create", &format!("{name}-{nth}")]).await;
        if asked.status != 0 {
            return nth;
        }
    }
    CHANGES
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_control_planes_one_publishes_and_when_it_is_killed_the_other_goes_on_where_it_was() {
    let mut production = Production::with_one_edge(&[]).await;
    comes_to(production.operations, true).await;
    let mut further = production.start_further_control_plane().await;
    let there = production.further.unwrap();
    let operations = further.address(0, "the control plane serves", "operations").await;
    comes_to(operations, false).await;
    production.edge_processes[0].kill().await;
    production.restart_edge(0).await;
    let elsewhere = Cli::new(there, production.admin.token());
    elsewhere.json(&["edge", "wait"]).await;

    let heard = Heard::on(&production).await;
    // By the one that publishes, and by the other one, whose changes the first hears of from the database.
    let (here, other) = tokio::join!(
        make(production.admin.clone(), "here".to_owned()),
        make(elsewhere.clone(), "there".to_owned())
    );
    assert_eq!((here, other), (CHANGES, CHANGES));
    let before = heard.whole(&production).await;
    let once = before
        .windows(2)
        .all(|pair| pair[1].follows(pair[0].head()).is_ok());
    assert!(once, "each event comes once and in its order: {before:#?}");

    // Killed while both write.
    let mut writing = JoinSet::new();
    writing.spawn(make(production.admin.clone(), "dying".to_owned()));
    writing.spawn(make(elsewhere.clone(), "living".to_owned()));
    production.control_plane.kill().await;
    production.to_control_plane.cut();
    comes_to(operations, true).await;
    while let Some(ended) = writing.join_next().await {
        ended.unwrap();
    }
    assert_eq!(make(elsewhere.clone(), "after".to_owned()).await, CHANGES);

    // Nothing was left out on the bus, and what came twice was the same.
    let mut end = before.first().unwrap().clone();
    for event in heard.whole(&production).await {
        if event.position > end.position {
            event.follows(end.head()).unwrap();
            end = event;
        }
    }
    assert_eq!(Some(&end), production.database.events().await.last());
    elsewhere.json(&["edge", "wait"]).await;
    let printed = production.edge_processes[0].printed();
    for trouble in ["does not fit", "not believed", "stands still"] {
        assert!(!printed.contains(trouble), "{printed}");
    }

    // Told to stop, it gives its turn back.
    production.restart_control_plane().await;
    comes_to(production.operations, false).await;
    further.terminate().await;
    comes_to(production.operations, true).await;
}
