//! The fold's promises: it may be split anywhere, repeats change nothing, and what does not fit is refused whole.

use std::sync::Arc;

use proptest::prelude::*;
use turnpike_access::{
    codec::{self, Decoder},
    fold::FoldError,
    id::Timestamp,
    log::{BrokenChain, Hash, Position, Recorded},
    snapshot::Snapshot,
};

use crate::{
    commands::steps,
    history::{History, render},
    world::cases,
};

fn fold_all(snapshot: &mut Snapshot, log: &[Recorded]) {
    for recorded in log {
        snapshot.fold(recorded).unwrap();
    }
}

fn stored_and_read(snapshot: &Snapshot) -> Snapshot {
    let mut decoder = Decoder::default();
    codec::encode::<serde_json::Error>(snapshot, |line| {
        decoder.feed(line).unwrap();
        Ok(())
    })
    .unwrap();
    decoder.finish().unwrap()
}

/// Refused, and nothing is changed by it.
fn refusal(history: &History, recorded: &Recorded) -> FoldError {
    let mut snapshot = history.snapshot.clone();
    let error = snapshot.fold(recorded).unwrap_err();
    assert_eq!(snapshot.head(), history.snapshot.head());
    assert_eq!(render(&snapshot), render(&history.snapshot));
    error
}

/// A history of which at least one event is still to come.
fn with_next(steps: &[crate::commands::Step]) -> (History, Recorded) {
    let history = History::of(steps);
    let event = turnpike_access::event::Event::TenantCreated(Default::default());
    let next = history.record(&"later".parse().unwrap(), &event);
    (history, next)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_fold_may_be_split_anywhere(steps in steps(80), at: prop::sample::Index) {
        let history = History::of(&steps);
        let (first, rest) = history.log.split_at(at.index(history.log.len() + 1));
        let mut snapshot = Snapshot::default();
        fold_all(&mut snapshot, first);
        let mut restored = stored_and_read(&snapshot);
        prop_assert_eq!(render(&restored), render(&snapshot));
        fold_all(&mut snapshot, rest);
        fold_all(&mut restored, rest);
        prop_assert_eq!(render(&snapshot), render(&history.snapshot));
        prop_assert_eq!(render(&restored), render(&history.snapshot));
    }

    #[test]
    fn whoever_holds_an_older_snapshot_is_not_disturbed(steps in steps(60), at: prop::sample::Index) {
        let history = History::of(&steps);
        let (first, rest) = history.log.split_at(at.index(history.log.len() + 1));
        let mut snapshot = Snapshot::default();
        fold_all(&mut snapshot, first);
        let (held, before) = (snapshot.clone(), render(&snapshot));
        fold_all(&mut snapshot, rest);
        prop_assert_eq!(render(&held), before);
    }

    #[test]
    fn an_event_that_comes_again_changes_nothing(steps in steps(60), repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let history = History::of(&steps);
        let mut snapshot = Snapshot::default();
        for (place, recorded) in history.log.iter().enumerate() {
            snapshot.fold(recorded).unwrap();
            if let Some(repeat) = repeats.get(place % 20) {
                snapshot.fold(&history.log[repeat.index(place + 1)]).unwrap();
            }
        }
        prop_assert_eq!(render(&snapshot), render(&history.snapshot));
    }

    #[test]
    fn an_event_out_of_its_order_is_refused(steps in steps(60), at: prop::sample::Index) {
        let history = History::of(&steps);
        let (first, rest) = history.log.split_at(at.index(history.log.len() - 1));
        let mut earlier = History::default();
        fold_all(&mut earlier.snapshot, first);
        for later in &rest[1..] {
            prop_assert_eq!(
                refusal(&earlier, later),
                FoldError::Chain(BrokenChain::Gap {
                    expected: Position::new(u64::try_from(first.len()).unwrap() + 1),
                    found: later.position,
                })
            );
        }
    }

    #[test]
    fn an_edited_event_is_refused(steps in steps(20)) {
        let (history, next) = with_next(&steps);
        let edits: [fn(&mut Recorded); 9] = [
            |one| one.origin.time = Timestamp::default(),
            |one| one.origin.tenant = "acme".parse().unwrap(),
            |one| one.origin.actor = Arc::from("user:mallory"),
            |one| one.origin.correlation = Arc::from("other"),
            |one| one.kind = Arc::from("tenant.updated"),
            |one| one.version += 1,
            |one| one.payload = Arc::from(r#"{"hide_models":true}"#),
            |one| one.previous = Hash::GENESIS,
            |one| one.hash = Hash::GENESIS,
        ];
        for edit in edits {
            let mut edited = next.clone();
            edit(&mut edited);
            prop_assert_eq!(
                refusal(&history, &edited),
                FoldError::Chain(BrokenChain::Edited(next.position))
            );
        }
    }

    #[test]
    fn an_event_of_a_newer_version_is_refused(steps in steps(20)) {
        let (history, next) = with_next(&steps);
        for (kind, version, payload) in [
            ("tenant.created", 2, "{}"),
            ("tenant.merged", 1, "{}"),
            ("tenant.created", 1, r#"{"unheard_of":true}"#),
            ("tenant.created", 1, r#"{"hide_models":true,"hide_models":false}"#),
            ("tenant.created", 1, r#"{},"type":"tenant.deleted.v1""#),
            ("tenant.created", 1, "{"),
        ] {
            let unknown = Recorded::after(
                history.snapshot.head(), next.origin.clone(), Arc::from(kind), version, Arc::from(payload),
            );
            prop_assert!(matches!(refusal(&history, &unknown), FoldError::Unknown(_)), "{}", payload);
        }
    }
}
