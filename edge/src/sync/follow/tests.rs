//! Following: any order, loss and repetition of news ends at the same state.

use std::sync::Arc;

use proptest::prelude::*;
use turnpike_access::{
    event::Event,
    id::{Name, Timestamp},
    log::Origin,
    tenant::TenantSettings,
};

use super::*;

/// A log of so many tenants being created.
pub(crate) fn log(length: usize) -> Vec<Recorded> {
    let mut head = Head::default();
    let mut events = Vec::new();
    for number in 0..length {
        let tenant: Name = format!("tenant-{number}").parse().expect("name");
        let encoded = Event::TenantCreated(TenantSettings::default())
            .encode()
            .expect("event");
        let origin = Origin {
            time: Timestamp::from_micros(1),
            tenant,
            actor: Arc::from("system"),
            correlation: Arc::from("test"),
        };
        let event = Recorded::after(head, origin, encoded.kind, encoded.version, encoded.payload);
        head = event.head();
        events.push(event);
    }
    events
}

fn at(log: &[Recorded], position: usize) -> Head {
    position
        .checked_sub(1)
        .map_or(Head::default(), |last| log[last].head())
}

#[test]
fn a_batch_is_applied_from_where_it_is_new() {
    let log = log(6);
    for (held, batch, expected) in [
        (0, 0..3, Step::Apply { skip: 0 }),
        (2, 0..3, Step::Apply { skip: 2 }),
        (3, 0..3, Step::Ignore),
        (5, 0..3, Step::Ignore),
        (0, 1..3, Step::Heal),
        (3, 5..6, Step::Heal),
        (3, 3..3, Step::Ignore),
    ] {
        assert_eq!(
            judge(at(&log, held), Incoming::Batch(&log[batch.clone()])),
            expected,
            "{held} {batch:?}"
        );
    }
}

#[test]
fn a_batch_with_a_hole_in_it_is_not_applied() {
    let log = log(3);
    let holed = [log[0].clone(), log[2].clone()];
    assert_eq!(judge(Head::default(), Incoming::Batch(&holed)), Step::Heal);
}

#[test]
fn a_head_beyond_ours_tells_that_something_is_missing_and_another_at_ours_that_we_are_wrong() {
    let log = log(3);
    let held = at(&log, 2);
    assert_eq!(judge(held, Incoming::Head(at(&log, 3))), Step::Heal);
    assert_eq!(judge(held, Incoming::Head(held)), Step::Ignore);
    assert_eq!(judge(held, Incoming::Head(at(&log, 1))), Step::Ignore);
    let other = Head {
        hash: Default::default(),
        ..held
    };
    assert_eq!(judge(held, Incoming::Head(other)), Step::Diverged);
}

proptest! {
    /// Pieces of the log in any order, doubled or lost; a heal brings what follows the position.
    #[test]
    fn any_order_loss_and_duplication_with_heals_ends_at_the_head(
        length in 1_usize..40,
        pieces in prop::collection::vec((0_usize..40, 1_usize..8), 0..60),
        heal_length in 1_usize..10,
    ) {
        let log = log(length);
        let mut held = Head::default();
        let mut take = |incoming: Incoming<'_>| -> Step {
            let step = judge(held, incoming);
            if let (Step::Apply { skip }, Incoming::Batch(events)) = (step, incoming) {
                for event in &events[skip..] {
                    event.follows(held).expect("applied events follow");
                    held = event.head();
                }
            }
            step
        };
        for (start, count) in pieces {
            let start = start.min(length);
            let piece = &log[start..(start + count).min(length)];
            prop_assert_ne!(take(Incoming::Batch(piece)), Step::Diverged);
        }
        // The heartbeat tells what is missing even where the bus stays silent.
        let mut healed = 0;
        while take(Incoming::Head(at(&log, length))) == Step::Heal {
            take(Incoming::Batch(&log[healed..(healed + heal_length).min(length)]));
            healed += heal_length;
        }
        prop_assert_eq!(held, at(&log, length));
    }
}
