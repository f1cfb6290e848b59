//! The spool against a naive model, through crashes at any byte.

use std::{collections::BTreeMap, fs, path::Path};

use prost::Message as _;
use turnpike_access::audit::chain::{Leaf, Link};
use turnpike_proto::audit::v1::{Ending, Outcome, Record};

use super::{
    Audit, Fsync, Opened, SpoolSettings, WhenFull,
    open::SpoolReader,
    segment::Name,
    tail::{Bounds, Tail},
};

mod lanes;
mod model;
mod strict;

pub(super) fn settings(folder: &Path) -> SpoolSettings {
    SpoolSettings {
        folder: folder.to_owned(),
        max_bytes: 1 << 20,
        when_full: WhenFull::Refuse,
        lanes: 2,
        fsync: Fsync::default(),
    }
}

pub(super) fn record(id: u64, padding: usize) -> impl Fn(&mut Vec<u8>) {
    let record = Record {
        request_id: id.to_string(),
        user_agent: "x".repeat(padding),
        outcome: Outcome::Allowed.into(),
        ending: Ending::Complete.into(),
        ..Record::default()
    };
    move |out| record.encode(out).expect("room")
}

/// Everything that can be read now, by epoch, as the numbers that were given to [`record`].
pub(super) fn read_all(reader: &mut SpoolReader) -> BTreeMap<u64, Vec<u64>> {
    let bounds = Bounds {
        records: 3,
        bytes: 4096,
    };
    let mut all: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for tail in &mut reader.tails {
        while let Some(run) = tail.read(bounds, u64::MAX).expect("readable") {
            let held = all.entry(run.epoch).or_default();
            held.extend(
                run.records
                    .iter()
                    .map(|record| Record::decode(record.as_ref()).expect("record"))
                    .map(|record| record.request_id.parse::<u64>().expect("number")),
            );
        }
    }
    all
}

