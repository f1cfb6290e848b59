//! The state on this edge's own disk, by which it serves after a restart before any control plane answers.
//!
//! `snapshot` is a whole state, `journal` the events after it, `witness` how far the edge has ever said that it was. All are
//! marked under the keyring: what somebody else wrote, what is another edge's, and what is older than this edge has
//! said are refused, and the edge waits for a control plane as if there were nothing. An edge says that it has applied a
//! position only when its disk has it, or has no state at all: otherwise a restart could undo a revocation that
//! somebody has a receipt for.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use turnpike_access::{
    codec::Unreadable,
    fold::FoldError,
    id::Timestamp,
    log::{Position, Recorded},
    snapshot::Snapshot,
};
use turnpike_runtime::keyring::authenticator::Authenticator;

use self::{
    journal::Journal,
    witness::{Testimony, Witness},
};

mod file;
mod journal;
mod keeper;
#[cfg(test)]
mod tests;
mod witness;

pub(crate) use keeper::{Handle, Keeper};

/// A journal longer than this, and than the state before it, is folded into a new state.
const LONG_JOURNAL: u64 = 16 << 20;
/// The files without which there is no state.
const STATE: [&str; 2] = ["snapshot", "journal"];
/// What may be left of them where writing was broken off; it takes room that is wanted.
const HALF: [&str; 2] = ["snapshot.new", "journal.new-journal"];

/// Why what is on the disk is not used. The edge waits for a control plane instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not as this edge wrote it.
    #[error("{0} is not as this edge wrote it")]
    Damaged(&'static str),
    /// Made under another keyring.
    #[error("it was made under a key that is not in this edge's keyring")]
    Foreign,
    /// Of another edge.
    #[error("it is the state of edge {0:?}")]
    OfAnother(String),
    /// Written by a newer version.
    #[error("it has format {0}, which this version of Turnpike does not read")]
    Newer(u32),
    /// Authentic, and nothing that this version can use.
    #[error(transparent)]
    Unreadable(Unreadable),
    /// Authentic, and nothing that this version can use.
    #[error("the journal cannot be folded: {0}")]
    Unfoldable(FoldError),
    /// An older copy of it, or its end is missing.
    #[error(
        "it stands at position {found}, and this edge has said that it was at {said}: it is an older copy, or its end is missing"
    )]
    RolledBack {
        /// Where it stands.
        found: Position,
        /// Where the edge was.
        said: Position,
    },
    /// Nobody has confirmed it for too long.
    #[error("nothing has confirmed it for {0} s, which is longer than --snapshot-max-age")]
    TooOld(u64),
}

/// The state on the disk, before it is looked for.
pub struct OnDisk {
    /// The files.
    pub(crate) files: Files,
    /// For how long nobody may have confirmed it.
    pub(crate) max_age: Duration,
}

/// A state that may be served by.
pub(crate) struct Found {
    pub(crate) snapshot: Snapshot,
    /// Everything committed by then is in it, by this machine's clock.
    pub(crate) certain: Timestamp,
}

/// The files. Everything here blocks.
pub(crate) struct Files {
    folder: PathBuf,
    edge: Arc<str>,
    authenticator: Authenticator,
    witness: Option<Witness>,
    journal: Option<Journal>,
    /// How long the state's file is, in bytes.
    state: u64,
}

impl Files {
    /// The files of an edge in a folder. Nothing is touched yet.
    pub(crate) fn new(folder: PathBuf, edge: Arc<str>, authenticator: Authenticator) -> Self {
        Self {
            folder,
            edge,
            authenticator,
            witness: None,
            journal: None,
            state: 0,
        }
    }

    /// What this edge left there, if it may be served by; from then on it is gone on with.
    ///
    /// # Errors
    /// There is something, and it is refused. It is put aside, for people to look at: were it found again after the edge
    /// has gone on without it, it would be out of date.
    pub(crate) fn load(&mut self, now: Timestamp, max_age: Duration) -> Result<Option<Found>, Refused> {
        let found = self.find(now, max_age);
        if found.is_err() {
            for name in STATE {
                let path = self.folder.join(name);
                drop(fs::rename(&path, path.with_extension("refused")));
            }
            self.discard();
        }
        found
    }

