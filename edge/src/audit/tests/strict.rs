//! What survives power failure, on a disk that forgets all that was not synced.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;
use tempfile::TempDir;
use turnpike_access::audit::AuditRecord;

use super::*;
use crate::audit::{Fsync, Report, Unrecorded, losses};

fn whole(id: u64) -> AuditRecord {
    let torn = Report {
        torn_bytes: 1,
        ..Report::default()
    };
    let any = losses::found(&torn, turnpike_access::id::Timestamp::from_micros(1));
    AuditRecord {
        request_id: Arc::from(id.to_string()),
        ..any[0].clone()
    }
}

type Securing<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + 'a>>;

/// Asks for a place on the disk, and waits for nothing.
fn asked(audit: &Audit, id: u64) -> Securing<'_> {
    let mut securing: Securing<'_> = Box::pin(audit.secure(&[(&whole(id), false)]));
    assert!(!ready(&mut securing));
    securing
}

fn secured(audit: &Audit, id: u64) -> Result<(), Unrecorded> {
    wait(audit.secure(&[(&whole(id), false)]))
}

fn ready(securing: &mut Securing<'_>) -> bool {
    matches!(
        securing.as_mut().poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(Ok(()))
    )
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("runtime").block_on(future)
}

#[test]
fn requests_that_wait_at_once_share_one_fsync_and_none_goes_on_before_it_is_done() {
    let folder = tempfile::tempdir().expect("folder");
    let (begun, began) = mpsc::channel();
    let (allow, allowed) = mpsc::channel::<()>();
    let (begun, allowed) = (Mutex::new(begun), Mutex::new(allowed));
    let gated = SpoolSettings {
        fsync: Fsync::by(move |_| {
            begun.lock().unwrap().send(()).unwrap();
            allowed.lock().unwrap().recv().map_err(io::Error::other)
        }),
        ..settings(folder.path())
    };
    let Opened { audit, .. } = Audit::open(&gated, 1).expect("open");
    let mut first = asked(&audit, 1);
    // The new journal, its folder, and the folder without older ones.
    for _ in 0..3 {
        began.recv().expect("an fsync");
        assert!(!ready(&mut first));
        allow.send(()).unwrap();
    }
    wait(first).expect("on the disk");
    let second = asked(&audit, 2);
    began.recv().expect("an fsync");
    let mut others: Vec<_> = (3..40).map(|id| asked(&audit, id)).collect();
    allow.send(()).unwrap();
    wait(second).expect("on the disk");
    began.recv().expect("one fsync for all the others");
    assert!(!others.iter_mut().any(ready));
    allow.send(()).unwrap();
    for other in others {
        wait(other).expect("on the disk");
    }
    assert!(began.try_recv().is_err(), "no further fsync");
}

#[test]
fn an_fsync_that_fails_refuses_those_that_wait_for_it_and_the_next_begins_anew() {
    let folder = tempfile::tempdir().expect("folder");
    let failing = Arc::new(Mutex::new(false));
    let fails = failing.clone();
    let faulty = SpoolSettings {
        fsync: Fsync::by(move |_| match *fails.lock().unwrap() {
            true => Err(io::Error::other("the disk is gone")),
            false => Ok(()),
        }),
        ..settings(folder.path())
    };
    let Opened { audit, .. } = Audit::open(&faulty, 1).expect("open");
    secured(&audit, 1).expect("on the disk");
    *failing.lock().unwrap() = true;
    let refused = secured(&audit, 2).expect_err("it is not on the disk");
    assert!(refused.to_string().contains("the disk is gone"), "{refused}");
    *failing.lock().unwrap() = false;
    secured(&audit, 3).expect("on the disk");
    drop(audit);
    let Opened {
        mut reader, report, ..
    } = Audit::open(&faulty, 2).expect("open");
    let mut found: Vec<u64> = read_all(&mut reader).into_values().flatten().collect();
    found.sort_unstable();
    assert_eq!(
        (report.unfinished, found),
        (2, vec![1, 3]),
        "the one that was refused left nothing"
    );
}

