//! Listens to the bus, where there is one, and subscribes anew when it breaks. Believes nothing of what it hears.

use std::{fmt::Display, time::Duration};

use futures::{StreamExt as _, future::BoxFuture};
use prost::Message as _;
use tokio::time::timeout;
use turnpike_proto::sync::v1::Signed;
use turnpike_runtime::{
    bus::{BusError, Messages, SharedBus},
    retry::Backoff,
};

/// How long the start waits for the bus. It goes on without: what is missed is healed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is heard.
pub(super) enum Heard {
    /// A message as it came.
    Message(Signed),
    /// A new subscription: what was published before it was not heard.
    Subscribed,
}

/// The subscription, or the attempts to get one.
pub(super) struct Listening {
    bus: Option<SharedBus>,
    state: State,
    backoff: Backoff,
}

enum State {
    Off,
    Opening(BoxFuture<'static, Result<Messages, BusError>>),
    On(Messages),
}

impl Listening {
    pub(super) fn new(bus: Option<SharedBus>) -> Self {
        Self {
            bus,
            state: State::Off,
            backoff: Backoff::default(),
        }
    }

    /// Subscribes, or tries for a moment.
    pub(super) async fn begin(&mut self) {
        if self.bus.is_some() && timeout(PATIENCE, self.next()).await.is_err() {
            tracing::warn!(
                "no subscription on the bus yet; following the control plane alone until there is one"
            );
        }
    }

    /// Whether there is a subscription.
    pub(super) fn is_on(&self) -> bool {
        matches!(self.state, State::On(_))
    }

    /// The next thing heard; nothing ever where there is no bus. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            match &mut self.state {
                State::Off => match self.bus.clone() {
                    Some(bus) => {
                        self.state = State::Opening(Box::pin(async move { bus.subscribe().await }));
                    }
                    None => std::future::pending().await,
                },
                State::Opening(opening) => match opening.await {
                    Ok(messages) => {
                        self.state = State::On(messages);
                        self.backoff.reset();
                        return Heard::Subscribed;
                    }
                    Err(error) => self.lost(&error),
                },
                State::On(messages) => match messages.next().await {
                    Some(message) => match Signed::decode(message) {
                        Ok(signed) => return Heard::Message(signed),
                        Err(error) => tracing::warn!(%error, "what the bus brought is no message of ours"),
                    },
                    None => self.lost(&"the subscription ended"),
                },
            }
        }
    }

    fn lost(&mut self, error: &dyn Display) {
        let Some(bus) = self.bus.clone() else {
            return;
        };
        let delay = self.backoff.next_delay();
        tracing::warn!(%error, ?delay, "the bus is not heard, subscribing again; the control plane is asked meanwhile");
        self.state = State::Opening(Box::pin(async move {
            tokio::time::sleep(delay).await;
            bus.subscribe().await
        }));
    }
}
