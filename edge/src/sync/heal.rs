//! Fetches what is missing from the control plane: at most one call at a time, begun a moment after it was wanted.

use std::{pin::Pin, time::Duration};

use crate::connect::ControlPlane;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep_until};
use tonic::{Status, codec::CompressionEncoding};
use turnpike_access::log::Position;
use turnpike_proto::sync::v1::{Batch, ChangesRequest, sync_client::SyncClient};
use turnpike_runtime::retry::Backoff;

type Batches = Pin<Box<dyn Stream<Item = Result<Batch, Status>> + Send>>;

/// What came of it.
pub(super) enum Healed {
    /// The wanted moment has come: begin, `surely` or if something is still missing.
    Due { surely: bool },
    /// Events after the position that was asked for.
    Batch(Batch),
    /// The control plane has no more.
    Finished,
    /// It did not answer, or broke off.
    Failed(Status),
}

/// At most one call for changes.
pub(super) struct Healing {
    channel: ControlPlane,
    state: State,
    backoff: Backoff,
}

enum State {
    Idle,
    Wanted { at: Instant, surely: bool },
    Running(Batches),
}

impl Healing {
    pub(super) fn new(channel: ControlPlane) -> Self {
        Self {
            channel,
            state: State::Idle,
            backoff: Backoff::default(),
        }
    }

    /// Asks to begin so much later. Neither what runs nor an earlier moment is put off.
    pub(super) fn want(&mut self, later: Duration) {
        self.want_at(Instant::now() + later, true);
    }

    /// Asks to begin so much later if something is still missing then: as a rule it is on its way over the bus.
    pub(super) fn want_if_missing(&mut self, later: Duration) {
        self.want_at(Instant::now() + later, false);
    }

    fn want_at(&mut self, moment: Instant, sure: bool) {
        match &mut self.state {
            State::Idle => {
                self.state = State::Wanted {
                    at: moment,
                    surely: sure,
                }
            }
            State::Wanted { at, surely } => {
                *at = moment.min(*at);
                *surely |= sure;
            }
            State::Running(_) => {}
        }
    }

    /// Asks to begin again after a failure, each time later.
    pub(super) fn want_again(&mut self) {
        let later = self.backoff.next_delay();
        self.want(later);
    }

    /// It helped.
    pub(super) fn helped(&mut self) {
        self.backoff.reset();
    }

    /// Begins to fetch what comes after this position.
    pub(super) fn begin(&mut self, after: Position) {
        let mut client = SyncClient::new(self.channel.clone())
            .accept_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(super::LARGEST_MESSAGE);
        let after = after.get();
        let call =
            async move { Ok::<_, Status>(client.changes(ChangesRequest { after }).await?.into_inner()) };
        self.state = State::Running(Box::pin(stream::once(call).try_flatten()));
    }

    /// Gives up what runs.
    pub(super) fn stop(&mut self) {
        self.state = State::Idle;
    }

    /// The next thing that happens; nothing ever while nothing is wanted. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Healed {
        let happened = match &mut self.state {
            State::Idle => std::future::pending().await,
            State::Wanted { at, surely } => {
                sleep_until(*at).await;
                Healed::Due { surely: *surely }
            }
            State::Running(batches) => match batches.next().await {
                Some(Ok(batch)) => return Healed::Batch(batch),
                Some(Err(status)) => Healed::Failed(status),
                None => Healed::Finished,
            },
        };
        self.state = State::Idle;
        happened
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::{ControlPlanes, EdgeToken, channel};

    const LONG: Duration = Duration::from_secs(3600);

    fn healing() -> Healing {
        let nowhere = ControlPlanes::from(http::Uri::from_static("http://127.0.0.1:1"));
        Healing::new(channel(&nowhere, None, EdgeToken::of(None)).expect("a channel"))
    }

    #[tokio::test]
    async fn what_may_still_come_over_the_bus_is_asked_for_only_if_it_has_not() {
        let mut healing = healing();
        healing.want_if_missing(Duration::ZERO);
        assert!(matches!(healing.next().await, Healed::Due { surely: false }));
        healing.want_if_missing(LONG);
        healing.want(Duration::ZERO);
        assert!(matches!(healing.next().await, Healed::Due { surely: true }));
        healing.want(Duration::ZERO);
        healing.want_if_missing(LONG);
        assert!(matches!(healing.next().await, Healed::Due { surely: true }));
    }
}
