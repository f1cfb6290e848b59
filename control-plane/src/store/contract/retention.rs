//! What a tenant keeps no longer goes, the rest is proven as before, and nothing else can be deleted.

use std::collections::BTreeMap;

use turnpike_access::{
    audit::{
        AuditRecord,
        chain::{Checkpoint, Leaf, Link},
        retired::{Retired, StandIn},
        sink::{HeldSink, Sink, Way},
        walk::{Problem, Verdict, Walk},
    },
    id::{Name, Timestamp},
};
use turnpike_proto::audit::encoded;
use turnpike_runtime::{clock, identity, keyring::Keyring};

use super::{
    database::{Database, Engine, on, on_each_engine},
    records::record,
};
use crate::{
    retention::Retiring,
    signing::Signing,
    store::{AuditStore, Page, Stores, sink::Taken, usage::UsageQuery},
};

const DAY: i64 = 86_400_000_000;
const EDGE: &str = "edge-1";

/// Keeps records of an epoch, and what the edge said of each of these batches at a moment.
async fn keep(store: &dyn AuditStore, epoch: u64, records: &[AuditRecord], batches: &[(u64, u64, i64)]) {
    store.insert(EDGE, epoch, 1, records).await.unwrap();
    let link = |upto: u64| {
        let numbered = (1..=upto).zip(records);
        numbered.fold(Link::start(epoch), |link, (sequence, record)| {
            link.after(sequence, Leaf::of(&encoded(record)))
        })
    };
    for (first, last, time) in batches {
        let said = Checkpoint {
            edge: EDGE.to_owned(),
            epoch,
            first: *first,
            last: *last,
            before: link(first - 1),
            after: link(*last),
            time: Timestamp::from_micros(*time),
            key: "key".to_owned(),
            signature: Vec::new(),
        };
        store.keep_checkpoint(&said, &[]).await.unwrap();
    }
}

/// Verifies an epoch as it is stored. Signatures of edges are taken for good, those of the control plane are verified.
pub(super) async fn verified(store: &dyn AuditStore, epoch: u64, stored: u64) -> Verdict {
    let mut walk = Walk::new(epoch);
    for gone in store.retired(EDGE, epoch).await.unwrap() {
        let signed = identity::signed(&gone.key, &gone.statement(), &gone.signature);
        walk.retired(gone, signed);
    }
    let rows = store.chained(EDGE, epoch, 0, 1000).await.unwrap();
    let mut rows = rows.iter().peekable();
    for said in store.checkpoints(EDGE, epoch, (0, 0), 1000).await.unwrap() {
        while let Some(row) = rows.next_if(|row| row.stored.id.sequence <= said.last) {
            walk.record(row.stored.id.sequence, row.leaf());
        }
        walk.checkpoint(&said, true);
    }
    rows.for_each(|row| walk.record(row.stored.id.sequence, row.leaf()));
    walk.end(stored)
}

pub(super) async fn retiring(stores: &Stores) -> Retiring {
    let keyring = Keyring::parse(&Keyring::generate()).unwrap();
    Retiring {
        audit: stores.audit.clone(),
        signing: Signing::load(&*stores.events, &keyring).await.unwrap(),
    }
}

pub(super) fn kept(days: &[(&str, u32)]) -> BTreeMap<Name, u32> {
    days.iter()
        .map(|(name, days)| (name.parse().unwrap(), *days))
        .collect()
}

async fn rows(store: &dyn AuditStore, tenant: &str) -> usize {
    let page = Page {
        limit: 1000,
        after: None,
    };
    let tenant: Name = tenant.parse().unwrap();
    store
        .list(&tenant, &Default::default(), page)
        .await
        .unwrap()
        .len()
}

