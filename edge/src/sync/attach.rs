//! The stream that is held open to the control plane: this edge says where it stands, and hears the head and the keys.
//!
//! It is never the way of events; what it says only tells [`super::follower`] that something is missing.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::connect::ControlPlane;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use turnpike_access::{edge::Duty, id::Timestamp, log::Position};
use turnpike_proto::sync::v1::{Notice, Report, sync_client::SyncClient};
use turnpike_runtime::{identity::Applied, retry::Backoff};

use super::{Identity, Standing};
use crate::{current::Current, freshness::Moment};

/// How often the edge reports even when nothing changed.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How long an edge whose stream broke waits at least before it makes another …
const AGAIN: Duration = Duration::from_millis(100);
/// … and at most, however long there was nobody to make it to: so soon after there is, every edge is back, and they do not come all at once.
const AGAIN_AT_MOST: Duration = Duration::from_secs(5);
/// How long the last report may take at shutdown.
const GOODBYE: Duration = Duration::from_secs(1);

/// Reports whose answer may still come. Beyond it new ones are not noted: an answer to them is taken for one to the last that was.
const ASKED: usize = 64;

/// A notice, and for when it is an answer.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) notice: Notice,
    /// When the report was sent that it answers.
    pub(super) asked: Option<Moment>,
}

/// When reports of a stream were sent.
#[derive(Debug, Default)]
pub(super) struct Asked {
    last: u64,
    sent: VecDeque<(u64, Moment)>,
    /// When the newest report was sent, of those noted, that was answered.
    answered: Option<Moment>,
}

impl Asked {
    /// The number of a report that is sent now.
    pub(super) fn next(&mut self, now: Moment) -> u64 {
        self.last += 1;
        if self.sent.len() < ASKED {
            self.sent.push_back((self.last, now));
        }
        self.last
    }

    /// When the report of this number was sent, or the last before it that was noted.
    pub(super) fn sent(&mut self, number: u64) -> Option<Moment> {
        while let Some((_, moment)) = self.sent.pop_front_if(|(noted, _)| *noted <= number) {
            self.answered = Some(moment);
        }
        self.answered
    }
}

/// Holds the stream until shutdown, and makes it anew when it breaks.
pub(super) struct Attach {
    pub(super) channel: ControlPlane,
    pub(super) identity: Arc<Identity>,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) notices: watch::Sender<Option<Arc<Told>>>,
    pub(super) current: Arc<Current>,
    pub(super) duty: Arc<watch::Sender<Duty>>,
    /// The last statement: most reports say nothing new.
    pub(super) said: Option<(Applied, String)>,
}

impl Attach {
    /// Ends with a goodbye when `done` says that this edge serves nobody any more.
    pub(super) async fn run(mut self, done: CancellationToken) {
        let mut backoff = Backoff::new(AGAIN, AGAIN_AT_MOST);
        let mut told = false;
        loop {
            let Err(error) = self.session(&done, &mut backoff, &mut told).await else {
                return;
            };
            if error.code() == Code::PermissionDenied {
                // Nothing is said to this edge any more, and it has nothing to say.
                self.duty.send_replace(Duty::Revoked);
                return done.cancelled().await;
            }
            // Once for each interruption, not once for each attempt.
            if !told {
                tracing::warn!(%error, "not attached to the control plane, trying again; requests are served as before");
                told = true;
            }
            tokio::select! {
                () = backoff.wait() => {}
                () = done.cancelled() => return,
            }
        }
    }