fn segments(folder: &Path) -> Vec<Name> {
    let entries = fs::read_dir(folder).expect("folder");
    let mut names: Vec<_> = entries
        .filter_map(|entry| Name::parse(&entry.expect("entry").path()))
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_recorded_is_read_back_by_the_next_process_and_deleted_when_acknowledged() {
    let folder = tempfile::tempdir().expect("folder");
    let Opened { audit, reader, .. } = Audit::open(&settings(folder.path()), 1).expect("open");
    for id in 0..100 {
        audit.append(&record(id, 50)).expect("room");
    }
    drop((audit, reader));

    let Opened {
        mut reader,
        report,
        audit,
    } = Audit::open(&settings(folder.path()), 2).expect("open again");
    assert_eq!(
        (report.records, report.torn_bytes, audit.waiting()),
        (100, 0, 100)
    );
    let read: Vec<u64> = read_all(&mut reader).into_values().flatten().collect();
    assert_eq!(read.len(), 100);
    for tail in &mut reader.tails {
        tail.acknowledge(u64::MAX, || true);
    }
    assert_eq!(segments(folder.path()), []);
    drop((audit, reader));
    let Opened { report, .. } = Audit::open(&settings(folder.path()), 3).expect("open");
    assert_eq!(report.records, 0);
}

#[test]
fn a_second_process_is_refused_the_folder() {
    let folder = tempfile::tempdir().expect("folder");
    let first = Audit::open(&settings(folder.path()), 1).expect("open");
    assert!(Audit::open(&settings(folder.path()), 2).is_err());
    drop(first);
    assert!(Audit::open(&settings(folder.path()), 3).is_ok());
}

#[test]
fn a_full_spool_lets_no_request_in_and_keeps_room_for_those_under_way() {
    let folder = tempfile::tempdir().expect("folder");
    let Opened {
        audit, mut reader, ..
    } = Audit::open(&settings(folder.path()), 1).expect("open");
    let mut id = 0;
    while audit.has_room() {
        audit.append(&record(id, 1000)).expect("room");
        id += 1;
    }
    audit
        .append(&record(id, 1000))
        .expect("kept back for requests under way");

    let before = audit.waiting();
    read_all(&mut reader);
    let freed: u64 = reader
        .tails
        .iter_mut()
        .map(|tail| tail.acknowledge(u64::MAX, || true))
        .sum();
    audit.released(before, freed);
    assert!(audit.has_room(), "freed {freed} bytes");
}

#[test]
fn a_full_spool_that_drops_goes_on_and_stays_within_its_bound() {
    let folder = tempfile::tempdir().expect("folder");
    let dropping = SpoolSettings {
        when_full: WhenFull::Drop,
        ..settings(folder.path())
    };
    let Opened { audit, .. } = Audit::open(&dropping, 1).expect("open");
    for id in 0..3000 {
        audit.append(&record(id, 1000)).expect("dropped, not refused");
    }
    assert!(audit.has_room());
    let used: u64 = segments(folder.path())
        .iter()
        .map(|name| fs::metadata(name.path(folder.path())).expect("file").len())
        .sum();
    assert!(used <= dropping.max_bytes + 2048, "{used} bytes");
}

#[test]
fn damage_in_the_middle_is_set_aside_and_told() {
    let folder = tempfile::tempdir().expect("folder");
    let one_lane = SpoolSettings {
        lanes: 1,
        max_bytes: 20_000,
        ..settings(folder.path())
    };
    let opened = Audit::open(&one_lane, 1).expect("open");
    for id in 0..15 {
        opened.audit.append(&record(id, 1000)).expect("room");
    }
    drop(opened);
    let first = segments(folder.path())[0].path(folder.path());
    let mut bytes = fs::read(&first).expect("file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&first, bytes).expect("write");

    let Opened {
        mut reader, report, ..
    } = Audit::open(&one_lane, 2).expect("open");
    let read: Vec<u64> = read_all(&mut reader).into_values().flatten().collect();
    assert_eq!(read, (0..report.records).collect::<Vec<_>>());
    assert!(report.records < 15 && !report.set_aside.is_empty());
    assert!(report.set_aside.iter().all(|path| path.exists()));
}

#[test]
fn a_chain_goes_on_after_a_restart_although_its_beginning_is_deleted() {
    let folder = tempfile::tempdir().expect("folder");
    let small = SpoolSettings {
        lanes: 1,
        max_bytes: 20_000,
        ..settings(folder.path())
    };
    let opened = Audit::open(&small, 1).expect("open");
    for id in 0..15 {
        opened.audit.append(&record(id, 1000)).expect("room");
    }
    let all = Bounds {
        records: 100,
        bytes: 1 << 20,
    };
    let mut reader = opened.reader;
    let whole = reader.tails[0]
        .read(all, u64::MAX)
        .expect("readable")
        .expect("records");
    let start = Link::start(whole.epoch);
    let chain = |upto: usize| {
        let numbered = (1..).zip(&whole.records).take(upto);
        numbered.fold(start, |link, (sequence, record)| {
            link.after(sequence, Leaf::of(record))
        })
    };
    assert_eq!(whole.links, Some((start, chain(15))));
    assert!(
        reader.tails[0].acknowledge(11, || true) > 0,
        "a segment is deleted"
    );
    reader.tails[0].rewind();
    let rest = reader.tails[0]
        .read(all, u64::MAX)
        .expect("readable")
        .expect("records");
    assert_eq!((rest.first, rest.links), (12, Some((chain(11), chain(15)))));
    drop((opened.audit, reader));

    let mut again = Audit::open(&small, 2).expect("open").reader;
    let rest = again.tails[0]
        .read(all, u64::MAX)
        .expect("readable")
        .expect("records");
    let first = usize::try_from(rest.first).expect("small") - 1;
    assert!(first > 0);
    assert_eq!(rest.links, Some((chain(first), chain(15))));
    // What is not known is not made up.
    fs::remove_file(folder.path().join(format!("{}.links", whole.epoch))).expect("kept");
    drop(again);
    let mut again = Audit::open(&small, 3).expect("open").reader;
    let rest = again.tails[0]
        .read(all, u64::MAX)
        .expect("readable")
        .expect("records");
    assert_eq!(rest.links, None);
}

#[test]
fn a_rewound_tail_reads_on_from_what_is_acknowledged() {
    let folder = tempfile::tempdir().expect("folder");
    let small = SpoolSettings {
        lanes: 1,
        max_bytes: 20_000,
        ..settings(folder.path())
    };
    let Opened {
        audit, mut reader, ..
    } = Audit::open(&small, 1).expect("open");
    for id in 0..15 {
        audit.append(&record(id, 1000)).expect("room");
    }
    read_all(&mut reader);
    let tail: &mut Tail = &mut reader.tails[0];
    tail.acknowledge(11, || true);
    tail.rewind();
    let again: Vec<u64> = read_all(&mut reader).into_values().flatten().collect();
    assert_eq!(again, [11, 12, 13, 14]);
}
