//! Every flip, deletion, swap and cut is found, wherever it is and however the records were signed.

use proptest::prelude::*;

use super::*;
use crate::id::Timestamp;

mod retention;

const EPOCH: u64 = 7;

fn leaf(sequence: u64) -> Leaf {
    Leaf::of(&sequence.to_le_bytes())
}

fn link(last: u64) -> Link {
    (1..=last).fold(Link::start(EPOCH), |link, sequence| {
        link.after(sequence, leaf(sequence))
    })
}

fn said(first: u64, last: u64) -> Checkpoint {
    Checkpoint {
        edge: "edge-1".to_owned(),
        epoch: EPOCH,
        first,
        last,
        before: link(first - 1),
        after: link(last),
        time: Timestamp::from_micros(0),
        key: String::new(),
        signature: Vec::new(),
    }
}

/// Checkpoints over `1..=length` whose batches have these lengths, and some of which were sent again with the one after.
fn signed(length: u64, batches: &[u64], again: &[bool]) -> Vec<Checkpoint> {
    let (mut all, mut first) = (Vec::new(), 1);
    for (batch, again) in batches.iter().cycle().zip(again.iter().cycle()) {
        if first > length {
            break;
        }
        let last = (first + batch - 1).min(length);
        all.push(said(first, last));
        if *again && first > 1 {
            all.push(said(first - 1, last));
        }
        first = last + 1;
    }
    all.sort_by_key(|one| (one.last, one.first));
    all
}

fn walked(records: &[(u64, Leaf)], checkpoints: &[Checkpoint], stored: u64) -> Verdict {
    go_on(Walk::new(EPOCH), records, checkpoints, stored)
}

fn go_on(mut walk: Walk, records: &[(u64, Leaf)], checkpoints: &[Checkpoint], stored: u64) -> Verdict {
    let mut records = records.iter().peekable();
    for checkpoint in checkpoints {
        while let Some((sequence, leaf)) = records.next_if(|(sequence, _)| *sequence <= checkpoint.last) {
            walk.record(*sequence, *leaf);
        }
        walk.checkpoint(checkpoint, true);
    }
    records.for_each(|(sequence, leaf)| walk.record(*sequence, *leaf));
    walk.end(stored)
}

fn whole(length: u64) -> Vec<(u64, Leaf)> {
    (1..=length).map(|sequence| (sequence, leaf(sequence))).collect()
}

/// Whether a problem tells of this record.
fn tells_of(verdict: &Verdict, sequence: u64) -> bool {
    verdict.problems.iter().any(|problem| match problem {
        Problem::Missing(first, last)
        | Problem::Changed(first, last)
        | Problem::Detached(first, last)
        | Problem::Unretired(first, last)
        | Problem::Unsigned(first, last) => (*first..=*last).contains(&sequence),
        Problem::Disorder(at) => *at == sequence,
    })
}

prop_compose! {
    fn epoch()(
        length in 1u64..60,
        batches in prop::collection::vec(1u64..9, 1..5),
        again in prop::collection::vec(any::<bool>(), 1..5),
    ) -> (u64, Vec<Checkpoint>) {
        (length, signed(length, &batches, &again))
    }
}

proptest! {
    #[test]
    fn what_nobody_touched_is_whole((length, checkpoints) in epoch(), late in 0u64..9) {
        let verdict = walked(&whole(length + late), &checkpoints, length + late);
        prop_assert_eq!(verdict, Verdict { records: length + late, unproven: late, retired: 0, problems: Vec::new() });
    }

    #[test]
    fn a_changed_record_is_found_and_nothing_after_its_batch((length, checkpoints) in epoch(), at: prop::sample::Index) {
        let mut records = whole(length);
        let at = at.index(records.len());
        records[at].1 = Leaf::of(b"another");
        let verdict = walked(&records, &checkpoints, length);
        prop_assert!(tells_of(&verdict, at as u64 + 1), "{verdict:?}");
        let about = checkpoints.iter().filter(|one| (one.first..=one.last).contains(&(at as u64 + 1)));
        prop_assert!(verdict.problems.len() <= about.count(), "{verdict:?}");
    }

    #[test]
    fn deleted_records_are_found_and_named((length, checkpoints) in epoch(), from: prop::sample::Index, count in 1usize..9) {
        let mut records = whole(length);
        let from = from.index(records.len());
        let gone: Vec<_> = records.drain(from..(from + count).min(records.len())).collect();
        let verdict = walked(&records, &checkpoints, length);
        for (sequence, _) in gone {
            prop_assert!(tells_of(&verdict, sequence), "{sequence}: {verdict:?}");
        }
        prop_assert!(verdict.problems.iter().all(|problem| matches!(problem, Problem::Missing(..))), "{verdict:?}");
    }

    #[test]
    fn records_in_each_others_place_are_found((length, checkpoints) in epoch(), one: prop::sample::Index, other: prop::sample::Index) {
        let mut records = whole(length);
        let (one, other) = (one.index(records.len()), other.index(records.len()));
        prop_assume!(one != other);
        let moved = records[one].1;
        records[one].1 = records[other].1;
        records[other].1 = moved;
        let verdict = walked(&records, &checkpoints, length);
        prop_assert!(tells_of(&verdict, one as u64 + 1) && tells_of(&verdict, other as u64 + 1), "{verdict:?}");
    }

    #[test]
    fn a_cut_is_found_by_a_checkpoint_and_with_those_cut_off_too_by_what_was_stored(
        (length, checkpoints) in epoch(),
        left: prop::sample::Index,
    ) {
        let left = left.index(usize::try_from(length).unwrap()) as u64;
        let verdict = walked(&whole(left), &checkpoints, 0);
        prop_assert!(tells_of(&verdict, length), "{verdict:?}");
        let without: Vec<_> = checkpoints.into_iter().filter(|one| one.last <= left).collect();
        let verdict = walked(&whole(left), &without, length);
        prop_assert!(tells_of(&verdict, length), "{verdict:?}");
    }
}

#[test]
fn a_record_twice_a_forged_signature_and_another_beginning_are_found() {
    let mut records = whole(4);
    records.insert(2, records[1]);
    let verdict = walked(&records, &[said(1, 4)], 4);
    assert_eq!(verdict.problems, [Problem::Disorder(2)]);

    let mut walk = Walk::new(EPOCH);
    whole(2)
        .iter()
        .for_each(|(sequence, leaf)| walk.record(*sequence, *leaf));
    walk.checkpoint(&said(1, 2), false);
    let verdict = walk.end(2);
    assert_eq!(
        (verdict.problems, verdict.unproven),
        (vec![Problem::Unsigned(1, 2)], 2)
    );

    let elsewhere = Checkpoint {
        before: Link::start(8),
        ..said(1, 2)
    };
    let verdict = walked(&whole(2), &[elsewhere], 2);
    assert_eq!(verdict.problems, [Problem::Detached(1, 2)]);
}