/// Thirty records of two tenants by turns in one epoch, thirty of one in another; of each ten are of today, and some were sent twice.
pub(super) async fn furnished(store: &dyn AuditStore, now: i64) {
    let old = now - 40 * DAY;
    let at = |sequence: i64| {
        if sequence <= 20 {
            old + sequence
        } else {
            now + sequence
        }
    };
    let batches = [
        (1, 10, old + 100),
        (8, 20, old + 200),
        (11, 20, old + 200),
        (21, 30, now + 100),
    ];
    let tenant = |sequence: i64| if sequence % 2 == 0 { "acme" } else { "other" };
    let mixed: Vec<_> = (1..=30)
        .map(|sequence| record(tenant(sequence), at(sequence)))
        .collect();
    keep(store, 7, &mixed, &batches).await;
    let alone: Vec<_> = (1..=30).map(|sequence| record("acme", at(sequence))).collect();
    keep(store, 8, &alone, &batches).await;
}

#[tokio::test]
async fn what_is_kept_no_longer_goes_and_every_change_of_the_rest_is_found_as_before() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let (store, retiring, now) = (&*stores.audit, retiring(&stores).await, clock::now());
        furnished(store, now.as_micros()).await;
        let whole = |records, retired| Verdict {
            records,
            retired,
            ..Verdict::default()
        };
        assert_eq!(retiring.pass(&kept(&[("acme", 50)]), now).await.unwrap(), 0);
        assert_eq!(verified(store, 7, 30).await, whole(30, 0));

        let days = kept(&[("acme", 30)]);
        assert_eq!(retiring.pass(&days, now).await.unwrap(), 10 + 20);
        assert_eq!(retiring.pass(&days, now).await.unwrap(), 0, "once");
        assert_eq!(
            (rows(store, "acme").await, rows(store, "other").await),
            (5 + 10, 15)
        );
        assert_eq!(verified(store, 7, 30).await, whole(20, 10));
        assert_eq!(verified(store, 8, 30).await, whole(10, 20));
        let said = store.checkpoints(EDGE, 8, (0, 0), 10).await.unwrap();
        assert_eq!(
            said.len(),
            1,
            "nothing is left of what is gone but what stands for it"
        );

        // Later the other's go too, and what had stood for single records.
        assert_eq!(
            retiring
                .pass(&kept(&[("acme", 30), ("other", 30)]), now)
                .await
                .unwrap(),
            10
        );
        assert_eq!(verified(store, 7, 30).await, whole(10, 20));
        let gone = store.retired(EDGE, 7).await.unwrap();
        assert!(
            gone.iter()
                .all(|gone| matches!(gone.stand_in, StandIn::Links(..))),
            "{gone:?}"
        );

        let (audit, retired) = (database.table("audit"), database.table("audit_retired"));
        let change = format!("UPDATE {audit} SET reason = 'other' WHERE epoch = 8 AND sequence = 25");
        database.as_owner(&change).await.unwrap();
        assert_eq!(verified(store, 8, 30).await.problems, [Problem::Changed(21, 30)]);
        let delete = format!("DELETE FROM {audit} WHERE epoch = 7 AND sequence = 22");
        database.as_owner(&delete).await.unwrap();
        assert_eq!(verified(store, 7, 30).await.problems, [Problem::Missing(22, 22)]);
        database
            .as_owner(&format!(
                "UPDATE {retired} SET last = 21 WHERE epoch = 8 AND last = 20"
            ))
            .await
            .unwrap();
        let problems = verified(store, 8, 30).await.problems;
        assert!(problems.contains(&Problem::Unretired(11, 21)), "{problems:?}");
    })
    .await;
}

