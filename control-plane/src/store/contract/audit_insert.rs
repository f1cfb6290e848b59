//! Keeping audit records: what is kept, once, and up to where.

use std::sync::Arc;

use futures::future::join_all;
use turnpike_access::{
    audit::{AuditRecord, Ending, Outcome},
    id::Name,
};

use super::{
    database::on_each_engine,
    records::{full, record},
    retention::counted,
};
use crate::store::{AuditFilter, AuditStore, Page, StoreError, StoredRecord};

/// Everything of a tenant, newest first.
async fn all(store: &dyn AuditStore, tenant: &str) -> Vec<StoredRecord> {
    let page = Page {
        limit: 1000,
        after: None,
    };
    let tenant: Name = tenant.parse().unwrap();
    store.list(&tenant, &AuditFilter::default(), page).await.unwrap()
}

fn batch(sequences: std::ops::RangeInclusive<i64>) -> Vec<AuditRecord> {
    sequences.map(|sequence| record("acme", sequence)).collect()
}

#[tokio::test]
async fn a_record_is_read_back_as_it_was_made() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let mut made = vec![full("acme", 5), record("acme", 4)];
        for (time, ending) in (-9..3).rev().zip(Ending::ALL) {
            made.push(AuditRecord {
                ending,
                ..full("acme", time)
            });
        }
        let epoch = u64::MAX - 1;
        let watermark = stores.audit.insert("edge-1", epoch, 1, &made).await.unwrap();
        assert_eq!(watermark, 8);
        let kept = all(&*database.stores().await.audit, "acme").await;
        let records: Vec<_> = kept.iter().map(|kept| kept.record.clone()).collect();
        assert_eq!(records, made);
        for (kept, sequence) in kept.iter().zip(1..) {
            assert_eq!(&*kept.id.edge, "edge-1");
            assert_eq!((kept.id.epoch, kept.id.sequence), (epoch, sequence));
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_database_can_not_hold_is_kept_as_near_as_can_be() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let odd = AuditRecord {
            latency_us: u64::MAX,
            position: u64::MAX,
            user_agent: Some(Arc::from("a\0b")),
            model_requested: Some(Arc::from("\0")),
            metadata: vec![
                (Arc::from("z"), Arc::from("1\x002")),
                (Arc::from("a"), Arc::from("first")),
                (Arc::from("a"), Arc::from("last")),
            ],
            ..record("acme", 1)
        };
        assert_eq!(store.insert("edge-1", 1, 1, &[odd]).await.unwrap(), 1);
        let kept = all(&*store, "acme").await.remove(0).record;
        assert_eq!(kept.latency_us, u64::try_from(i64::MAX).unwrap());
        assert_eq!(kept.position, kept.latency_us);
        assert_eq!(kept.user_agent.as_deref(), Some("a\u{fffd}b"));
        assert_eq!(kept.model_requested.as_deref(), Some("\u{fffd}"));
        let pairs: Vec<_> = kept
            .metadata
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        assert_eq!(pairs, [("a", "last"), ("z", "1\u{fffd}2")]);
    })
    .await;
}

#[tokio::test]
async fn batches_sent_again_or_overlapping_are_kept_once_and_as_first_sent() {
    on_each_engine(async |database| {
        let (store, other) = (database.stores().await.audit, database.stores().await.audit);
        assert_eq!(store.insert("edge-1", 1, 1, &batch(1..=5)).await.unwrap(), 5);
        assert_eq!(other.insert("edge-1", 1, 1, &batch(1..=5)).await.unwrap(), 5);
        let mut changed = batch(3..=8);
        for record in &mut changed {
            record.outcome = Outcome::Allowed;
        }
        assert_eq!(other.insert("edge-1", 1, 3, &changed).await.unwrap(), 8);
        assert_eq!(store.insert("edge-1", 1, 2, &batch(2..=3)).await.unwrap(), 8);
        let kept = all(&*store, "acme").await;
        let sequences: Vec<_> = kept.iter().map(|kept| kept.id.sequence).collect();
        assert_eq!(sequences, [8, 7, 6, 5, 4, 3, 2, 1]);
        let allowed = kept.iter().filter(|kept| kept.record.outcome == Outcome::Allowed);
        assert_eq!(allowed.count(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_record_beyond_a_gap_that_is_sent_again_with_another_time_is_kept_once_and_counted_once() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        assert_eq!(store.insert("edge-1", 1, 3, &batch(3..=4)).await.unwrap(), 0);
        let first = all(&*store, "acme").await;
        let late: Vec<_> = (1..=5).map(|number| record("acme", 1000 + number)).collect();
        assert_eq!(store.insert("edge-1", 1, 1, &late).await.unwrap(), 5);
        let mut kept = all(&*store, "acme").await;
        assert_eq!(kept.len(), 5);
        kept.retain(|kept| [3, 4].contains(&kept.id.sequence));
        assert_eq!(kept, first, "as first sent");
        assert_eq!(counted(&*store).await, 5);
    })
    .await;
}

#[tokio::test]
async fn the_watermark_waits_at_a_gap_and_jumps_when_it_is_filled() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        assert_eq!(store.insert("edge-1", 1, 1, &[]).await.unwrap(), 0);
        for (sequences, watermark) in [
            (3..=4, 0),
            (7..=9, 0),
            (1..=1, 1),
            (8..=11, 1),
            (2..=2, 4),
            (6..=7, 4),
            (4..=5, 11),
            (11..=12, 12),
        ] {
            let first = u64::try_from(*sequences.start()).unwrap();
            let told = store.insert("edge-1", 1, first, &batch(sequences.clone())).await;
            assert_eq!(told.unwrap(), watermark, "after {sequences:?}");
        }
        assert_eq!(store.insert("edge-1", 1, 900, &[]).await.unwrap(), 12);
        assert_eq!(all(&*store, "acme").await.len(), 12);
    })
    .await;
}

#[tokio::test]
async fn edges_and_their_epochs_are_counted_apart() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        store.insert("edge-1", 1, 1, &batch(1..=3)).await.unwrap();
        assert_eq!(store.insert("edge-1", 2, 2, &batch(2..=2)).await.unwrap(), 0);
        assert_eq!(store.insert("edge-2", 1, 1, &batch(1..=1)).await.unwrap(), 1);
        assert_eq!(store.insert("edge-1", 1, 4, &[]).await.unwrap(), 3);
        assert_eq!(all(&*store, "acme").await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn one_batch_sent_by_many_at_once_is_kept_once() {
    on_each_engine(async |database| {
        let records = batch(1..=300);
        let senders = [1_u64, 51, 1, 101, 1].map(async |first| {
            let store = database.stores().await.audit;
            let rest = &records[usize::try_from(first - 1).unwrap()..];
            store.insert("edge-1", 1, first, rest).await.unwrap()
        });
        let told = join_all(senders).await;
        assert!(told.iter().all(|told| [0, 300].contains(told)), "{told:?}");
        let store = database.stores().await.audit;
        assert_eq!(store.insert("edge-1", 1, 1, &[]).await.unwrap(), 300);
        assert_eq!(all(&*store, "acme").await.len(), 300);
    })
    .await;
}

#[tokio::test]
async fn sequences_that_can_not_be_are_refused() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let end = u64::try_from(i64::MAX).unwrap();
        for first in [0, end, end + 1, u64::MAX] {
            let told = store.insert("edge-1", 1, first, &batch(1..=2)).await;
            assert!(matches!(told, Err(StoreError::Invalid(_))), "{first}");
        }
        assert_eq!(all(&*store, "acme").await, []);
    })
    .await;
}