    /// How far this edge has ever said that it was; nowhere, where that is not known.
    pub(crate) fn said(&self) -> Position {
        let said = witness::read(&self.folder.join("witness"), &self.edge, &self.authenticator);
        said.ok().flatten().unwrap_or_default().position
    }

    fn find(&mut self, now: Timestamp, max_age: Duration) -> Result<Option<Found>, Refused> {
        let path = self.folder.join("snapshot");
        if !path.try_exists()? {
            return Ok(None);
        }
        let said = witness::read(&self.folder.join("witness"), &self.edge, &self.authenticator)?;
        let said = said.ok_or(Refused::Damaged("the witness, which is missing,"))?;
        let age = now.as_micros().saturating_sub(said.certain.as_micros());
        // A clock that was set back tells nothing about the age.
        if age < 0 || u128::from(age.unsigned_abs()) > max_age.as_micros() {
            return Err(Refused::TooOld(age.unsigned_abs() / 1_000_000));
        }
        let mut snapshot = file::read(&path, &self.edge, &self.authenticator)?;
        let journal = self.folder.join("journal");
        let found = journal::read(&journal, &self.edge, &self.authenticator)?;
        for event in &found.events {
            if event.position > snapshot.position() {
                snapshot.fold(event).map_err(Refused::Unfoldable)?;
            }
        }
        if snapshot.position() < said.position {
            return Err(Refused::RolledBack {
                found: snapshot.position(),
                said: said.position,
            });
        }
        self.state = path.metadata()?.len();
        self.journal = Some(Journal::go_on(&journal, &found)?);
        self.witness = Some(Witness::open(&self.folder.join("witness"), said)?);
        Ok(Some(Found {
            snapshot,
            certain: said.certain,
        }))
    }

    /// Puts a whole state in the place of what was there. `said` is how far the edge may have said that it was.
    pub(crate) fn replace(&mut self, snapshot: &Snapshot, said: Position) -> io::Result<()> {
        self.journal = None;
        fs::create_dir_all(&self.folder)?;
        // Before the state is there: one that is older than what was said must be known for it from the beginning.
        self.say(Testimony {
            position: said,
            certain: Timestamp::default(),
        })?;
        let path = self.folder.join("snapshot");
        let journal = self.folder.join("journal");
        // An old journal beside a new state is harmless: what the state holds is passed over. The other way is not.
        file::write(&path, &self.edge, &self.authenticator, snapshot)?;
        let begun = Journal::begin(&journal, &self.edge, &self.authenticator, snapshot.head())?;
        self.state = path.metadata()?.len();
        self.journal = Some(begun);
        Ok(())
    }

    /// Adds events to the state, and returns when they outlive a power failure.
    pub(crate) fn append(&mut self, events: &[Recorded]) -> io::Result<()> {
        let no_state = || io::Error::other("there is no state yet to add events to");
        let journal = self.journal.as_mut().ok_or_else(no_state)?;
        journal.append(&self.authenticator, events)?;
        let position = events.last().map_or(Position::ZERO, |event| event.position);
        self.say(Testimony {
            position,
            certain: Timestamp::default(),
        })
    }

    /// Notes as of when the state is certain.
    pub(crate) fn certain(&mut self, certain: Timestamp) -> io::Result<()> {
        self.say(Testimony {
            position: Position::ZERO,
            certain,
        })
    }

    /// Whether the events are to be folded into a new state.
    pub(crate) fn is_long(&self) -> bool {
        let length = self.journal.as_ref().map_or(0, Journal::length);
        length > LONG_JOURNAL.max(self.state)
    }

    /// Takes the state away, since it does not follow any more. Even a full disk lets that be done.
    pub(crate) fn discard(&mut self) {
        self.journal = None;
        for name in STATE.into_iter().chain(HALF) {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::error!(%error, name, "remove this file by hand before this edge is started again: it is out of date");
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, newer: Testimony) -> io::Result<()> {
        let witness = match &mut self.witness {
            Some(witness) => witness,
            none => {
                let path = self.folder.join("witness");
                // One that cannot be read has refused a state already; it begins anew with a new state.
                let before = witness::read(&path, &self.edge, &self.authenticator);
                let before = before.ok().flatten().unwrap_or_default();
                none.insert(Witness::open(&path, before)?)
            }
        };
        let before = witness.testimony();
        if newer.position > before.position || newer.certain > before.certain {
            witness.say(&self.edge, &self.authenticator, newer)?;
        }
        Ok(())
    }
}
