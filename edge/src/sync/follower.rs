//! Follows the log: brings together the bus, the control plane's notices and its changes, and lets
//! [`super::replica`] fold what they bring. One task; nothing here is asked by a request.

use std::{sync::Arc, time::Duration};

use crate::connect::ControlPlane;
use prost::Message as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnpike_access::log::{Head, Position, Recorded};
use turnpike_proto::sync::{
    self,
    v1::{Batch, Signed, signed::Kind},
};
use turnpike_runtime::{clock, retry::Backoff, signing::VerifyingKeys, task::Tasks};

use super::{
    Standing,
    attach::Told,
    bootstrap,
    follow::Incoming,
    heal::{Healed, Healing},
    listen::{Heard, Listening},
    replica::{Outcome, Replica},
};
use crate::{
    freshness::Moment,
    kept::{Keeper, OnDisk},
};

/// How long what a notice tells of may take over the bus before the control plane is asked for it.
const BUS_GRACE: Duration = Duration::from_millis(100);

pub(super) struct Follower {
    pub(super) channel: ControlPlane,
    pub(super) listening: Listening,
    pub(super) replica: Replica,
    pub(super) notices: watch::Receiver<Option<Arc<Told>>>,
    pub(super) standing: watch::Sender<Standing>,
    pub(super) healing: Healing,
    pub(super) keys: VerifyingKeys,
    /// The newest head that the control plane or the bus told of.
    pub(super) known: Head,
    /// From this position on, all that was committed by this moment is in force.
    pub(super) certain: Option<(Position, Moment)>,
    /// What an earlier run left, until it is looked for; with what keeping it needs.
    pub(super) on_disk: Option<(OnDisk, Tasks, CancellationToken)>,
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
                () = self.replica.kept() => self.report(None),
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
            (on_disk.files, found)
        });
        let Some((files, found)) = looking.await else {
            return false;
        };
        let found = found.unwrap_or_else(|refused| {
            tracing::error!(%refused, "the state on disk is put aside; waiting for the control plane");
            None
        });
        let position = found.as_ref().map(|found| found.snapshot.position());
        let (handle, keeper) = Keeper::new(files, position, self.replica.current());
        tasks.spawn("state-keeper", keeper.run(done));
        if let Some(found) = found {
            let credentials = found.snapshot.credential_count();
            self.replica.restore(found);
            tracing::info!(position = ?position.map(Position::get), credentials, "serving by the state on disk");
        }
        self.replica.keep_with(handle);
        self.report(None);
        position.is_some()
    }

    /// Fetches a snapshot, as often as it takes.
    async fn bootstrap(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            match bootstrap::fetch(self.channel.clone()).await {
                Ok(snapshot) => {
                    let (position, credentials) = (snapshot.position(), snapshot.credential_count());
                    if self.replica.replace(snapshot) {
                        tracing::info!(%position, credentials, "took the control plane's snapshot");
                        return self.report(None);
                    }
                    let why = format!(
                        "the control plane stands at {position}, before this edge; it may have been restored from a backup"
                    );
                    tracing::error!(why, "kept the state that is in force");
                    self.report(Some(why));
                }
                Err(error) => tracing::warn!(%error, "waiting for a snapshot of the control plane"),
            }
            backoff.wait().await;
        }
    }

    async fn on_bus(&mut self, heard: Heard) {
        match heard {
            Heard::Message(signed) => match self.verified(&signed) {
                // The bus is not believed about contradictions either: the control plane decides.
                Ok(outcome) => match outcome {
                    Outcome::Diverged(_) | Outcome::Missing => self.healing.want(Duration::ZERO),
                    Outcome::Applied | Outcome::Unchanged => self.report(None),
                },
                Err(reason) => {
                    tracing::warn!(reason, "a message on the bus is not believed");
                    self.healing.want(BUS_GRACE);
                }
            },
            Heard::Subscribed => self.healing.want(Duration::ZERO),
        }
    }

    fn verified(&mut self, signed: &Signed) -> Result<Outcome, String> {
        let kind = self.keys.verify(signed).map_err(|error| error.to_string())?;
        let body = signed.body.as_ref();
        let undecodable = |error: prost::DecodeError| error.to_string();
        match kind {
            Kind::Batch => {
                let events = sync::read_batch(Batch::decode(body).map_err(undecodable)?);
                let events = events.map_err(|error| error.to_string())?;
                Ok(self.take(&events))
            }
            Kind::Head => {
                let head = sync::v1::Head::decode(body).map_err(undecodable)?;
                let (head, _) = sync::read_head(&head).map_err(|error| error.to_string())?;
                Ok(self.take_head(head))
            }
            Kind::Unspecified => Err("neither a batch nor a head".to_owned()),
        }
    }

    fn take(&mut self, events: &[Recorded]) -> Outcome {
        let outcome = self.replica.take(Incoming::Batch(events), clock::now());
        self.confirm();
        outcome
    }

    fn take_head(&mut self, head: Head) -> Outcome {
        if head.position > self.known.position {
            self.known = head;
        }
        self.replica.take(Incoming::Head(head), clock::now())
    }

    async fn on_notice(&mut self) {
        let told = self.notices.borrow_and_update().clone();
        let Some(told) = told else { return };
        let notice = &told.notice;
        self.keys = VerifyingKeys::new(notice.keys.iter().cloned());
        let Some(Ok((head, _))) = notice.head.as_ref().map(sync::read_head) else {
            return;
        };
        // One at a time: were each replaced by the next, none might ever be reached.
        if let (None, Some(asked)) = (self.certain, told.asked) {
            self.certain = Some((head.position, asked));
        }
        match self.take_head(head) {
            Outcome::Missing if self.listening.is_on() => self.healing.want(BUS_GRACE),
            Outcome::Missing => self.healing.want(Duration::ZERO),
            Outcome::Diverged(why) => self.start_over(&why).await,
            Outcome::Applied | Outcome::Unchanged => self.confirm(),
        }
    }

    /// What is certain from a position on is certain once it is reached.
    fn confirm(&mut self) {
        let reached = self.replica.head().map(|head| head.position);
        if let Some((_, moment)) = self.certain.take_if(|(from, _)| reached >= Some(*from)) {
            self.replica.confirm(moment);
        }
    }

    async fn on_healed(&mut self, healed: Healed) {
        let at = self.replica.head().unwrap_or_default();
        match healed {
            Healed::Due => self.healing.begin(at.position),
            Healed::Batch(batch) => match sync::read_batch(batch) {
                Ok(events) => match self.take(&events) {
                    Outcome::Applied => {
                        self.healing.helped();
                        self.report(None);
                    }
                    Outcome::Unchanged => self.report(None),
                    // What it sent is not what was asked for.
                    Outcome::Missing => self.healing.stop(),
                    Outcome::Diverged(why) => self.start_over(&why).await,
                },
                Err(error) => self.start_over(&error.to_string()).await,
            },
            Healed::Finished if self.replica.halted().is_none() && self.known.position > at.position => {
                self.healing.want_again();
            }
            Healed::Finished => {}
            Healed::Failed(error) => {
                tracing::debug!(%error, "could not ask the control plane for changes, trying again");
                self.healing.want_again();
            }
        }
    }

    /// What is held here is not what the control plane has: take its state whole, once it stands no earlier.
    async fn start_over(&mut self, why: &str) {
        tracing::error!(
            why,
            "the state does not fit the control plane's log; fetching all of it anew"
        );
        self.healing.stop();
        self.certain = None;
        self.report(Some(why.to_owned()));
        self.bootstrap().await;
    }

    fn report(&self, standing_still: Option<String>) {
        let applied = self.replica.applied();
        let halted = self.replica.halted().map(str::to_owned).or(standing_still);
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
