//! The replica: folds, halts, and never steps back.

use turnpike_access::log::Position;

use super::*;
use crate::sync::follow::tests::log;

fn replica() -> (Arc<Current>, Replica) {
    let current = Arc::new(Current::default());
    let mut replica = Replica::new(current.clone());
    assert!(replica.replace(Snapshot::default()));
    (current, replica)
}

fn take(replica: &mut Replica, events: &[Recorded]) -> Outcome {
    replica.take(Incoming::Batch(events), Timestamp::from_micros(2))
}

#[test]
fn what_is_folded_is_what_requests_load() {
    let (current, mut replica) = replica();
    let log = log(3);
    assert_eq!(take(&mut replica, &log[..2]), Outcome::Applied);
    let loaded = current.load().expect("a snapshot");
    assert_eq!(loaded.position(), Position::new(2));
    assert!(loaded.tenant("tenant-1").is_some() && loaded.tenant("tenant-2").is_none());
}

#[test]
fn an_edited_event_is_not_folded_but_those_before_it_are() {
    let (current, mut replica) = replica();
    let mut log = log(3);
    log[2].origin.actor = Arc::from("mallory");
    assert!(matches!(take(&mut replica, &log), Outcome::Diverged(_)));
    assert_eq!(current.position(), Some(Position::new(2)));
}

#[test]
fn an_unknown_event_stops_the_edge_there_with_its_last_good_state() {
    let (current, mut replica) = replica();
    let mut log = log(2);
    let origin = log[1].origin.clone();
    let unknown = Recorded::after(
        log[1].head(),
        origin.clone(),
        Arc::from("tenant.levitated"),
        1,
        Arc::from("{}"),
    );
    let after = Recorded::after(
        unknown.head(),
        origin,
        Arc::from("tenant.deleted"),
        1,
        Arc::from("{}"),
    );
    log.extend([unknown, after]);
    assert_eq!(take(&mut replica, &log), Outcome::Unchanged);
    assert_eq!(current.position(), Some(Position::new(2)));
    assert!(
        replica
            .halted()
            .is_some_and(|why| why.contains("tenant.levitated")),
        "{:?}",
        replica.halted()
    );
    assert_eq!(take(&mut replica, &log[2..]), Outcome::Unchanged);
    assert_eq!(current.position(), Some(Position::new(2)));
}

#[test]
fn an_older_snapshot_is_never_taken() {
    let (current, mut replica) = replica();
    take(&mut replica, &log(3));
    assert!(!replica.replace(Snapshot::default()));
    assert!(!current.store(Arc::new(Snapshot::default())));
    assert_eq!(current.position(), Some(Position::new(3)));
}
