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
    /// The wanted moment has come: begin, if something is still missing.
    Due,
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
    Wanted(Instant),
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

    /// Asks to begin so much later. What is wanted or running already stays as it is.
    pub(super) fn want(&mut self, later: Duration) {
        if matches!(self.state, State::Idle) {
            self.state = State::Wanted(Instant::now() + later);
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
            State::Wanted(at) => {
                sleep_until(*at).await;
                Healed::Due
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
