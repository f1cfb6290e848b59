//! Carries news from control planes to edges: quickly, and without a promise.
//!
//! The bus is latency, not truth. Whatever it loses, doubles or reorders, edges make good from the control plane, so
//! every implementation may drop what a slow subscriber has no room for. What is carried is signed by whoever
//! publishes and verified by whoever hears it; here it is bytes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use turnpike_access::log::Position;

use self::nats::shelf::Shelf;

pub mod local;
pub mod nats;
pub mod whole;

#[cfg(test)]
mod contract;

/// What is published from the moment of the subscription on. It survives the loss of the connection, but misses what
/// was published meanwhile. Its end is the end of the bus.
pub type Messages = BoxStream<'static, Bytes>;

/// Events and heads, from those who publish to all who subscribe.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Whether other processes publish here as well, so that one of them should do it for all.
    fn is_shared(&self) -> bool;

    /// Where whole states are kept for edges that begin while no control plane answers; `None`: nowhere.
    fn shelf(&self) -> Option<Shelf> {
        None
    }

    /// Publishes a batch of events and returns once the bus has it. `last` is the position of the last event in it:
    /// of two messages with the same one the bus may drop the second, so that repeating is harmless.
    ///
    /// Messages of one publisher, each sent after the one before was taken, arrive in that order.
    ///
    /// # Errors
    /// The bus may or may not have it; except after [`BusError::TooLarge`] it is right to try again.
    async fn publish_events(&self, last: Position, message: Bytes) -> Result<(), BusError>;

    /// Publishes where the log ends, and does not wait for anybody to have it: the next one makes up for a lost one.
    ///
    /// # Errors
    /// It was not sent.
    async fn publish_head(&self, message: Bytes) -> Result<(), BusError>;

    /// Hears both kinds of messages from now on. Waits until there is a connection; may be dropped while it waits.
    ///
    /// # Errors
    /// The subscription was not taken; it is right to try again.
    async fn subscribe(&self) -> Result<Messages, BusError>;
}

/// A bus that is shared.
pub type SharedBus = Arc<dyn Bus>;

/// Why the bus did not do something. Texts name no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// There is no connection at the moment; one is being made.
    #[error("not connected to {0}")]
    Disconnected(Arc<str>),
    /// This message will never pass: the server takes no such large ones.
    #[error("a message of {bytes} bytes is larger than the server takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The server did not answer in time.
    #[error("no answer in time: {0}")]
    TimedOut(&'static str),
    /// The server refused, or the connection broke.
    #[error("{0}")]
    Refused(String),
}
