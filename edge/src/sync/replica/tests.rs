//! The replica: folds, halts, and never steps back.

use proptest::prelude::*;
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

/// What a bus that loses, doubles, reorders, tears and edits may bring, and what the control plane answers.
#[derive(Debug, Clone)]
enum News {
    /// A piece of the log.
    Piece { from: usize, count: usize },
    /// A piece with an event missing in it.
    Torn { from: usize },
    /// A piece with an event in it that somebody has edited.
    Edited { from: usize, count: usize },
    /// Where the log ended at some time.
    Head { at: usize },
    /// What the control plane sends after the position that the edge is at.
    Heal { count: usize },
    /// The whole state at some time.
    Whole { at: usize },
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        (0_usize..30, 1_usize..8).prop_map(|(from, count)| News::Piece { from, count }),
        (0_usize..30).prop_map(|from| News::Torn { from }),
        (0_usize..30, 1_usize..8).prop_map(|(from, count)| News::Edited { from, count }),
        (0_usize..31).prop_map(|at| News::Head { at }),
        (1_usize..5).prop_map(|count| News::Heal { count }),
        (0_usize..31).prop_map(|at| News::Whole { at }),
    ]
}

fn bring(replica: &mut Replica, log: &[Recorded], news: &News) {
    let piece = |from: usize, count: usize| log[from.min(log.len())..(from + count).min(log.len())].to_vec();
    let head = |at: usize| at.checked_sub(1).map_or(Head::default(), |last| log[last].head());
    match *news {
        News::Piece { from, count } => {
            take(replica, &piece(from, count));
        }
        News::Torn { from } => {
            let mut events = piece(from, 3);
            if events.len() == 3 {
                events.remove(1);
            }
            take(replica, &events);
        }
        News::Edited { from, count } => {
            let mut events = piece(from, count);
            if let Some(last) = events.last_mut() {
                last.origin.actor = Arc::from("mallory");
            }
            take(replica, &events);
        }
        News::Head { at } => {
            let told = Incoming::Head(head(at.min(log.len())));
            replica.take(told, Timestamp::from_micros(2));
        }
        News::Heal { count } => {
            let at = usize::try_from(replica.head().expect("a state").position.get()).expect("small");
            take(replica, &piece(at, count));
        }
        News::Whole { at } => {
            let mut snapshot = Snapshot::default();
            for event in &log[..at.min(log.len())] {
                snapshot.fold(event).expect("folds");
            }
            replica.replace(snapshot);
        }
    }
}

proptest! {
    /// The position never steps back; the state is that of the log at its position, event for event; and at the end, the
    /// log is reached.
    #[test]
    fn whatever_is_brought_the_state_is_one_of_the_logs_and_never_steps_back(
        length in 1_usize..30,
        brought in prop::collection::vec(news(), 0..80),
    ) {
        let log = log(length);
        let (current, mut replica) = replica();
        let mut before = Position::ZERO;
        for news in &brought {
            bring(&mut replica, &log, news);
            let loaded = current.load().expect("a state");
            let position = loaded.position();
            prop_assert!(position >= before, "{} after {}", position, before);
            let at = usize::try_from(position.get()).expect("small");
            prop_assert!(at <= length);
            let head = at.checked_sub(1).map_or(Head::default(), |last| log[last].head());
            prop_assert_eq!(loaded.head(), head);
            prop_assert_eq!(loaded.tenants().len(), at);
            before = position;
        }
        for _ in 0..length {
            bring(&mut replica, &log, &News::Heal { count: 4 });
        }
        prop_assert_eq!(replica.head(), Some(log[length - 1].head()));
    }
}
