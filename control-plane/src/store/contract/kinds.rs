//! Reading the events of some kinds in one tenant.

use std::sync::Arc;

use turnpike_access::{
    id::{Name, Timestamp},
    log::{Head, Origin, Position, Recorded},
};

use super::database::on_each_engine;

fn event(head: Head, tenant: &str, kind: &str) -> Recorded {
    let origin = Origin {
        time: Timestamp::from_micros(1_700_000_000_000_000),
        tenant: tenant.parse().unwrap(),
        actor: Arc::from("user:alice"),
        correlation: Arc::from("c-1"),
    };
    Recorded::after(head, origin, Arc::from(kind), 1, Arc::from("{}"))
}

#[tokio::test]
async fn the_events_of_some_kinds_in_one_tenant_are_read_in_order_and_in_parts() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let kinds = ["grant.created", "user.created", "team.member_added"];
        let mut head = store.head().await.unwrap();
        let mut events = Vec::new();
        for tenant in ["acme", "globex", "acme"] {
            for kind in kinds {
                events.push(event(head, tenant, kind));
                head = events.last().unwrap().head();
            }
        }
        store.append(Head::default(), &events).await.unwrap();

        let acme: Name = "acme".parse().unwrap();
        let wanted = ["team.member_added", "grant.created"];
        let read = async |after, limit| {
            let after = Position::new(after);
            let found = store.of_kinds(&acme, &wanted, after, limit).await.unwrap();
            let told = found.iter().map(|one| (one.position.get(), one.kind.to_string()));
            told.collect::<Vec<_>>()
        };
        let all = [1, 3, 7, 9].map(|position: u64| {
            let kind = if position % 3 == 1 { wanted[1] } else { wanted[0] };
            (position, kind.to_owned())
        });
        assert_eq!(read(0, 100).await, all);
        assert_eq!(read(0, 3).await, all[..3]);
        assert_eq!(read(7, 3).await, all[3..]);
        assert_eq!(read(9, 3).await, []);
        let nobody: Name = "initech".parse().unwrap();
        let none = store.of_kinds(&nobody, &wanted, Position::ZERO, 9).await;
        assert_eq!(none.unwrap(), []);
        let no_kind = store.of_kinds(&acme, &[], Position::ZERO, 9).await;
        assert_eq!(no_kind.unwrap(), []);
    })
    .await;
}
