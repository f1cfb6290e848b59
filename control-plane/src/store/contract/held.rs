//! Keys that wait for whoever takes them.

use futures::future::join_all;
use turnpike_access::id::{Id, Timestamp};

use super::database::on_each_engine;
use crate::store::HeldKey;

fn key(number: u128, credential: u128) -> HeldKey {
    HeldKey {
        id: Id::from_random(number),
        tenant: "acme".parse().unwrap(),
        credential: Id::from_random(credential),
        sealed: format!("sealed:1:{number}"),
        created: Timestamp::from_micros(i64::try_from(number).unwrap()),
    }
}

#[tokio::test]
async fn held_keys_are_listed_oldest_first_all_of_them_or_a_credentials() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        for held in [key(3, 1), key(1, 1), key(2, 2), key(3, 1)] {
            store.hold_key(&held).await.unwrap();
        }
        let all = database.stores().await.events.held_keys(None).await.unwrap();
        assert_eq!(all, [key(1, 1), key(2, 2), key(3, 1)]);
        let of = |credential| store.held_keys(Some(Id::from_random(credential)));
        assert_eq!(of(1).await.unwrap(), [key(1, 1), key(3, 1)]);
        assert_eq!(of(7).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_take_a_held_key_one_gets_it() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        store.hold_key(&key(1, 1)).await.unwrap();
        let takers = (0..5).map(async |_| {
            let store = database.stores().await.events;
            store.release_key(Id::from_random(1)).await.unwrap()
        });
        let took = join_all(takers).await;
        assert_eq!(took.iter().filter(|took| **took).count(), 1, "{took:?}");
        assert_eq!(store.held_keys(None).await.unwrap(), []);
    })
    .await;
}
