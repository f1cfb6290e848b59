//! The keys that sign what goes over the bus, and those that sign Turnpike's own tokens.

use futures::future::join_all;
use turnpike_access::id::Timestamp;

use super::database::on_each_engine;
use crate::store::SealedKey;

fn key(id: &str, created: i64) -> SealedKey {
    SealedKey {
        id: id.to_owned(),
        sealed: [id.as_bytes(), b"\0sealed\xff"].concat(),
        public_key: vec![0; 32],
        created: Timestamp::from_micros(created),
    }
}

#[tokio::test]
async fn keys_are_listed_oldest_first_and_stay_as_they_were_added() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        assert_eq!(store.signing_keys().await.unwrap(), []);
        store.add_signing_key(&key("b", 2)).await.unwrap();
        store.add_signing_key(&key("a", 3)).await.unwrap();
        store.add_signing_key(&key("c", 1)).await.unwrap();
        store.add_signing_key(&key("a", 0)).await.unwrap();
        let due = [key("c", 1), key("b", 2), key("a", 3)];
        assert_eq!(database.stores().await.events.signing_keys().await.unwrap(), due);
        assert_eq!(store.first_signing_key(&key("d", 0)).await.unwrap(), due);
    })
    .await;
}

#[tokio::test]
async fn control_planes_that_start_at_once_agree_on_the_first_key() {
    on_each_engine(async |database| {
        let starts = ["a", "b", "c", "d", "e"].map(async |id| {
            let store = database.stores().await.events;
            store.first_signing_key(&key(id, 1)).await.unwrap()
        });
        let answers = join_all(starts).await;
        assert_eq!(answers[0].len(), 1);
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let kept = database.stores().await.events.signing_keys().await.unwrap();
        assert_eq!(kept, answers[0]);
    })
    .await;
}

#[tokio::test]
async fn control_planes_that_start_at_once_agree_on_the_edges_authority() {
    on_each_engine(async |database| {
        let starts = ["a", "b", "c", "d", "e"].map(async |id| {
            let store = database.stores().await.events;
            store.first_edge_authority(&key(id, 1)).await.unwrap()
        });
        let answers = join_all(starts).await;
        let again = database.stores().await.events;
        let again = again.first_edge_authority(&key("f", 0)).await.unwrap();
        assert!(answers.iter().all(|answer| *answer == again), "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn token_keys_are_kept_beside_the_bus_s_until_they_are_removed() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        store.add_token_key(&key("b", 2)).await.unwrap();
        store.add_token_key(&key("a", 1)).await.unwrap();
        store.add_token_key(&key("b", 9)).await.unwrap();
        assert_eq!(store.token_keys().await.unwrap(), [key("a", 1), key("b", 2)]);
        assert_eq!(store.signing_keys().await.unwrap(), []);
        store.remove_token_key("a").await.unwrap();
        store.remove_token_key("a").await.unwrap();
        assert_eq!(
            database.stores().await.events.token_keys().await.unwrap(),
            [key("b", 2)]
        );
    })
    .await;
}
