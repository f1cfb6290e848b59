//! A lease is one control plane's at a time, and passes on when it is given back or runs out.

use std::time::Duration;

use futures::future::join_all;
use turnpike_access::log::Position;

use super::database::{on_each_engine, until};
use crate::store::{EventStore, LeaseClaim};

const LONG: Duration = Duration::from_secs(3600);

async fn claim(store: &dyn EventStore, holder: &str, published: u64, lease: Duration) -> Option<u64> {
    let claim = LeaseClaim {
        name: "publish",
        holder,
        position: Position::new(published),
        lease,
    };
    store.claim_lease(claim).await.unwrap().map(Position::get)
}

#[tokio::test]
async fn a_lease_is_one_control_planes_until_it_gives_it_back_or_it_runs_out() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let holders: Vec<String> = (0..8).map(|number| number.to_string()).collect();
        let claims = holders.iter().map(|holder| claim(&*store, holder, 7, LONG));
        let given = join_all(claims).await;
        let mine: Vec<_> = (0..8).filter(|&index| given[index].is_some()).collect();
        assert_eq!(mine.len(), 1, "{given:?}");
        let holder = &holders[mine[0]];
        assert_eq!(claim(&*store, holder, 9, LONG).await, Some(9));
        assert_eq!(claim(&*store, "other", 3, LONG).await, None);
        // Given back, with how far it had come.
        assert_eq!(claim(&*store, holder, 12, Duration::ZERO).await, Some(12));
        assert_eq!(
            claim(&*store, "other", 3, Duration::from_millis(50)).await,
            Some(12)
        );
        // It runs out by itself.
        until("it has run out", async || {
            claim(&*store, "third", 1, LONG).await == Some(12)
        })
        .await;
        assert_eq!(claim(&*store, "other", 99, LONG).await, None);
        let another = LeaseClaim {
            name: "send",
            holder: "other",
            position: Position::new(0),
            lease: LONG,
        };
        let another = store.claim_lease(another).await.unwrap();
        assert_eq!(
            another,
            Some(Position::new(0)),
            "of another name it is another lease"
        );
    })
    .await;
}