    /// One stream. `Ok`: goodbye is said.
    async fn session(
        &mut self,
        done: &CancellationToken,
        backoff: &mut Backoff,
        told: &mut bool,
    ) -> Result<(), Status> {
        // One place: reports are coalesced in the watch, never queued.
        let (sender, receiver) = mpsc::channel(1);
        let mut asked = Asked::default();
        drop(sender.try_send(self.report(&mut asked, false)));
        let mut client = SyncClient::new(self.channel.clone());
        let mut notices = tokio::select! {
            opened = client.attach(ReceiverStream::new(receiver)) => opened?.into_inner(),
            () = done.cancelled() => return Ok(()),
        };
        let mut tick = interval(REPORT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                notice = notices.message() => {
                    let closed = || Status::unavailable("the control plane closed the stream");
                    let notice = notice?.ok_or_else(closed)?;
                    backoff.reset();
                    *told = false;
                    let asked = asked.sent(notice.heard);
                    self.notices.send_replace(Some(Arc::new(Told { notice, asked })));
                    continue;
                }
                Ok(()) = self.standing.changed() => {}
                _ = tick.tick() => {}
                () = done.cancelled() => break,
            }
            // With the last report still on its way, the next tick or change brings the newest.
            match sender.try_reserve() {
                Ok(room) => room.send(self.report(&mut asked, false)),
                Err(TrySendError::Full(())) => {}
                Err(TrySendError::Closed(())) => {
                    return Err(Status::unavailable("the control plane takes no reports"));
                }
            }
        }
        let goodbye = async {
            drop(sender.send(self.report(&mut asked, true)).await);
            drop(sender);
            // The control plane closes its side when it has read everything.
            while let Ok(Some(_)) = notices.message().await {}
        };
        drop(timeout(GOODBYE, goodbye).await);
        Ok(())
    }

    /// The edge's signed word; none where it has no key.
    fn statement(&mut self, position: Position, since: Timestamp) -> String {
        let Identity {
            edge,
            region,
            epoch,
            signer,
            ..
        } = &*self.identity;
        let applied = Applied {
            edge: edge.as_ref().to_owned(),
            region: region.as_ref().to_owned(),
            run: *epoch,
            position,
            since,
        };
        let said = self.said.take().filter(|(said, _)| *said == applied);
        let sign = || {
            signer
                .as_ref()
                .map(|signer| signer.state(&applied))
                .unwrap_or_default()
        };
        let statement = said.map_or_else(sign, |(_, statement)| statement);
        self.said = Some((applied, statement.clone()));
        statement
    }

    fn report(&mut self, asked: &mut Asked, goodbye: bool) -> Report {
        let Standing {
            applied,
            applied_at,
            halted,
        } = self.standing.borrow_and_update().clone();
        let statement = applied.map(|position| self.statement(position, applied_at));
        let age = self.current.freshness().age();
        let Identity {
            edge,
            region,
            version,
            epoch,
            key,
            proof,
            signer: _,
        } = &*self.identity;
        Report {
            edge: edge.as_ref().to_owned(),
            region: region.as_ref().to_owned(),
            version: version.as_ref().to_owned(),
            applied: applied.map_or(0, Position::get),
            applied_time_us: applied_at.as_micros(),
            halted: halted.unwrap_or_default(),
            // Drained, it may be asked to serve again, and stays attached.
            goodbye: goodbye || self.current.serves_nobody(),
            epoch: *epoch,
            identity_key: key.as_ref().to_owned(),
            identity_proof: proof.to_vec(),
            number: asked.next(Moment::now()),
            statement: statement.unwrap_or_default(),
            certain_ago_us: age.map(|age| u64::try_from(age.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_from_the_report_that_it_answers() {
        let mut asked = Asked::default();
        let numbers: Vec<_> = (0..3).map(|_| asked.next(Moment::now())).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let [first, second] = [0, 1].map(|index| format!("{:?}", Some(asked.sent[index].1)));
        assert!(asked.sent(0).is_none(), "nothing is answered yet");
        assert_eq!(format!("{:?}", asked.sent(1)), first);
        assert_eq!(format!("{:?}", asked.sent(2)), second);
        assert_eq!(format!("{:?}", asked.sent(2)), second, "said again");
    }

    #[test]
    fn questions_that_nobody_answers_do_not_pile_up_and_an_answer_counts_from_the_last_that_was_noted() {
        let mut asked = Asked::default();
        for _ in 0..ASKED * 3 {
            asked.next(Moment::now());
        }
        assert_eq!(asked.sent.len(), ASKED);
        let noted = format!("{:?}", asked.sent.back().map(|(_, moment)| *moment));
        assert_eq!(format!("{:?}", asked.sent(asked.last)), noted);
        asked.next(Moment::now());
        assert_eq!(asked.sent.len(), 1, "there is room again");
    }
}
