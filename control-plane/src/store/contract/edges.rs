//! What edges report of themselves.

use turnpike_access::{id::Timestamp, log::Position};

use super::database::on_each_engine;
use crate::store::EdgeReport;

fn report(name: &str, last_seen: i64) -> EdgeReport {
    EdgeReport {
        name: name.to_owned(),
        region: "eu".to_owned(),
        version: "0.1.0".to_owned(),
        // Epochs are random: all 64 bits are used.
        epoch: u64::MAX - 5,
        position: Position::new(7),
        applied: Timestamp::from_micros(last_seen - 1),
        halted: None,
        last_seen: Timestamp::from_micros(last_seen),
        departed: false,
        identity_key: None,
        statement: None,
        certain: None,
    }
}

#[tokio::test]
async fn a_later_report_replaces_an_earlier_one_and_never_the_other_way() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        assert_eq!(store.edges().await.unwrap(), []);
        let both = [report("edge-b", 10), report("edge-a", 10)];
        store.report_edges(&both).await.unwrap();
        let later = EdgeReport {
            region: "us".to_owned(),
            version: "0.2.0".to_owned(),
            epoch: 1,
            position: Position::new(9),
            halted: Some("an event that it can't interpret".to_owned()),
            departed: true,
            identity_key: Some("a public key".to_owned()),
            statement: None,
            certain: None,
            ..report("edge-b", 20)
        };
        store
            .report_edges(&[report("edge-a", 5), later.clone()])
            .await
            .unwrap();
        store.report_edges(&[report("edge-b", 15)]).await.unwrap();
        let seen = database.stores().await.events.edges().await.unwrap();
        assert_eq!(seen, [report("edge-a", 10), later]);
        // It came back and goes on.
        store.report_edges(&[report("edge-b", 30)]).await.unwrap();
        assert_eq!(store.edges().await.unwrap()[1], report("edge-b", 30));
    })
    .await;
}

#[tokio::test]
async fn a_forgotten_edge_is_gone_until_it_reports_again() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        assert!(!store.forget_edge("edge-a").await.unwrap());
        store.report_edges(&[report("edge-a", 10)]).await.unwrap();
        assert!(store.forget_edge("edge-a").await.unwrap());
        assert!(!store.forget_edge("edge-a").await.unwrap());
        assert_eq!(store.edges().await.unwrap(), []);
        store.report_edges(&[report("edge-a", 5)]).await.unwrap();
        assert_eq!(store.edges().await.unwrap(), [report("edge-a", 5)]);
    })
    .await;
}
