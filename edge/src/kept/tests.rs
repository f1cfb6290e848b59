//! The files: what is found again, and what is refused.

use std::path::Path;

use tempfile::{TempDir, tempdir};
use turnpike_runtime::{clock, keyring::Keyring};

use super::*;
use crate::sync::tests_log;

const DAY: Duration = Duration::from_secs(86_400);

struct Bed {
    ring: Keyring,
    folder: TempDir,
    log: Vec<Recorded>,
}

fn state(log: &[Recorded]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    log.iter().for_each(|event| snapshot.fold(event).unwrap());
    snapshot
}

impl Bed {
    /// Eight events: a whole state of the first three, two journalled batches, certain just now.
    fn new() -> Self {
        Self::with(Keyring::parse(&Keyring::generate()).unwrap())
    }

    fn with(ring: Keyring) -> Self {
        let bed = Self {
            ring,
            folder: tempdir().unwrap(),
            log: tests_log(8),
        };
        let mut files = bed.files();
        files.replace(&state(&bed.log[..3]), Position::ZERO).unwrap();
        files.append(&bed.log[3..5]).unwrap();
        files.append(&bed.log[5..7]).unwrap();
        files.certain(clock::now()).unwrap();
        bed
    }

    fn files(&self) -> Files {
        self.files_of("edge-1", &self.ring)
    }

