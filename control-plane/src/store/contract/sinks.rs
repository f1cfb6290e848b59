//! How far a sink has taken the audit is kept for each epoch, never goes back, and what was not taken in time is counted.

use turnpike_access::{
    audit::sink::{HeldSink, Sink, Way},
    id::{Name, Timestamp},
};

use super::{database::on_each_engine, records::record};
use crate::store::{
    AuditStore,
    sink::{Pending, Progress, Taken, Waiting},
};

const EDGE: &str = "edge-1";

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn held(made: u64, set: u64) -> HeldSink {
    HeldSink {
        sink: Sink {
            way: Way::Webhook {
                url: "https://siem.example/rows".into(),
            },
            sealed_secret: None,
            since: None,
        },
        made,
        set,
    }
}

fn taken(epoch: u64, through: u64, missing: u64) -> Taken<'static> {
    Taken {
        edge: EDGE,
        epoch,
        through,
        missing,
        rejected: missing * 10,
        sent: Some(at(500)),
    }
}

/// Records of two tenants and of nobody, by turns.
async fn keep(store: &dyn AuditStore, epoch: u64, first: u64, last: u64) {
    let records: Vec<_> = (first..=last)
        .map(|sequence| record(["acme", "globex", ""][sequence as usize % 3], sequence as i64))
        .collect();
    store.insert(EDGE, epoch, first, &records).await.unwrap();
}

async fn pending(store: &dyn AuditStore, sink: u64) -> Vec<(u64, u64, u64, u64)> {
    let all = store.pending(sink, 10).await.unwrap();
    let numbers = |one: Pending| (one.epoch, one.taken, one.contiguous, one.highest);
    all.into_iter().map(numbers).collect()
}

async fn rows(store: &dyn AuditStore, tenant: &str, between: (u64, u64), limit: u32) -> Vec<u64> {
    let tenant: Name = tenant.parse().unwrap();
    let rows = store.rows_between(&tenant, (EDGE, 7), between, limit).await;
    rows.unwrap().iter().map(|row| row.id.sequence).collect()
}

#[tokio::test]
async fn how_far_a_sink_has_taken_the_audit_is_kept_by_epoch_and_never_goes_back() {
    on_each_engine(async |database| {
        let store = &*database.stores().await.audit;
        let acme: Name = "acme".parse().unwrap();
        assert_eq!(store.sink_progress(5).await.unwrap(), None);
        assert_eq!(
            store.begin_sink(&acme, &held(5, 5)).await.unwrap(),
            Progress::default()
        );
        keep(store, 7, 1, 9).await;
        keep(store, 8, 3, 6).await;
        assert_eq!(pending(store, 5).await, [(7, 0, 9, 9), (8, 0, 0, 6)]);
        assert_eq!(rows(store, "acme", (0, 8), 10).await, [3, 6]);
        assert_eq!(rows(store, "acme", (3, 9), 1).await, [6]);
        assert_eq!(rows(store, "platform", (0, 9), 10).await, [2, 5, 8], "nobody's");
        let waiting = async |since| store.waiting(&acme, 5, since, 100).await.unwrap();
        assert_eq!(
            (waiting(None).await.rows, waiting(Some(at(4))).await.rows),
            (5, 3)
        );

        store.note_taken(5, taken(7, 8, 0)).await.unwrap();
        store.note_taken(5, taken(7, 4, 2)).await.unwrap();
        assert_eq!(pending(store, 5).await, [(7, 8, 9, 9), (8, 0, 0, 6)]);
        assert_eq!(
            pending(store, 6).await.len(),
            2,
            "another sink's is another place"
        );
        let oldest = Some(at(3));
        assert_eq!(waiting(None).await, Waiting { rows: 3, oldest });
        let told = Progress {
            taken: Some(at(500)),
            missing: 2,
            rejected: 20,
            ..Progress::default()
        };
        assert_eq!(store.sink_progress(5).await.unwrap(), Some(told.clone()));

        store.note_refused(5, 3, at(9000), "busy").await.unwrap();
        let refused = Progress {
            attempts: 3,
            due: Some(at(9000)),
            error: Some("busy".to_owned()),
            ..told
        };
        assert_eq!(store.begin_sink(&acme, &held(5, 5)).await.unwrap(), refused);
        let again = Progress {
            attempts: 0,
            due: None,
            ..refused
        };
        assert_eq!(store.begin_sink(&acme, &held(5, 12)).await.unwrap(), again);

        store.begin_sink(&acme, &held(20, 20)).await.unwrap();
        store.forget_sinks(15, &[4]).await.unwrap();
        assert_eq!(store.sink_progress(5).await.unwrap(), None);
        assert_eq!(pending(store, 5).await.len(), 2);
        assert!(
            store.sink_progress(20).await.unwrap().is_some(),
            "made after what is known"
        );
    })
    .await;
}

#[tokio::test]
async fn behind_a_gap_the_next_unbroken_run_is_found() {
    on_each_engine(async |database| {
        let store = &*database.stores().await.audit;
        let run = async |after| store.run_after(EDGE, 8, after).await.unwrap();
        assert_eq!(run(0).await, None);
        keep(store, 8, 3, 6).await;
        assert_eq!((run(0).await, run(4).await), (Some((3, 6)), Some((5, 6))));
        keep(store, 8, 9, 10).await;
        assert_eq!((run(6).await, run(10).await), (Some((9, 10)), None));
    })
    .await;
}