#[test]
fn a_lane_that_cannot_be_synced_lets_no_strict_request_in_until_the_next_start_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let faulty = SpoolSettings {
        lanes: 1,
        fsync: Fsync::by(
            |file| match path_of(file).parent().is_some_and(|of| of.ends_with("openings")) {
                true => Ok(()),
                false if path_of(file).is_dir() => Ok(()),
                false => Err(io::Error::other("the disk is gone")),
            },
        ),
        ..settings(folder.path())
    };
    let Opened { audit, .. } = Audit::open(&faulty, 1).expect("open");
    for id in 1..=3 {
        secured(&audit, id).expect("on the disk");
    }
    audit.record(&whole(1), true).expect("room");
    assert!(!audit.may_delete(), "it is not known to be on the disk");
    secured(&audit, 4).expect_err("what would be the next journal may not be begun");
    drop(audit);
    let sound = settings(folder.path());
    let Opened { mut reader, .. } = Audit::open(&sound, 2).expect("open");
    let found: BTreeSet<u64> = read_all(&mut reader).into_values().flatten().collect();
    assert_eq!(found, BTreeSet::from([1, 2, 3]));
}

fn path_of(file: &File) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("a path")
}

/// What of the files is on the disk: of each file the bytes up to a length, of each folder the names.
#[derive(Default)]
struct Disk {
    lengths: HashMap<PathBuf, u64>,
    names: BTreeSet<PathBuf>,
}

impl Disk {
    /// A hard link keeps what is deleted, because its deletion may not be on the disk.
    fn sync(&mut self, file: &File, shadow: &Path) {
        let path = path_of(file);
        if !path.is_dir() {
            self.lengths.insert(path, file.metadata().expect("file").len());
            return;
        }
        self.names.retain(|name| name.parent() != Some(&path));
        for found in files_in(&path) {
            drop(fs::hard_link(&found, shadow.join(flat(&found))));
            self.names.insert(found);
        }
    }

    /// What was not synced is gone, but for a share of the bytes that may have been written all the same.
    fn power_loss(&self, folder: &Path, shadow: &Path, share: f64) {
        for name in &self.names {
            if !name.exists() {
                fs::hard_link(shadow.join(flat(name)), name).expect("it was kept");
            }
        }
        for found in [folder.to_owned(), folder.join("openings")]
            .iter()
            .flat_map(|folder| files_in(folder))
        {
            if !self.names.contains(&found) {
                fs::remove_file(&found).expect("file");
                continue;
            }
            let synced = self.lengths.get(&found).copied().unwrap_or_default();
            let file = File::options().write(true).open(&found).expect("file");
            let unsynced = file.metadata().expect("file").len() - synced;
            file.set_len(synced + (unsynced as f64 * share) as u64)
                .expect("cut");
        }
    }
}

fn flat(path: &Path) -> String {
    path.to_string_lossy().replace('/', "|")
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "seg"))
        .collect()
}

#[derive(Debug, Clone)]
enum Step {
    /// A request begins, and its client may have the beginning of the answer.
    Begin,
    /// The oldest that is under way ends.
    End,
    /// The control plane stores this share of what there is.
    Upload(f64),
    Kill,
    PowerLoss(f64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => Just(Step::Begin),
        8 => Just(Step::End),
        3 => (0.0..=1.0).prop_map(Step::Upload),
        1 => Just(Step::Kill),
        2 => (0.0..=1.0).prop_map(Step::PowerLoss),
    ];
    prop::collection::vec(step, 1..60)
}

struct World {
    spool: SpoolSettings,
    shadow: TempDir,
    disk: Arc<Mutex<Disk>>,
    opened: Option<Opened>,
    /// What the control plane has stored, by epoch and sequence.
    stored: BTreeMap<(u64, u64), u64>,
    runs: u64,
}

