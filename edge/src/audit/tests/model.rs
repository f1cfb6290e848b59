//! Random records, acknowledgements and crashes; the model is a map from epoch to the numbers it must still hold.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Record {
        padding: usize,
    },
    Acknowledge {
        tail: usize,
        share: f64,
    },
    Rewind,
    /// The process dies, and the newest file of an epoch keeps only this share of its bytes.
    Crash {
        epoch: usize,
        keep: f64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0_usize..3000).prop_map(|padding| Step::Record { padding }),
        2 => (0_usize..8, 0.0..=1.0).prop_map(|(tail, share)| Step::Acknowledge { tail, share }),
        1 => Just(Step::Rewind),
        2 => (0_usize..8, 0.0..=1.0).prop_map(|(epoch, keep)| Step::Crash { epoch, keep }),
    ];
    prop::collection::vec(step, 1..80)
}

/// What must be in the spool: by epoch, each number with its sequence and the end of its frame in its file.
#[derive(Default)]
struct Model {
    held: BTreeMap<u64, Vec<Held>>,
    acknowledged: BTreeMap<u64, u64>,
}

struct Held {
    id: u64,
    sequence: u64,
    segment: Name,
    end: u64,
}

impl Model {
    /// Finds out where the spool put the record: the one file that grew.
    fn recorded(&mut self, id: u64, folder: &Path, before: &BTreeMap<Name, u64>) {
        let (segment, end) = lengths(folder)
            .into_iter()
            .find(|(name, length)| before.get(name) != Some(length))
            .expect("some file grew");
        let held = self.held.entry(segment.epoch).or_default();
        held.push(Held {
            id,
            sequence: held.last().map_or(1, |last| last.sequence + 1),
            segment,
            end,
        });
    }

    fn cut(&mut self, segment: Name, length: u64) {
        let held = self.held.entry(segment.epoch).or_default();
        held.retain(|one| one.segment != segment || one.end <= length);
    }

    /// What must be read: all that is not acknowledged, and nothing of files that are gone.
    fn must_hold(&self, epoch: u64) -> Vec<u64> {
        let acknowledged = self.acknowledged.get(&epoch).copied().unwrap_or_default();
        let held = self.held.get(&epoch).into_iter().flatten();
        held.filter(|one| one.sequence > acknowledged)
            .map(|one| one.id)
            .collect()
    }
}

fn lengths(folder: &Path) -> BTreeMap<Name, u64> {
    let length = |name: Name| fs::metadata(name.path(folder)).expect("file").len();
    segments(folder)
        .into_iter()
        .map(|name| (name, length(name)))
        .collect()
}

/// Cuts the newest file of some epoch and answers whether a frame was torn.
fn cut_newest(folder: &Path, model: &mut Model, epoch: usize, keep: f64) -> u64 {
    let lengths = lengths(folder);
    let mut newest: BTreeMap<u64, Name> = BTreeMap::new();
    newest.extend(lengths.keys().map(|name| (name.epoch, *name)));
    let Some(name) = newest.values().nth(epoch % newest.len().max(1)).copied() else {
        return 0;
    };
    let kept = (lengths[&name] as f64 * keep) as u64;
    fs::File::options()
        .write(true)
        .open(name.path(folder))
        .expect("file")
        .set_len(kept)
        .expect("cut");
    model.cut(name, kept);
    let whole = model.held[&name.epoch]
        .iter()
        .filter(|one| one.segment == name)
        .map(|one| one.end)
        .max();
    // With no frame left, a whole header is 32 bytes.
    kept - whole.unwrap_or(if kept >= 32 { 32 } else { 0 })
}

fn check(reader: &mut SpoolReader, model: &Model) {
    reader.tails.iter_mut().for_each(Tail::rewind);
    let read = read_all(reader);
    for epoch in model.held.keys() {
        let expected = model.must_hold(*epoch);
        let found = read.get(epoch).cloned().unwrap_or_default();
        // Acknowledged records in a file that is kept for its other records may be sent again after a restart.
        assert!(
            found.ends_with(&expected),
            "epoch {epoch}: found {found:?}, expected {expected:?}"
        );
        let all: Vec<u64> = model.held[epoch].iter().map(|one| one.id).collect();
        assert!(all.ends_with(&found), "epoch {epoch}: found {found:?} of {all:?}");
    }
    assert!(
        read.keys().all(|epoch| model.held.contains_key(epoch)),
        "an epoch out of nothing"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_whole_is_lost_and_nothing_is_doubled_wherever_it_crashes(steps in steps()) {
        let folder = tempfile::tempdir().expect("folder");
        let small = SpoolSettings { max_bytes: 64 << 10, ..settings(folder.path()) };
        let mut model = Model::default();
        let mut opened = Audit::open(&small, 1).expect("open");
        for (number, step) in (0_u64..).zip(steps) {
            match step {
                Step::Record { padding } => {
                    let before = lengths(folder.path());
                    if opened.audit.append(&record(number, padding)).is_ok() {
                        model.recorded(number, folder.path(), &before);
                    }
                }
                Step::Acknowledge { tail, share } => {
                    read_all(&mut opened.reader);
                    let count = opened.reader.tails.len();
                    let tail = &mut opened.reader.tails[tail % count];
                    let last = model.held.get(&tail.epoch()).and_then(|held| held.last()).map_or(0, |one| one.sequence);
                    let stored = (last as f64 * share) as u64;
                    let held = model.acknowledged.entry(tail.epoch()).or_default();
                    *held = stored.max(*held);
                    let (waiting, freed) = (tail.waiting(), tail.acknowledge(stored, || true));
                    let released = waiting - tail.waiting();
                    opened.audit.released(released, freed);
                }
                Step::Rewind => check(&mut opened.reader, &model),
                Step::Crash { epoch, keep } => {
                    drop(opened);
                    let torn = cut_newest(folder.path(), &mut model, epoch, keep);
                    opened = Audit::open(&small, number).expect("open again");
                    prop_assert_eq!(opened.report.torn_bytes, torn);
                    prop_assert!(opened.report.set_aside.is_empty());
                    check(&mut opened.reader, &model);
                }
            }
        }
        check(&mut opened.reader, &model);
    }
}
