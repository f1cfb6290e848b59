//! One edge of a simulation: the real course, state, freshness and disk; its timers and connections are the world's.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::FutureExt as _;
use turnpike_access::{
    id::Timestamp,
    log::{Head, Position},
    snapshot::Snapshot,
};
use turnpike_runtime::keyring::Keyring;

use super::{
    super::{attach::Asked, course::Course, replica::Replica},
    log::TENANT,
};
use crate::{
    current::Current,
    freshness::{Freshness, Moment},
    kept::{Files, Keeper},
};

const DAY: Duration = Duration::from_secs(86_400);

/// What runs, from a start to a kill.
pub(super) struct Run {
    /// Which run it is.
    pub(super) id: u64,
    pub(super) course: Course,
    pub(super) current: Arc<Current>,
    keeper: Option<Keeper>,
    /// The position that was last said.
    pub(super) said: Option<Position>,
    /// For the stream to the control plane.
    pub(super) asked: Asked,
    pub(super) stream: u64,
    pub(super) plane: usize,
    pub(super) last_report: u64,
    /// A heal is wanted by then, surely or if something is missing.
    pub(super) wanted: Option<(u64, bool)>,
    /// The call for changes that runs.
    pub(super) call: Option<u64>,
    pub(super) booting: bool,
    /// The position that requests were last judged at.
    pub(super) seen: Position,
}

/// An edge, running or not.
pub(super) struct Vessel {
    pub(super) run: Option<Run>,
    /// Its clock is so much before the others', in microseconds.
    pub(super) skew: i64,
    folder: Option<PathBuf>,
    keyring: Keyring,
    name: Arc<str>,
    disk: tokio::runtime::Runtime,
}

impl Vessel {
    pub(super) fn new(number: usize, folder: Option<PathBuf>) -> Self {
        let disk = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        Self {
            run: None,
            skew: 0,
            folder,
            keyring: Keyring::parse(&Keyring::generate()).expect("a keyring"),
            name: Arc::from(format!("edge-{number}")),
            disk,
        }
    }

    /// Starts it, by what is on its disk if that may be served by. Whether it was.
    pub(super) fn start(&mut self, id: u64, now: Moment, wall: Timestamp) -> bool {
        let current = Arc::new(Current::with(Freshness::beginning(now)));
        let mut replica = Replica::new(current.clone());
        let mut keeper = None;
        let mut restored = false;
        if let Some(folder) = self.folder.clone() {
            let mut files = Files::new(
                folder,
                self.name.clone(),
                self.keyring.authenticator("simulation"),
            );
            let found = files.load(wall, DAY).unwrap_or_default();
            let position = found.as_ref().map(|found| found.snapshot.position());
            let (handle, disk) = Keeper::new(files, position, current.clone());
            if let Some(found) = found {
                replica.restore(found);
                restored = true;
            }
            replica.keep_with(handle);
            keeper = Some(disk);
        }
        self.run = Some(Run {
            id,
            course: Course::new(replica),
            current,
            keeper,
            said: None,
            asked: Asked::default(),
            stream: 0,
            plane: 0,
            last_report: 0,
            wanted: None,
            call: None,
            booting: !restored,
            seen: Position::ZERO,
        });
        restored
    }

    /// Ends as by `kill -9`; at times the disk loses the end of a file.
    pub(super) fn kill(&mut self, lose: Option<u64>) {
        self.run = None;
        if let (Some(folder), Some(bytes)) = (&self.folder, lose) {
            let path = folder.join("journal");
            if let Ok(file) = std::fs::OpenOptions::new().write(true).open(&path) {
                let length = file.metadata().map_or(0, |metadata| metadata.len());
                file.set_len(length.saturating_sub(bytes)).expect("cut");
            }
        }
    }

    /// The disk does what waits for it.
    pub(super) fn turn_disk(&mut self) {
        let Some(run) = &mut self.run else { return };
        if let Some(keeper) = &mut run.keeper {
            self.disk.block_on(keeper.turn());
            // Hands a whole state over where one is missing.
            let _ = run.course.replica.kept().now_or_never();
            self.disk.block_on(keeper.turn());
        }
    }
}

impl Run {
    /// What the edge may say of itself now, as [`super::super::follower`] does.
    pub(super) fn says(&mut self) -> Option<Position> {
        self.said = self.course.replica.applied().max(self.said);
        self.said
    }

    /// Whether a request of the tenant would be judged now, and by what.
    pub(super) fn serves(&self, now: Moment) -> Option<Arc<Snapshot>> {
        let snapshot = Arc::new(self.current.copy()?);
        let tenant = snapshot.tenant(TENANT)?;
        let fenced = tenant.settings().staleness.max_seconds.is_some_and(|most| {
            let age = self.current.freshness().age_at(now);
            age.is_none_or(|age| age > Duration::from_secs(most.into()))
        });
        (!fenced).then_some(snapshot)
    }

    pub(super) fn head(&self) -> Option<Head> {
        self.current.copy().map(|snapshot| snapshot.head())
    }
}
