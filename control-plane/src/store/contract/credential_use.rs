//! What is known of a credential's use: its newest, and all of it counted.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;
use turnpike_access::{
    audit::{AuditRecord, Outcome},
    id::{Id, Name, Timestamp},
};

use super::{database::on_each_engine, records::record};
use crate::store::{Activity, AuditStore, LastUse};

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn acme() -> Name {
    "acme".parse().unwrap()
}

/// A use of a credential of `acme` at a microsecond, from an address that ends like it.
fn used(credential: &str, time: i64) -> AuditRecord {
    AuditRecord {
        credential: Some(id(credential)),
        client: Some(format!("192.0.2.{time}").parse().unwrap()),
        user_agent: Some(Arc::from(format!("agent\0{time}"))),
        ..record("acme", time)
    }
}

fn last(time: i64, edge: &str) -> LastUse {
    LastUse {
        time: Timestamp::from_micros(time),
        client: Some(format!("192.0.2.{time}").parse().unwrap()),
        user_agent: Some(format!("agent\u{fffd}{time}")),
        edge: edge.to_owned(),
    }
}

async fn last_uses(store: &dyn AuditStore) -> HashMap<Id, LastUse> {
    let asked = [id("aaaaaaaaaaaa"), id("bbbbbbbbbbbb"), id("cccccccccccc")];
    store.last_uses(&acme(), &asked).await.unwrap()
}

#[tokio::test]
async fn the_greatest_time_is_the_last_use_in_whatever_order_and_however_often_records_come() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let batch = [
            used("aaaaaaaaaaaa", 7),
            used("bbbbbbbbbbbb", 3),
            used("aaaaaaaaaaaa", 9),
            used("aaaaaaaaaaaa", 8),
        ];
        store.insert("edge-1", 1, 1, &batch).await.unwrap();
        store.insert("edge-1", 1, 1, &batch).await.unwrap();
        let late = [used("aaaaaaaaaaaa", 5), used("bbbbbbbbbbbb", 6)];
        store.insert("edge-2", 1, 3, &late).await.unwrap();
        store.insert("edge-2", 1, 3, &late).await.unwrap();
        let known = last_uses(&*store).await;
        assert_eq!(known.len(), 2);
        assert_eq!(known[&id("aaaaaaaaaaaa")], last(9, "edge-1"));
        assert_eq!(known[&id("bbbbbbbbbbbb")], last(6, "edge-2"));
    })
    .await;
}

#[tokio::test]
async fn a_credential_that_was_not_proven_or_is_of_another_tenant_has_no_use() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let guessed = AuditRecord {
            tenant: None,
            ..used("aaaaaaaaaaaa", 4)
        };
        let theirs = AuditRecord {
            tenant: Some(Arc::from("globex")),
            ..used("bbbbbbbbbbbb", 4)
        };
        store.insert("edge-1", 1, 1, &[guessed, theirs]).await.unwrap();
        assert_eq!(last_uses(&*store).await, HashMap::new());
        let nothing = store.activity(&acme(), id("aaaaaaaaaaaa"), None).await.unwrap();
        assert_eq!(nothing, Activity::default());
        assert_eq!(store.last_uses(&acme(), &[]).await.unwrap(), HashMap::new());
    })
    .await;
}

#[tokio::test]
async fn batches_of_the_same_credentials_at_once_all_succeed() {
    on_each_engine(async |database| {
        let senders = (0..8_i64).map(async |sender| {
            let store = database.stores().await.audit;
            let mut batch = vec![
                used("aaaaaaaaaaaa", 10 + sender),
                used("bbbbbbbbbbbb", 30 - sender),
            ];
            if sender % 2 == 0 {
                batch.reverse();
            }
            store
                .insert(&format!("edge-{sender}"), 1, 1, &batch)
                .await
                .unwrap()
        });
        join_all(senders).await;
        let known = last_uses(&*database.stores().await.audit).await;
        assert_eq!(known[&id("aaaaaaaaaaaa")], last(17, "edge-7"));
        assert_eq!(known[&id("bbbbbbbbbbbb")], last(30, "edge-0"));
    })
    .await;
}

#[tokio::test]
async fn activity_counts_requests_models_and_addresses_since_a_moment() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let served = |time, model: &str| AuditRecord {
            outcome: Outcome::Allowed,
            model_requested: Some(Arc::from("alias")),
            model_served: Some(Arc::from(model)),
            client: Some("192.0.2.1".parse().unwrap()),
            ..used("aaaaaaaaaaaa", time)
        };
        let refused = AuditRecord {
            model_requested: Some(Arc::from("dear")),
            ..used("aaaaaaaaaaaa", 14)
        };
        let batch = [
            served(11, "p/one"),
            served(12, "p/two"),
            served(13, "p/two"),
            refused,
            used("aaaaaaaaaaaa", 15),
            used("bbbbbbbbbbbb", 16),
        ];
        store.insert("edge-1", 1, 1, &batch).await.unwrap();
        let whole = store.activity(&acme(), id("aaaaaaaaaaaa"), None).await.unwrap();
        let count = |what: &str, requests| (what.to_owned(), requests);
        let expected = Activity {
            requests: 5,
            refused: 2,
            first: Some(Timestamp::from_micros(11)),
            last: Some(Timestamp::from_micros(15)),
            models: vec![count("p/two", 2), count("dear", 1), count("p/one", 1)],
            addresses: vec![
                count("192.0.2.1", 3),
                count("192.0.2.14", 1),
                count("192.0.2.15", 1),
            ],
        };
        assert_eq!(whole, expected);
        let since = Some(Timestamp::from_micros(14));
        let later = store.activity(&acme(), id("aaaaaaaaaaaa"), since).await.unwrap();
        assert_eq!((later.requests, later.refused), (2, 2));
        assert_eq!(later.models, [count("dear", 1)]);
    })
    .await;
}
