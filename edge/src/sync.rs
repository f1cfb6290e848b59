//! Keeps [`crate::current::Current`] up to date.
//!
//! The bus is quick and not trusted, the control plane is trusted and not quick: what the bus brings is verified and
//! folded at once, and whatever is missing, doubled or wrong there is made good by asking the control plane. The
//! position never goes back, and an event that this build cannot interpret is never skipped.

use std::sync::Arc;

use crate::connect::ControlPlane;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnpike_access::{edge::Duty, id::Timestamp, log::Position};
use turnpike_runtime::{bus::SharedBus, identity::EdgeSigner, readiness::Condition, task::Tasks};

use self::{
    attach::{Attach, Told},
    course::Course,
    follower::Follower,
    heal::Healing,
    listen::Listening,
    replica::Replica,
};
use crate::{current::Current, kept::OnDisk};

mod attach;
mod bootstrap;
mod course;
mod follow;
mod follower;
mod heal;
mod listen;
mod replica;
mod shelved;
#[cfg(test)]
mod simulation;
mod stale;
#[cfg(test)]
mod tests;

pub use shelved::OnBus;

/// A log of so many events, for tests elsewhere.
#[cfg(test)]
pub(crate) use follow::tests::log as tests_log;

/// The largest message of the control plane's that is read, in bytes.
const LARGEST_MESSAGE: usize = 16 << 20;

/// Who this edge is to the control plane.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub edge: Arc<str>,
    /// Its region.
    pub region: Arc<str>,
    /// The version of this build.
    pub version: Arc<str>,
    /// This run of the process: microseconds since 1970 when it started.
    pub epoch: u64,
    /// The public key by which it signs identity headers.
    pub key: Arc<str>,
    /// That it has the private half.
    pub proof: Arc<[u8]>,
    /// Signs what it says of its position; `None`: nothing does.
    pub signer: Option<Arc<EdgeSigner>>,
}

/// Where this edge stands, as it tells the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last event in force; `None` before the first snapshot.
    pub applied: Option<Position>,
    /// Since when.
    pub applied_at: Timestamp,
    /// Why it does not go on, where it does not.
    pub halted: Option<String>,
}

/// What keeping up to date needs.
pub struct Sync {
    /// To the control plane; connects when first used.
    pub channel: ControlPlane,
    /// The control plane's address, for people.
    pub control_plane: String,
    /// Where changes are heard first; `None`: they come from the control plane alone.
    pub bus: Option<SharedBus>,
    /// Who this edge is.
    pub identity: Identity,
    /// What is kept up to date.
    pub current: Arc<Current>,
    /// What this edge is to do; the control plane says it here when it sends the edge away.
    pub duty: Arc<watch::Sender<Duty>>,
    /// The state that an earlier run left; `None`: none is kept.
    pub on_disk: Option<OnDisk>,
    /// The state that a control plane has put aside on the bus; `None`: this edge does not begin by it.
    pub on_bus: Option<OnBus>,
    /// Holds once there is a snapshot and nothing keeps the edge from following the log.
    pub condition: Condition,
}

impl Sync {
    /// Starts the tasks. They end when `done` says that this edge serves nobody any more, after a goodbye.
    ///
    /// What is returned tells where the edge stands.
    pub fn start(self, tasks: &Tasks, done: &CancellationToken) -> watch::Receiver<Standing> {
        let (standing, stands) = watch::channel(Standing::default());
        let (notices, noticed) = watch::channel::<Option<Arc<Told>>>(None);
        let attach = Attach {
            channel: self.channel.clone(),
            identity: Arc::new(self.identity),
            standing: stands.clone(),
            notices,
            current: self.current.clone(),
            duty: self.duty,
            said: None,
        };
        tasks.spawn("sync-stale", stale::tell(self.current.clone(), done.clone()));
        let follower = Follower {
            channel: self.channel.clone(),
            listening: Listening::new(self.bus),
            course: Course::new(Replica::new(self.current)),
            notices: noticed,
            standing,
            healing: Healing::new(self.channel),
            on_disk: self.on_disk.map(|on_disk| (on_disk, tasks.clone(), done.clone())),
            on_bus: self.on_bus,
            said: Position::ZERO,
        };
        tasks.spawn_essential("sync-attach", attach.run(done.clone()));
        tasks.spawn_essential("sync-follow", follower.run(done.clone()));
        let readiness = tell_readiness(self.condition, self.control_plane, stands.clone(), done.clone());
        tasks.spawn("sync-readiness", readiness);
        stands
    }
}

/// An edge that stands still serves on, but says so: it should be replaced, not given more to do.
async fn tell_readiness(
    condition: Condition,
    control_plane: String,
    mut standing: watch::Receiver<Standing>,
    done: CancellationToken,
) {
    loop {
        let now = standing.borrow_and_update().clone();
        match (now.applied, now.halted) {
            (_, Some(why)) => condition.waiting(why),
            (None, None) => condition.waiting(format!(
                "for the control plane's first snapshot, from {control_plane}"
            )),
            (Some(_), None) => condition.ready(),
        }
        tokio::select! {
            () = done.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
        }
    }
}
