//! What is seen for the first time is kept with when that was, whoever sends it and however often.

use turnpike_access::{
    audit::{AuditRecord, Outcome},
    id::Timestamp,
};

use super::{database::on_each_engine, records::record};

const DAY: i64 = 86_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn seen(seconds: i64, principal: &str, credential: &str, address: &str, client: &str) -> AuditRecord {
    AuditRecord {
        principal: Some(principal.into()),
        credential: Some(credential.parse().unwrap()),
        client: Some(address.parse().unwrap()),
        user_agent: Some(client.into()),
        model_served: Some("main/model".into()),
        outcome: Outcome::Allowed,
        ..record("acme", seconds * 1_000_000)
    }
}

#[tokio::test]
async fn what_somebody_known_is_first_seen_with_is_told_and_of_newcomers_nothing() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let now = 20 * DAY;
        let records = [
            seen(5 * DAY, "user:alice", "key000000001", "192.0.2.1", "curl/8.1"),
            seen(now - 90, "user:alice", "key000000001", "192.0.2.77", "curl/8.2"),
            seen(
                now - 80,
                "user:alice",
                "key000000002",
                "198.51.100.1",
                "python-requests/2",
            ),
            seen(now - 70, "user:new", "key000000003", "198.51.100.1", "curl/8"),
        ];
        for _ in 0..2 {
            store.insert("edge-1", 1, 1, &records).await.unwrap();
        }
        let acme = "acme".parse().unwrap();
        let found = store
            .unexpected(&acme, at(now - 3600), at(now), at(now - 7 * DAY))
            .await
            .unwrap();
        let mut found: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|sight| {
                (
                    sight.principal.as_str(),
                    sight.aspect.as_str(),
                    sight.value.as_str(),
                )
            })
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("user:alice", "client", "python-requests"),
                ("user:alice", "hour", "23"),
                ("user:alice", "network", "198.51.100.0/24"),
            ]
        );
        let others = "globex".parse().unwrap();
        let none = store.unexpected(&others, at(0), at(now), at(now)).await;
        assert_eq!(none.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_comes_from_elsewhere_or_from_many_places_is_told() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records = [
            seen(DAY, "user:alice", "key000000001", "192.0.2.1", "curl/8"),
            seen(9 * DAY, "user:alice", "key000000001", "198.51.100.1", "curl/9"),
            seen(9 * DAY, "user:alice", "key000000002", "198.51.100.1", "curl/9"),
            seen(9 * DAY + 1, "user:alice", "key000000001", "203.0.113.1", "wget/1"),
        ];
        store.insert("edge-1", 1, 1, &records).await.unwrap();
        let acme = "acme".parse().unwrap();
        let (sights, spreads) = store.shadows(&acme, at(8 * DAY)).await.unwrap();
        let mut told: Vec<(&str, &str)> = sights
            .iter()
            .map(|sight| (sight.credential.as_str(), sight.value.as_str()))
            .collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                ("key000000001", "198.51.100.0/24"),
                ("key000000001", "203.0.113.0/24"),
                ("key000000001", "wget"),
            ],
            "a new key is no new place"
        );
        assert_eq!(spreads.len(), 1);
        assert_eq!((spreads[0].networks, spreads[0].clients), (3, 2));
    })
    .await;
}
