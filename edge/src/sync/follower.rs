//! Follows the log: brings together the bus, the control plane's notices and its changes, and does what
//! [`super::course`] makes of them. One task; nothing here is asked by a request.

use std::{sync::Arc, time::Duration};

use crate::connect::ControlPlane;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use turnpike_access::log::Position;
use turnpike_runtime::{clock, retry::Backoff, task::Tasks};

use super::{
    Standing,
    attach::Told,
    bootstrap,
    course::{Course, Then},
    heal::{Healed, Healing},
    listen::{Heard, Listening},
    shelved::OnBus,
};
use crate::kept::{Keeper, OnDisk};

/// No control plane has answered for so long: this edge begins without. Longer than one takes to be restarted, as a rule.
const ALONE: Duration = Duration::from_secs(3);

pub(super) struct Follower {
    pub(super) channel: ControlPlane,
    pub(super) listening: Listening,
    pub(super) course: Course,
    pub(super) notices: watch::Receiver<Option<Arc<Told>>>,
    pub(super) standing: watch::Sender<Standing>,
    pub(super) healing: Healing,
    /// What an earlier run left, until it is looked for; with what keeping it needs.
    pub(super) on_disk: Option<(OnDisk, Tasks, CancellationToken)>,
    /// What a control plane has put aside for edges that begin, until there is a state.
    pub(super) on_bus: Option<OnBus>,
    /// How far this edge has ever said that it was.
    pub(super) said: Position,
}

impl Follower {
    /// Follows until `done`, wherever that finds it.
    pub(super) async fn run(mut self, done: CancellationToken) {
        tokio::select! {
            () = self.follow() => {}
            () = done.cancelled() => {}
        }
    }

    async fn follow(&mut self) {
        // First of all: requests wait for it.
        let restored = self.restore().await;
        // Before the snapshot, so that nothing falls between the two.
        self.listening.begin().await;
        if !restored {
            self.bootstrap().await;
        }
        // What was committed while the snapshot was on its way and the bus was not heard.
        self.healing.want(Duration::ZERO);
        loop {
            tokio::select! {
                heard = self.listening.next() => self.on_bus(heard).await,
                Ok(()) = self.notices.changed() => self.on_notice().await,
                healed = self.healing.next() => self.on_healed(healed).await,
                () = self.course.replica.kept() => self.report(None),
            }
        }
    }

    /// Serves by what an earlier run left, if there is anything that may be served by. Whether there was.
    async fn restore(&mut self) -> bool {
        let Some((mut on_disk, tasks, done)) = self.on_disk.take() else {
            return false;
        };
        let looking = tasks.blocking("state-restore", move || {
            let found = on_disk.files.load(clock::now(), on_disk.max_age);
            let said = on_disk.files.said();
            (on_disk.files, found, said)
        });
        let Some((files, found, said)) = looking.await else {
            return false;
        };
        self.said = said;
        let found = found.unwrap_or_else(|refused| {
            tracing::error!(%refused, "the state on disk is put aside; waiting for the control plane");
            None
        });
        let position = found.as_ref().map(|found| found.snapshot.position());
        let (handle, keeper) = Keeper::new(files, position, self.course.replica.current());
        tasks.spawn("state-keeper", keeper.run(done));
        if let Some(found) = found {
            let credentials = found.snapshot.credential_count();
            self.course.replica.restore(found);
            tracing::info!(position = ?position.map(Position::get), credentials, "serving by the state on disk");
        }
        self.course.replica.keep_with(handle);
        self.report(None);
        position.is_some()
    }

