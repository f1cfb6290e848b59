//! What every bus keeps, run on each of them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::timeout;
use turnpike_access::log::Position;

use super::{
    Messages, SharedBus,
    local::LocalBus,
    nats::testing::{Server, connected},
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two ends of one bus; in production they are in two processes.
struct Ends {
    publisher: SharedBus,
    subscriber: SharedBus,
    /// Kept for as long as the ends.
    _server: Option<Server>,
}

/// The ends of a fresh bus of each kind.
async fn buses() -> Vec<Ends> {
    let local = LocalBus::new();
    let server = Server::started();
    let settings = server.settings("");
    vec![
        Ends {
            publisher: Arc::new(local.clone()),
            subscriber: Arc::new(local),
            _server: None,
        },
        Ends {
            publisher: Arc::new(connected(&settings).await),
            subscriber: Arc::new(connected(&settings).await),
            _server: Some(server),
        },
    ]
}

impl Ends {
    /// As the relay does: until it is taken.
    async fn publish(&self, position: u64) {
        let message = Bytes::from(format!("event {position}"));
        let publish = || {
            self.publisher
                .publish_events(Position::new(position), message.clone())
        };
        let trying = async { while publish().await.is_err() {} };
        timeout(PATIENCE, trying).await.unwrap();
    }

    async fn publish_head(&self, position: u64) {
        let message = Bytes::from(format!("head {position}"));
        self.publisher.publish_head(message).await.unwrap();
    }

    async fn subscribe(&self) -> Heard {
        Heard {
            messages: self.subscriber.subscribe().await.unwrap(),
            last: String::new(),
        }
    }
}

/// What a subscriber hears, a message that is repeated at once left out: a slow server is told again.
struct Heard {
    messages: Messages,
    last: String,
}

impl Heard {
    async fn next(&mut self) -> &str {
        loop {
            let message = timeout(PATIENCE, self.messages.next()).await.unwrap().unwrap();
            let message = String::from_utf8(message.to_vec()).unwrap();
            if message != self.last {
                self.last = message;
                return &self.last;
            }
        }
    }
}

#[tokio::test]
async fn events_arrive_in_order_at_every_subscriber() {
    for bus in buses().await {
        let mut all = [bus.subscribe().await, bus.subscribe().await];
        for position in 1..=50 {
            bus.publish(position).await;
        }
        for heard in &mut all {
            for position in 1..=50 {
                assert_eq!(heard.next().await, format!("event {position}"));
            }
        }
    }
}

#[tokio::test]
async fn heads_and_events_arrive_in_the_order_of_their_publisher() {
    for bus in buses().await {
        let mut heard = bus.subscribe().await;
        bus.publish_head(6).await;
        bus.publish(7).await;
        bus.publish_head(7).await;
        for expected in ["head 6", "event 7", "head 7"] {
            assert_eq!(heard.next().await, expected);
        }
    }
}

#[tokio::test]
async fn whoever_subscribes_later_hears_later_messages_alone() {
    for bus in buses().await {
        let mut early = bus.subscribe().await;
        bus.publish(1).await;
        assert_eq!(early.next().await, "event 1");
        let mut late = bus.subscribe().await;
        bus.publish(2).await;
        assert_eq!(late.next().await, "event 2");
        assert_eq!(early.next().await, "event 2");
    }
}

#[tokio::test]
async fn a_repeated_message_pushes_no_other_aside() {
    for bus in buses().await {
        let mut heard = bus.subscribe().await;
        for position in [1, 1, 2] {
            bus.publish(position).await;
        }
        assert_eq!(heard.next().await, "event 1");
        assert_eq!(heard.next().await, "event 2");
    }
}

#[tokio::test]
async fn publishing_needs_no_subscriber() {
    for bus in buses().await {
        bus.publish(1).await;
        bus.publish_head(1).await;
        drop(bus.subscribe().await);
        bus.publish(2).await;
    }
}

#[tokio::test]
async fn a_subscriber_that_leaves_takes_nothing_from_the_others() {
    for bus in buses().await {
        let mut stays = bus.subscribe().await;
        drop(bus.subscribe().await);
        bus.publish(1).await;
        assert_eq!(stays.next().await, "event 1");
    }
}
