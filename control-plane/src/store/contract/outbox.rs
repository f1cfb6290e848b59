//! What is to be sent is made out once, taken by one, and kept until it was settled.

use futures::future::join_all;
use turnpike_access::{
    id::{Name, Timestamp},
    log::Position,
};

use super::database::on_each_engine;
use crate::store::outbox::{Delivery, State};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn delivery(tenant: &str, position: u64, destination: &str) -> Delivery {
    Delivery {
        tenant: tenant.parse().unwrap(),
        position: Position::new(position),
        destination: destination.parse().unwrap(),
        attempts: 0,
    }
}

#[tokio::test]
async fn of_many_who_make_the_same_out_at_once_one_does() {
    on_each_engine(async |database| {
        let outbox = database.stores().await.outbox;
        let first = Position::new(7);
        assert_eq!(outbox.made_out(first).await.unwrap(), first);
        assert_eq!(outbox.made_out(Position::new(9)).await.unwrap(), first);
        let deliveries = [delivery("acme", 8, "hook"), delivery("acme", 9, "hook")];
        let tries = (0..6).map(|_| outbox.make_out(first, Position::new(9), &deliveries, at(1)));
        let done: Vec<bool> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
        assert_eq!(outbox.made_out(first).await.unwrap(), Position::new(9));
        let (acme, globex): (Name, Name) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let all = outbox
            .deliveries(&acme, None, Position::new(100), 10)
            .await
            .unwrap();
        assert_eq!(
            all.iter()
                .map(|one| one.delivery.position.get())
                .collect::<Vec<_>>(),
            [9, 8]
        );
        let others = outbox.deliveries(&globex, None, Position::new(100), 10).await;
        assert_eq!(others.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_taken_by_one_and_again_when_it_was_not_settled_in_time() {
    on_each_engine(async |database| {
        let outbox = database.stores().await.outbox;
        let from = outbox.made_out(Position::new(0)).await.unwrap();
        let all: Vec<Delivery> = (1..=20).map(|number| delivery("acme", number, "hook")).collect();
        assert!(
            outbox
                .make_out(from, Position::new(20), &all, at(10))
                .await
                .unwrap()
        );
        assert_eq!(outbox.take(at(9), at(69), 50).await.unwrap(), [], "not due yet");
        let takers = join_all((0..5).map(|_| outbox.take(at(10), at(70), 8))).await;
        let taken: Vec<Delivery> = takers.into_iter().flat_map(Result::unwrap).collect();
        let mut positions: Vec<u64> = taken.iter().map(|one| one.position.get()).collect();
        positions.sort_unstable();
        assert_eq!(positions, (1..=20).collect::<Vec<_>>(), "each once");
        assert!(taken.iter().all(|one| one.attempts == 1));
        let (one, two) = (delivery("acme", 1, "hook"), delivery("acme", 2, "hook"));
        outbox.settle(&one, State::Sent, at(11), None).await.unwrap();
        outbox
            .settle(&two, State::Dead, at(12), Some("no"))
            .await
            .unwrap();
        for number in 3..20 {
            let later = delivery("acme", number, "hook");
            outbox
                .settle(&later, State::Waiting, at(1000), Some("busy"))
                .await
                .unwrap();
        }
        let again = outbox.take(at(70), at(130), 50).await.unwrap();
        assert_eq!(again.len(), 1, "the one that was never settled: {again:?}");
        assert_eq!((again[0].position.get(), again[0].attempts), (20, 2));
        let acme: Name = "acme".parse().unwrap();
        let end = Position::new(u64::MAX);
        let dead = outbox
            .deliveries(&acme, Some(State::Dead), end, 10)
            .await
            .unwrap();
        assert_eq!(dead.len(), 1);
        assert_eq!(
            (
                dead[0].delivery.position.get(),
                dead[0].error.as_deref(),
                dead[0].time
            ),
            (2, Some("no"), at(12))
        );
        let hook: Name = "hook".parse().unwrap();
        let other: Name = "other".parse().unwrap();
        assert_eq!(outbox.revive(&acme, Some(&other), at(80)).await.unwrap(), 0);
        assert_eq!(outbox.revive(&acme, Some(&hook), at(80)).await.unwrap(), 1);
        assert_eq!(outbox.take(at(80), at(140), 50).await.unwrap().len(), 1);
        outbox.forget(at(5000)).await.unwrap();
        let left = outbox.deliveries(&acme, None, end, 50).await.unwrap();
        assert_eq!(left.len(), 19, "what waits is not forgotten");
    })
    .await;
}
