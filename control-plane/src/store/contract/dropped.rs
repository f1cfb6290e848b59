//! A caller that goes away in the middle of a call, as every cancelled request does.

use std::time::Duration;

use super::{
    chain::{append_surely, chain, verified},
    database::on_each_engine,
    records::record,
};

#[tokio::test]
async fn an_append_dropped_halfway_is_whole_or_absent_and_holds_nobody_up() {
    on_each_engine(async |database| {
        let (store, other) = (database.stores().await.events, database.stores().await.events);
        for attempt in 0..30 {
            let head = other.head().await.unwrap();
            let batch = chain(head, (0..3).map(|n| format!("{attempt}.{n}")));
            let patience = Duration::from_micros(attempt * 150);
            drop(tokio::time::timeout(patience, store.append(head, &batch)).await);
        }
        append_surely(&*other, "end", 1).await;
        let payloads = verified(&*other).await;
        for attempt in 0..30 {
            let prefix = format!("{attempt}.");
            let found = payloads.iter().filter(|payload| payload.starts_with(&prefix));
            assert!(
                [0, 3].contains(&found.count()),
                "of attempt {attempt}: {payloads:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn audit_records_dropped_halfway_can_be_sent_again() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records: Vec<_> = (1..=20).map(|n| record("acme", n)).collect();
        for attempt in 0..20 {
            let patience = Duration::from_micros(attempt * 200);
            let first = 1 + attempt * 20;
            drop(tokio::time::timeout(patience, store.insert("edge-1", 7, first, &records)).await);
            let watermark = store.insert("edge-1", 7, first, &records).await.unwrap();
            assert_eq!(watermark, first + 19);
        }
    })
    .await;
}
