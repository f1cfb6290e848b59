//! The bus within one process, as `turnpike dev` uses it.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use turnpike_access::log::Position;

use super::{Bus, BusError, Messages};

/// How many messages wait for the slowest subscriber. Beyond it the oldest are dropped for that subscriber, which
/// sees the gap and heals it.
const CAPACITY: usize = 1024;

/// Hands every message to all who subscribe in this process.
#[derive(Debug, Clone)]
pub struct LocalBus {
    sender: broadcast::Sender<Bytes>,
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl LocalBus {
    /// A bus without subscribers. Clones share it.
    pub fn new() -> Self {
        Self::default()
    }

    fn with_capacity(capacity: usize) -> Self {
        Self {
            sender: broadcast::Sender::new(capacity),
        }
    }

    /// Nobody listening is no failure: the bus promises delivery to those who listen.
    fn send(&self, message: Bytes) {
        drop(self.sender.send(message));
    }
}

#[async_trait]
impl Bus for LocalBus {
    fn is_shared(&self) -> bool {
        false
    }

    async fn publish_events(&self, _last: Position, message: Bytes) -> Result<(), BusError> {
        self.send(message);
        Ok(())
    }

    async fn publish_head(&self, message: Bytes) -> Result<(), BusError> {
        self.send(message);
        Ok(())
    }

    async fn subscribe(&self) -> Result<Messages, BusError> {
        let heard = BroadcastStream::new(self.sender.subscribe());
        let heard = heard.filter_map(async |message| match message {
            Ok(message) => Some(message),
            Err(BroadcastStreamRecvError::Lagged(lost)) => {
                tracing::debug!(lost, "a subscriber is too slow for the bus");
                None
            }
        });
        Ok(heard.boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_subscriber_loses_the_oldest_and_goes_on() {
        let bus = LocalBus::with_capacity(2);
        let mut heard = bus.subscribe().await.unwrap();
        for number in 0..5_u8 {
            bus.publish_head(Bytes::copy_from_slice(&[number])).await.unwrap();
        }
        assert_eq!(heard.next().await.unwrap().as_ref(), [3]);
        assert_eq!(heard.next().await.unwrap().as_ref(), [4]);
    }
}
