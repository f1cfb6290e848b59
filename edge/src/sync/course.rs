//! What follows from what is heard: all that [`super::follower`] decides, and nothing that it does. Knows no network, no
//! tasks and no timers, so that a simulation can lead it through any order of events.

use std::time::Duration;

use prost::Message as _;
use turnpike_access::{
    id::Timestamp,
    log::{Head, Position, Recorded},
    snapshot::Snapshot,
};
use turnpike_proto::sync::{
    self,
    v1::{Batch, Notice, Signed, signed::Kind},
};
use turnpike_runtime::signing::VerifyingKeys;

use super::{
    follow::Incoming,
    replica::{Outcome, Replica},
};
use crate::freshness::Moment;

/// How long what a notice tells of may take over the bus before the control plane is asked for it.
pub(super) const BUS_GRACE: Duration = Duration::from_millis(100);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// Tell the control plane where this edge stands.
    Report,
    /// Ask the control plane for changes, so much later.
    Heal(Duration),
    /// The same, if something is still missing then.
    HealIfMissing(Duration),
    /// Asking has helped; tell where this edge stands.
    Helped,
    /// Ask again, each time later.
    HealAgain,
    /// Give up what was asked.
    StopHealing,
    /// What is held here is not what the control plane has, and why: take its state whole.
    StartOver(String),
}

/// Where this edge is, and what it knows of where it should be.
pub(super) struct Course {
    pub(super) replica: Replica,
    keys: VerifyingKeys,
    /// The newest head that the control plane or the bus told of.
    known: Head,
    /// From this position on, all that was committed by this moment is in force.
    certain: Option<(Position, Moment)>,
}

impl Course {
    pub(super) fn new(replica: Replica) -> Self {
        Self {
            replica,
            keys: VerifyingKeys::default(),
            known: Head::default(),
            certain: None,
        }
    }

    /// Where the state stands.
    pub(super) fn at(&self) -> Head {
        self.replica.head().unwrap_or_default()
    }

    /// Whether more is known of than is in force.
    pub(super) fn is_behind(&self) -> bool {
        self.known.position > self.at().position
    }

    /// A message of the bus, which is not believed for coming from there.
    pub(super) fn on_bus(&mut self, signed: &Signed, now: Timestamp) -> Then {
        match self.verified(signed, now) {
            // The bus is not believed about contradictions either: the control plane decides.
            Ok(Outcome::Diverged(_) | Outcome::Missing) => Then::Heal(Duration::ZERO),
            Ok(Outcome::Applied | Outcome::Unchanged) => Then::Report,
            Err(reason) => {
                tracing::warn!(reason, "a message on the bus is not believed");
                Then::Heal(BUS_GRACE)
            }
        }
    }

    fn verified(&mut self, signed: &Signed, now: Timestamp) -> Result<Outcome, String> {
        let kind = self.keys.verify(signed).map_err(|error| error.to_string())?;
        let body = signed.body.as_ref();
        let undecodable = |error: prost::DecodeError| error.to_string();
        match kind {
            Kind::Batch => {
                let events = sync::read_batch(Batch::decode(body).map_err(undecodable)?);
                let events = events.map_err(|error| error.to_string())?;
                Ok(self.take(&events, now))
            }
            Kind::Head => {
                let head = sync::v1::Head::decode(body).map_err(undecodable)?;
                let (head, _) = sync::read_head(&head).map_err(|error| error.to_string())?;
                Ok(self.take_head(head, now))
            }
            Kind::Unspecified => Err("neither a batch nor a head".to_owned()),
        }
    }

    /// A notice of the control plane's; `asked` is when the report was sent that it answers. `listening`: what it tells of
    /// is on its way over the bus, as a rule.
    pub(super) fn on_notice(
        &mut self,
        notice: &Notice,
        asked: Option<Moment>,
        listening: bool,
        now: Timestamp,
    ) -> Then {
        self.keys = VerifyingKeys::new(notice.keys.iter().cloned());
        let Some(Ok((head, _))) = notice.head.as_ref().map(sync::read_head) else {
            return Then::Nothing;
        };
        // One at a time: were each replaced by the next, none might ever be reached.
        if let (None, Some(asked)) = (self.certain, asked) {
            self.certain = Some((head.position, asked));
        }
        match self.take_head(head, now) {
            Outcome::Missing if listening => Then::HealIfMissing(BUS_GRACE),
            Outcome::Missing => Then::Heal(Duration::ZERO),
            Outcome::Diverged(why) => Then::StartOver(why),
            Outcome::Applied | Outcome::Unchanged => {
                self.confirm();
                Then::Nothing
            }
        }
    }

    /// Changes that the control plane was asked for.
    pub(super) fn on_changes(&mut self, batch: Batch, now: Timestamp) -> Then {
        let events = match sync::read_batch(batch) {
            Ok(events) => events,
            Err(error) => return Then::StartOver(error.to_string()),
        };
        match self.take(&events, now) {
            Outcome::Applied => Then::Helped,
            Outcome::Unchanged => Then::Report,
            // What it sent is not what was asked for.
            Outcome::Missing => Then::StopHealing,
            Outcome::Diverged(why) => Then::StartOver(why),
        }
    }

    /// The control plane had no more changes.
    pub(super) fn on_no_more(&self) -> Then {
        match self.replica.halted().is_none() && self.is_behind() {
            true => Then::HealAgain,
            false => Then::Nothing,
        }
    }

    /// The whole state, as the control plane sent it; why it is not taken.
    pub(super) fn on_whole(&mut self, snapshot: Snapshot) -> Result<(), String> {
        let position = snapshot.position();
        match self.replica.replace(snapshot) {
            true => Ok(()),
            false => Err(format!(
                "the control plane stands at {position}, before this edge; it may have been restored from a backup"
            )),
        }
    }

    /// The state that lay on the bus, and whose word counts there; why it is not taken.
    pub(super) fn on_shelved(&mut self, snapshot: Snapshot, keys: VerifyingKeys) -> Result<(), String> {
        self.on_whole(snapshot)?;
        self.keys = keys;
        Ok(())
    }

    /// The state is to be taken whole: what was to become certain of the one before never will.
    pub(super) fn start_over(&mut self) {
        self.certain = None;
    }

    fn take(&mut self, events: &[Recorded], now: Timestamp) -> Outcome {
        let outcome = self.replica.take(Incoming::Batch(events), now);
        self.confirm();
        outcome
    }

    fn take_head(&mut self, head: Head, now: Timestamp) -> Outcome {
        if head.position > self.known.position {
            self.known = head;
        }
        self.replica.take(Incoming::Head(head), now)
    }

    /// What is certain from a position on is certain once it is reached.
    fn confirm(&mut self) {
        let reached = self.replica.head().map(|head| head.position);
        if let Some((_, moment)) = self.certain.take_if(|(from, _)| reached >= Some(*from)) {
            self.replica.confirm(moment);
        }
    }
}