#[tokio::test]
async fn rows_that_go_before_a_sink_has_taken_them_are_counted_for_its_tenant_and_once() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let (store, retiring, now) = (&*stores.audit, retiring(&stores).await, clock::now());
        furnished(store, now.as_micros()).await;
        let sink = |made, since: Option<i64>| HeldSink {
            sink: Sink {
                way: Way::Webhook {
                    url: "https://siem.example/rows".into(),
                },
                sealed_secret: None,
                since: since.map(Timestamp::from_micros),
            },
            made,
            set: made,
        };
        let (acme, other): (Name, Name) = ("acme".parse().unwrap(), "other".parse().unwrap());
        store.begin_sink(&acme, &sink(5, None)).await.unwrap();
        store
            .begin_sink(&acme, &sink(6, Some(now.as_micros())))
            .await
            .unwrap();
        store.begin_sink(&other, &sink(9, None)).await.unwrap();
        let through = |epoch, through| Taken {
            edge: EDGE,
            epoch,
            through,
            missing: 0,
            rejected: 0,
            sent: None,
        };
        store.note_taken(5, through(7, 4)).await.unwrap();
        store.note_taken(5, through(8, 15)).await.unwrap();
        for _ in 0..2 {
            retiring.pass(&kept(&[("acme", 30)]), now).await.unwrap();
            let mut removed = Vec::new();
            for made in [5, 6, 9] {
                removed.push(store.sink_progress(made).await.unwrap().unwrap().removed);
            }
            assert_eq!(
                removed,
                [8 + 5, 0, 0],
                "not taken, not asked for, and another's, which stay"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_as_its_edge_signed_it_is_not_taken_out_of_sight() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let (store, now) = (&*stores.audit, clock::now());
        furnished(store, now.as_micros()).await;
        let audit = database.table("audit");
        let change = format!("UPDATE {audit} SET reason = 'other' WHERE epoch = 8 AND sequence = 5");
        database.as_owner(&change).await.unwrap();
        retiring(&stores)
            .await
            .pass(&kept(&[("acme", 30)]), now)
            .await
            .unwrap();
        let verdict = verified(store, 8, 30).await;
        assert!(verdict.problems.contains(&Problem::Changed(1, 10)), "{verdict:?}");
        assert!(verdict.records >= 20, "{verdict:?}");
    })
    .await;
}

pub(super) async fn counted(store: &dyn AuditStore) -> i64 {
    let ever = UsageQuery {
        everybody: false,
        principal: None,
        by: Vec::new(),
        since: Timestamp::from_micros(0),
        until: Timestamp::from_micros(40_000 * DAY),
        order: None,
        limit: 10,
    };
    let acme = "acme".parse().unwrap();
    store.usage(&acme, &ever).await.unwrap().total.requests
}

#[tokio::test]
async fn usage_counted_anew_keeps_what_was_counted_of_records_that_are_gone() {
    on_each_engine(async |database| {
        let stores = database.stores().await;
        let (store, now) = (&*stores.audit, clock::now());
        furnished(store, now.as_micros()).await;
        let before = counted(store).await;
        retiring(&stores)
            .await
            .pass(&kept(&[("acme", 30)]), now)
            .await
            .unwrap();
        store.rebuild_usage().await.unwrap();
        assert_eq!((before, counted(store).await), (15 + 30, 15 + 30));
    })
    .await;
}

#[tokio::test]
async fn the_control_planes_role_deletes_nothing_that_is_young_whatever_it_says() {
    on(Engine::Postgres, async |database: &Database| {
        let stores = database.stores().await;
        let (store, now) = (&*stores.audit, clock::now());
        furnished(store, now.as_micros()).await;
        let young = Retired {
            edge: EDGE.to_owned(),
            epoch: 8,
            first: 21,
            last: 30,
            stand_in: StandIn::Links(Link([0; 32]), Link([0; 32])),
            until: now,
            time: now,
            key: "key".to_owned(),
            signature: Vec::new(),
        };
        assert!(store.retire(&young).await.is_err(), "said to be young");
        let said_old = Retired {
            until: now.plus_seconds(-86_400 * 9),
            ..young
        };
        assert!(store.retire(&said_old).await.is_err(), "said to be old");
        let alone = "SELECT turnpike.retire_audit('edge-1', 8, 21, 30)";
        assert!(
            database.as_control_plane(alone).await.is_err(),
            "with nothing said"
        );
        assert_eq!(rows(store, "acme").await, 15 + 30);
    })
    .await;
}
