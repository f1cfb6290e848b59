//! Many threads at once.

use std::{collections::BTreeSet, thread};

use super::*;

#[test]
fn many_threads_write_at_once_and_every_record_is_there_in_its_threads_order() {
    const THREADS: u64 = 8;
    const EACH: u64 = 2000;
    let folder = tempfile::tempdir().expect("folder");
    let roomy = SpoolSettings {
        max_bytes: 64 << 20,
        lanes: 3,
        ..settings(folder.path())
    };
    let Opened {
        audit, mut reader, ..
    } = Audit::open(&roomy, 1).expect("open");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let audit = &audit;
            scope.spawn(move || {
                for number in 0..EACH {
                    audit.append(&record(thread * EACH + number, 40)).expect("room");
                }
            });
        }
    });
    let read = read_all(&mut reader);
    let all: BTreeSet<u64> = read.values().flatten().copied().collect();
    assert_eq!(all.len() as u64, THREADS * EACH);
    assert_eq!(
        read.values().map(Vec::len).sum::<usize>() as u64,
        THREADS * EACH,
        "none twice"
    );
    for lane in read.values() {
        for thread in 0..THREADS {
            let of_thread: Vec<_> = lane.iter().filter(|id| *id / EACH == thread).collect();
            assert!(of_thread.is_sorted());
        }
    }
}

#[test]
fn a_reader_beside_the_writers_never_sees_half_a_record() {
    const RECORDS: u64 = 20_000;
    let folder = tempfile::tempdir().expect("folder");
    let roomy = SpoolSettings {
        max_bytes: 4 << 20,
        ..settings(folder.path())
    };
    let Opened {
        audit, mut reader, ..
    } = Audit::open(&roomy, 1).expect("open");
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for id in 0..RECORDS {
                audit.append(&record(id, 60)).expect("room");
            }
        });
        let mut seen = Vec::new();
        loop {
            let last_look = writer.is_finished();
            seen.extend(read_all(&mut reader).into_values().flatten());
            if last_look {
                break;
            }
        }
        assert_eq!(seen, (0..RECORDS).collect::<Vec<_>>());
    });
}