    /// Fetches a snapshot, as often as it takes.
    async fn bootstrap(&mut self) {
        let mut backoff = Backoff::default();
        let begun = Instant::now();
        loop {
            match bootstrap::fetch(self.channel.clone()).await {
                Ok(snapshot) => {
                    let (position, credentials) = (snapshot.position(), snapshot.credential_count());
                    match self.course.on_whole(snapshot) {
                        Ok(()) => {
                            tracing::info!(%position, credentials, "took the control plane's snapshot");
                            return self.report(None);
                        }
                        Err(why) => {
                            tracing::error!(why, "kept the state that is in force");
                            self.report(Some(why));
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "waiting for a snapshot of the control plane");
                    let alone = !error.is_refusal() && begun.elapsed() >= ALONE;
                    if alone && self.begin_by_the_bus().await {
                        return self.report(None);
                    }
                }
            }
            backoff.wait().await;
        }
    }

    /// Serves by what a control plane has put aside on the bus, where this edge has nothing yet. Whether it does.
    async fn begin_by_the_bus(&mut self) -> bool {
        let Some(on_bus) = self
            .on_bus
            .clone()
            .filter(|_| self.course.replica.head().is_none())
        else {
            return false;
        };
        let taken = match on_bus.fetch(self.said).await {
            Ok(shelved) => {
                let (position, credentials) =
                    (shelved.snapshot.position(), shelved.snapshot.credential_count());
                let seconds = clock::now().as_micros().abs_diff(shelved.made.as_micros()) / 1_000_000;
                let taken = self.course.on_shelved(shelved.snapshot, shelved.keys);
                taken.map(|()| {
                    tracing::warn!(%position, credentials, seconds, "no control plane answers: serving by the state that one has put on the bus");
                })
            }
            Err(why) => Err(why.to_string()),
        };
        if let Err(why) = &taken {
            tracing::warn!(why, "cannot begin by a state on the bus");
        }
        taken.is_ok()
    }

    async fn on_bus(&mut self, heard: Heard) {
        let then = match heard {
            Heard::Message(signed) => self.course.on_bus(&signed, clock::now()),
            Heard::Subscribed => Then::Heal(Duration::ZERO),
        };
        self.act(then).await;
    }

    async fn on_notice(&mut self) {
        let told = self.notices.borrow_and_update().clone();
        let Some(told) = told else { return };
        let listening = self.listening.is_on();
        let then = self
            .course
            .on_notice(&told.notice, told.asked, listening, clock::now());
        self.act(then).await;
    }

    async fn on_healed(&mut self, healed: Healed) {
        let then = match healed {
            Healed::Due { surely } => {
                if surely || self.course.is_behind() {
                    self.healing.begin(self.course.at().position);
                }
                Then::Nothing
            }
            Healed::Batch(batch) => self.course.on_changes(batch, clock::now()),
            Healed::Finished => self.course.on_no_more(),
            Healed::Failed(error) => {
                tracing::debug!(%error, "could not ask the control plane for changes, trying again");
                Then::HealAgain
            }
        };
        self.act(then).await;
    }

    async fn act(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Report => self.report(None),
            Then::Heal(later) => self.healing.want(later),
            Then::HealIfMissing(later) => self.healing.want_if_missing(later),
            Then::Helped => {
                self.healing.helped();
                self.report(None);
            }
            Then::HealAgain => self.healing.want_again(),
            Then::StopHealing => self.healing.stop(),
            Then::StartOver(why) => self.start_over(&why).await,
        }
    }

    /// What is held here is not what the control plane has: take its state whole, once it stands no earlier.
    async fn start_over(&mut self, why: &str) {
        tracing::error!(
            why,
            "the state does not fit the control plane's log; fetching all of it anew"
        );
        self.healing.stop();
        self.course.start_over();
        self.report(Some(why.to_owned()));
        self.bootstrap().await;
    }

    fn report(&self, standing_still: Option<String>) {
        let applied = self.course.replica.applied();
        let halted = self.course.replica.halted().map(str::to_owned).or(standing_still);
        self.standing.send_if_modified(|standing| {
            // What was said once holds, whatever the disk has come to.
            let applied = applied.max(standing.applied);
            let changed = standing.applied != applied || standing.halted != halted;
            if changed {
                *standing = Standing {
                    applied,
                    applied_at: clock::now(),
                    halted,
                };
            }
            changed
        });
    }
}