impl World {
    fn new(folder: &Path) -> Self {
        let (shadow, disk) = (
            tempfile::tempdir().expect("folder"),
            Arc::<Mutex<Disk>>::default(),
        );
        let (watched, aside) = (disk.clone(), shadow.path().to_owned());
        let fsync = Fsync::by(move |file| {
            watched.lock().unwrap().sync(file, &aside);
            Ok(())
        });
        let spool = SpoolSettings {
            max_bytes: 16 << 10,
            fsync,
            ..settings(folder)
        };
        let mut world = Self {
            spool,
            shadow,
            disk,
            opened: None,
            stored: BTreeMap::new(),
            runs: 0,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        self.opened = None;
        self.runs += 1;
        self.opened = Some(Audit::open(&self.spool, self.runs).expect("open"));
    }

    fn audit(&self) -> &Audit {
        &self.opened.as_ref().expect("open").audit
    }

    fn upload(&mut self, share: f64) {
        let opened = self.opened.as_mut().expect("open");
        for tail in &mut opened.reader.tails {
            let all = Bounds {
                records: usize::MAX,
                bytes: usize::MAX,
            };
            let up_to = tail.written();
            opened.audit.settle().expect("a sound disk");
            // What it cannot read any more is lost, and told.
            let Ok(Some(run)) = tail.read(all, up_to) else {
                continue;
            };
            let count = (run.records.len() as f64 * share).round() as usize;
            for (sequence, record) in (run.first..).zip(run.records.iter().take(count)) {
                let record = Record::decode(record.as_ref()).expect("record");
                self.stored
                    .insert((run.epoch, sequence), record.request_id.parse().expect("number"));
            }
            let waiting = tail.waiting();
            let freed = tail.acknowledge((run.first + count as u64).saturating_sub(1), || {
                opened.audit.may_delete()
            });
            opened.audit.released(waiting - tail.waiting(), freed);
            tail.rewind();
        }
        opened.reader.tails.retain(|tail| !tail.is_done());
    }

    /// How often each request is in what is stored and in what is still to be.
    fn rows(&mut self) -> HashMap<u64, usize> {
        let mut all = self.stored.clone();
        let opened = self.opened.as_mut().expect("open");
        for tail in &mut opened.reader.tails {
            let bounds = Bounds {
                records: usize::MAX,
                bytes: usize::MAX,
            };
            if let Ok(Some(run)) = tail.read(bounds, u64::MAX) {
                for (sequence, record) in (run.first..).zip(&run.records) {
                    let record = Record::decode(record.as_ref()).expect("record");
                    all.insert((run.epoch, sequence), record.request_id.parse().expect("number"));
                }
            }
            tail.rewind();
        }
        let mut counts = HashMap::new();
        for id in all.values() {
            *counts.entry(*id).or_default() += 1;
        }
        counts
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_answer_began_has_exactly_one_record_wherever_the_power_fails(steps in steps()) {
        let folder = tempfile::tempdir().expect("folder");
        let mut world = World::new(folder.path());
        let (mut begun, mut under_way) = (BTreeSet::new(), BTreeSet::new());
        for (id, step) in (1..).zip(steps) {
            match step {
                Step::Begin => {
                    let securing = world.audit().secure(&[(&whole(id), false)]);
                    if wait(securing).is_ok() {
                        begun.insert(id);
                        under_way.insert(id);
                    }
                }
                Step::End => {
                    if let Some(id) = under_way.pop_first() {
                        world.audit().record(&whole(id), true).expect("room");
                    }
                }
                Step::Upload(share) => world.upload(share),
                Step::Kill => {
                    world.start();
                    under_way.clear();
                }
                Step::PowerLoss(share) => {
                    world.opened = None;
                    let disk = std::mem::take(&mut *world.disk.lock().unwrap());
                    disk.power_loss(folder.path(), world.shadow.path(), share);
                    *world.disk.lock().unwrap() = disk;
                    world.start();
                    under_way.clear();
                }
            }
        }
        world.start();
        let rows = world.rows();
        for id in &begun {
            prop_assert_eq!(rows.get(id), Some(&1), "request {}: {:?}", id, rows);
        }
    }
}
