//! After a part of the records was deleted in good order, the rest is proven as before.

use super::*;

fn retired(first: u64, last: u64, stand_in: StandIn) -> Retired {
    Retired {
        edge: "edge-1".to_owned(),
        epoch: EPOCH,
        first,
        last,
        stand_in,
        until: Timestamp::from_micros(0),
        time: Timestamp::from_micros(0),
        key: String::new(),
        signature: Vec::new(),
    }
}

/// An epoch whose beginning is gone up to the end of some batch, and of whose rest some records are.
#[derive(Debug, Clone)]
struct Kept {
    length: u64,
    checkpoints: Vec<Checkpoint>,
    gone: Vec<Retired>,
    records: Vec<(u64, Leaf)>,
}

impl Kept {
    fn of(length: u64, mut checkpoints: Vec<Checkpoint>, period: usize, keeps: &[bool]) -> Self {
        let up_to = checkpoints[..period].last().map_or(0, |said| said.last);
        checkpoints.retain(|said| said.last > up_to);
        let stays = |sequence: u64| keeps[usize::try_from(sequence).unwrap() % keeps.len()];
        let rest = whole(length)
            .into_iter()
            .filter(|(sequence, _)| *sequence > up_to);
        let (records, leaves): (Vec<_>, Vec<_>) = rest.partition(|(sequence, _)| stays(*sequence));
        let mut gone = Vec::new();
        if up_to > 0 {
            gone.push(retired(1, up_to, StandIn::Links(link(0), link(up_to))));
        }
        if let (Some((first, _)), Some((last, _))) = (leaves.first(), leaves.last()) {
            gone.push(retired(*first, *last, StandIn::Leaves(leaves.clone())));
        }
        Self {
            length,
            checkpoints,
            gone,
            records,
        }
    }

    fn walked(&self, records: &[(u64, Leaf)], signed: bool) -> Verdict {
        let mut walk = Walk::new(EPOCH);
        for gone in &self.gone {
            walk.retired(gone.clone(), signed);
        }
        go_on(walk, records, &self.checkpoints, self.length)
    }
}

prop_compose! {
    fn kept()(
        length in 2u64..120,
        batches in prop::collection::vec(1u64..9, 1..8),
        again in prop::collection::vec(any::<bool>(), 1..5),
        period: prop::sample::Index,
        keeps in prop::collection::vec(any::<bool>(), 1..7),
    ) -> Kept {
        let checkpoints = signed(length, &batches, &again);
        let period = period.index(checkpoints.len());
        Kept::of(length, checkpoints, period, &keeps)
    }
}

proptest! {
    #[test]
    fn what_is_left_after_retention_is_whole_and_what_is_done_to_it_is_found(
        kept in kept(), at: prop::sample::Index,
    ) {
        let verdict = kept.walked(&kept.records, true);
        let (left, gone) = (kept.records.len() as u64, kept.length - kept.records.len() as u64);
        prop_assert_eq!(verdict, Verdict { records: left, unproven: 0, retired: gone, problems: Vec::new() });
        prop_assume!(!kept.records.is_empty());
        let at = at.index(kept.records.len());
        let sequence = kept.records[at].0;
        let mut changed = kept.records.clone();
        changed[at].1 = leaf(u64::MAX);
        prop_assert!(tells_of(&kept.walked(&changed, true), sequence), "changed {}", sequence);
        let mut fewer = kept.records.clone();
        fewer.remove(at);
        prop_assert!(tells_of(&kept.walked(&fewer, true), sequence), "deleted {}", sequence);
    }

    #[test]
    fn deletions_that_no_control_plane_signed_are_found(kept in kept()) {
        prop_assume!(!kept.gone.is_empty());
        let verdict = kept.walked(&kept.records, false);
        for gone in &kept.gone {
            prop_assert!(verdict.problems.contains(&Problem::Unretired(gone.first, gone.last)));
            prop_assert!(tells_of(&verdict, gone.first) && tells_of(&verdict, gone.last));
        }
    }
}

#[test]
fn what_stands_for_a_deleted_stretch_must_join_what_stays() {
    let gone = retired(3, 4, StandIn::Links(link(2), link(5)));
    let mut walk = Walk::new(EPOCH);
    walk.retired(gone, true);
    let records: Vec<_> = whole(6)
        .into_iter()
        .filter(|(at, _)| !(3..=4).contains(at))
        .collect();
    let verdict = go_on(walk, &records, &[said(1, 2), said(5, 6)], 6);
    assert_eq!(verdict.problems, [Problem::Detached(5, 6)]);
}
