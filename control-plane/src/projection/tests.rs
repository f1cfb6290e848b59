//! The last events are at hand without a gap, and never more of them than there is room for.

use std::sync::Arc;

use turnpike_access::{
    id::Timestamp,
    log::{Head, Origin, Position, Recorded},
};

use super::{TAIL_BYTES, TAIL_EVENTS, Tail};

fn log(length: usize, payload: &str) -> Vec<Recorded> {
    let mut head = Head::default();
    let origin = Origin {
        time: Timestamp::from_micros(1),
        tenant: "acme".parse().unwrap(),
        actor: Arc::from("system"),
        correlation: Arc::from("test"),
    };
    let next = |_| {
        let event = Recorded::after(head, origin.clone(), Arc::from("odd.one"), 1, Arc::from(payload));
        head = event.head();
        event
    };
    (0..length).map(next).collect()
}

fn positions(tail: &Tail, after: u64, limit: usize) -> Option<Vec<u64>> {
    let found = tail.after(Position::new(after), limit)?;
    Some(found.iter().map(|event| event.position.get()).collect())
}

#[test]
fn what_comes_after_a_position_is_at_hand_or_the_store_is_to_be_asked() {
    let log = log(9, "{}");
    let mut tail = Tail::default();
    assert_eq!(positions(&tail, 0, 10), None);
    tail.add(&log[2..5]);
    tail.add(&log[5..7]);
    assert_eq!(positions(&tail, 1, 10), None, "the event at 2 is missing");
    assert_eq!(positions(&tail, 2, 10), Some(vec![3, 4, 5, 6, 7]));
    assert_eq!(positions(&tail, 4, 2), Some(vec![5, 6]));
    assert_eq!(positions(&tail, 7, 10), None);
    assert_eq!(positions(&tail, 99, 10), None);
}

#[test]
fn behind_a_gap_the_tail_begins_anew() {
    let log = log(9, "{}");
    let mut tail = Tail::default();
    tail.add(&log[..3]);
    tail.add(&log[5..7]);
    assert_eq!(positions(&tail, 2, 10), None);
    assert_eq!(positions(&tail, 5, 10), Some(vec![6, 7]));
}

#[test]
fn the_oldest_make_room() {
    let mut tail = Tail::default();
    tail.add(&log(TAIL_EVENTS + 3, "{}"));
    assert_eq!(positions(&tail, 2, 1), None);
    assert_eq!(positions(&tail, 3, 1), Some(vec![4]));
    let mut tail = Tail::default();
    tail.add(&log(5, &"x".repeat(TAIL_BYTES / 3)));
    assert_eq!(positions(&tail, 2, 9), Some(vec![3, 4, 5]));
}
