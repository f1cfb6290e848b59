//! An anomaly is claimed by one, told once, and may be claimed by another where it was not told in time.

use futures::future::join_all;
use turnpike_access::{
    audit::{AuditRecord, Outcome},
    id::{Name, Timestamp},
};

use super::{database::on_each_engine, records::record};
use crate::store::anomaly::{Claim, RefusedBy};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn claim<'c>(tenant: &'c Name, holder: &'c str, now: i64) -> Claim<'c> {
    Claim {
        tenant,
        key: "refusals user:alice",
        holder,
        now: at(now),
        until: at(now + 3600),
        lease: at(now + 60),
        count: Some(now),
    }
}

#[tokio::test]
async fn an_anomaly_is_claimed_by_one_told_once_and_claimed_again_when_it_was_over() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let holders: Vec<String> = (0..8).map(|number| number.to_string()).collect();
        let claims = holders
            .iter()
            .map(|holder| store.claim(claim(&acme, holder, 100)));
        let mine: Vec<bool> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(mine.iter().filter(|mine| **mine).count(), 1, "{mine:?}");
        let holder = &holders[mine.iter().position(|mine| *mine).unwrap()];
        assert!(
            store.claim(claim(&acme, holder, 110)).await.unwrap(),
            "it may try again"
        );
        assert!(!store.claim(claim(&acme, "other", 159)).await.unwrap());
        assert!(
            store.claim(claim(&acme, "other", 160)).await.unwrap(),
            "the lease is over"
        );
        store.told(claim(&acme, "other", 160)).await.unwrap();
        assert!(
            !store
                .claim(Claim {
                    count: Some(1),
                    ..claim(&acme, "other", 160)
                })
                .await
                .unwrap()
        );
        let noted = store.anomalies(&acme).await.unwrap();
        assert_eq!(noted.len(), 1);
        assert_eq!(
            (noted[0].key.as_str(), noted[0].until, noted[0].count),
            ("refusals user:alice", at(160 + 3600), Some(160)),
            "the most that it was"
        );
        assert_eq!(store.anomalies(&globex).await.unwrap(), []);
        for now in [161, 3000, 6500] {
            assert!(
                !store.claim(claim(&acme, "other", now)).await.unwrap(),
                "it goes on: {now}"
            );
        }
        assert!(
            store.claim(claim(&globex, "other", 200)).await.unwrap(),
            "another tenant's is another"
        );
        assert!(
            store.claim(claim(&acme, "third", 6500 + 3600)).await.unwrap(),
            "it was over"
        );
        store.forget_anomalies(at(1_000_000)).await.unwrap();
        assert!(store.claim(claim(&acme, "fourth", 6501)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn refusals_are_counted_by_what_they_are_about_in_their_tenant_and_window() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let one = |tenant, time: i64, status, address: &str| AuditRecord {
            outcome: Outcome::Refused,
            status,
            client: Some(address.parse().unwrap()),
            principal: Some("user:alice".into()),
            ..record(tenant, time * 1_000_000)
        };
        let records = [
            one("acme", 10, 401, "192.0.2.1"),
            one("acme", 11, 401, "192.0.2.1"),
            one("acme", 9, 401, "192.0.2.1"),
            one("acme", 12, 403, "192.0.2.1"),
            one("acme", 12, 401, "192.0.2.2"),
            one("globex", 12, 401, "192.0.2.2"),
            record("acme", 12_000_000),
        ];
        store.insert("edge-1", 1, 1, &records).await.unwrap();
        let acme = "acme".parse().unwrap();
        let found = store
            .refused(&acme, RefusedBy::Address, at(10), at(12), 2)
            .await
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].subject.as_str(), found[0].count), ("192.0.2.1", 2));
        assert_eq!((found[0].first, found[0].last), (at(10), at(11)));
        assert_eq!(found[0].records, ["edge-1/1/1", "edge-1/1/2"].map(str::to_owned));
        let found = store
            .refused(&acme, RefusedBy::Principal, at(0), at(12), 1)
            .await
            .unwrap();
        assert_eq!((found[0].subject.as_str(), found[0].count), ("user:alice", 1));
        assert_eq!(
            store
                .refused(&acme, RefusedBy::Credential, at(0), at(12), 1)
                .await
                .unwrap(),
            []
        );
    })
    .await;
}