    fn files_of(&self, edge: &str, ring: &Keyring) -> Files {
        Files::new(
            self.folder.path().to_owned(),
            Arc::from(edge),
            ring.authenticator("state"),
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn found(&self) -> Result<u64, Refused> {
        let found = self.files().load(clock::now(), DAY)?;
        Ok(found.map_or(0, |found| found.snapshot.position().get()))
    }

    fn refused(&self) -> Refused {
        self.found().expect_err("what is there must be refused")
    }
}

fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_state_and_what_came_after_it_are_found_again_and_gone_on_with() {
    let bed = Bed::new();
    let mut files = bed.files();
    let found = files.load(clock::now(), DAY).unwrap().unwrap();
    assert_eq!(found.snapshot.head(), state(&bed.log[..7]).head());
    files.append(&bed.log[7..]).unwrap();
    drop(files);
    assert_eq!(bed.found().unwrap(), 8);
    assert_eq!(bed.found().unwrap(), 8, "looking takes nothing away");
}

#[test]
fn an_empty_folder_holds_nothing_and_is_no_fault() {
    let bed = Bed {
        folder: tempdir().unwrap(),
        ..Bed::new()
    };
    assert_eq!(bed.found().unwrap(), 0);
}

#[test]
fn whatever_byte_is_changed_the_state_is_refused() {
    for name in ["snapshot", "journal", "witness"] {
        let length = fs::read(Bed::new().path(name)).unwrap().len();
        // Every byte of the small one, and a good many of the others.
        for at in (0..length).step_by(if name == "witness" { 1 } else { 7 }) {
            let bed = Bed::new();
            change(&bed.path(name), |bytes| bytes[at] ^= 1);
            assert!(bed.found().is_err(), "byte {at} of {name}");
        }
    }
}

#[test]
fn a_file_that_has_lost_its_last_bytes_is_refused() {
    for name in ["snapshot", "journal", "witness"] {
        let length = fs::read(Bed::new().path(name)).unwrap().len();
        for lost in [1, 2, 31, 33, 40] {
            let bed = Bed::new();
            change(&bed.path(name), |bytes| {
                bytes.truncate(length.saturating_sub(lost))
            });
            assert!(bed.found().is_err(), "{name} without its last {lost} bytes");
        }
    }
}

#[test]
fn a_journal_that_ends_in_the_middle_of_what_was_never_said_goes_on_before_it() {
    let bed = Bed::new();
    // Half a record, as a crash leaves it: nobody was told of it.
    change(&bed.path("journal"), |bytes| bytes.extend([9, 0, 0, 0, 1, 2]));
    let mut files = bed.files();
    assert_eq!(
        files
            .load(clock::now(), DAY)
            .unwrap()
            .unwrap()
            .snapshot
            .position()
            .get(),
        7
    );
    files.append(&bed.log[7..]).unwrap();
    drop(files);
    assert_eq!(bed.found().unwrap(), 8);
}

#[test]
fn a_state_of_another_keyring_or_another_edge_is_refused() {
    let bed = Bed::new();
    let other = Keyring::parse(&Keyring::generate()).unwrap();
    let refused = bed.files_of("edge-1", &other).load(clock::now(), DAY);
    assert!(
        matches!(refused, Err(Refused::Damaged("the witness"))),
        "{:?}",
        refused.err()
    );
    let bed = Bed::new();
    assert!(bed.files_of("edge-2", &bed.ring).load(clock::now(), DAY).is_err());
    // Even with a witness of its own.
    let [theirs, ours] = [Bed::with(bed.ring.clone()), Bed::with(bed.ring.clone())];
    let mut files = theirs.files_of("edge-2", &bed.ring);
    files.replace(&state(&bed.log[..3]), Position::ZERO).unwrap();
    files.certain(clock::now()).unwrap();
    for name in ["snapshot", "journal"] {
        fs::copy(theirs.path(name), ours.path(name)).unwrap();
    }
    assert!(matches!(ours.refused(), Refused::OfAnother(name) if name == "edge-2"));
}

#[test]
fn an_older_copy_is_refused_by_what_the_edge_has_said_since() {
    let bed = Bed::new();
    let copies = ["snapshot", "journal"].map(|name| (name, fs::read(bed.path(name)).unwrap()));
    let mut files = bed.files();
    files.load(clock::now(), DAY).unwrap();
    files.append(&bed.log[7..]).unwrap();
    files.replace(&state(&bed.log), Position::new(8)).unwrap();
    files.certain(clock::now()).unwrap();
    drop(files);
    for (name, bytes) in copies {
        fs::write(bed.path(name), bytes).unwrap();
    }
    assert!(
        matches!(bed.refused(), Refused::RolledBack { found, said } if (found.get(), said.get()) == (7, 8))
    );
    assert_eq!(bed.found().unwrap(), 0, "it is put aside");
    assert!(bed.path("snapshot.refused").exists());
}

#[test]
fn a_state_that_nobody_has_confirmed_for_long_is_refused() {
    let bed = Bed::new();
    let later = clock::now().plus_seconds(86_500);
    assert!(matches!(bed.files().load(later, DAY), Err(Refused::TooOld(_))));
    let bed = Bed::new();
    let earlier = clock::now().plus_seconds(-3600);
    assert!(
        bed.files().load(earlier, DAY).is_err(),
        "a clock that was set back"
    );
}

#[test]
fn a_state_is_not_served_by_before_it_has_come_as_far_as_the_edge_had_said() {
    let bed = Bed::new();
    let mut files = bed.files();
    files.discard();
    files.replace(&state(&bed.log[..3]), Position::new(8)).unwrap();
    files.certain(clock::now()).unwrap();
    drop(files);
    assert!(matches!(bed.refused(), Refused::RolledBack { .. }));
}

#[test]
fn a_crash_between_a_new_state_and_its_journal_loses_nothing() {
    let bed = Bed::new();
    let journal = fs::read(bed.path("journal")).unwrap();
    let mut files = bed.files();
    files.load(clock::now(), DAY).unwrap();
    files.replace(&state(&bed.log[..7]), Position::new(7)).unwrap();
    drop(files);
    fs::write(bed.path("journal"), journal).unwrap();
    assert_eq!(bed.found().unwrap(), 7);
}

#[test]
fn a_file_of_a_newer_version_is_refused_for_what_it_is() {
    let bed = Bed::new();
    change(&bed.path("snapshot"), |bytes| {
        let text = String::from_utf8_lossy(bytes).replacen(
            "\"turnpike_edge_state\":1",
            "\"turnpike_edge_state\":2",
            1,
        );
        *bytes = text.into_bytes();
    });
    assert!(matches!(bed.refused(), Refused::Newer(2)));
}
