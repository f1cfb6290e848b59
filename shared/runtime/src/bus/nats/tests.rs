//! What is NATS's own: its stream, its outages, its logins. TLS and users with keys are in [`secured`].

use async_nats::jetstream::{self, stream::Info};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::timeout;
use turnpike_access::log::Position;

use super::{
    NatsBus,
    testing::{PATIENCE, Server, connected, until},
};
use crate::bus::{Bus as _, BusError, Messages};

mod secured;

async fn try_to_publish(bus: &NatsBus, position: u64) -> Result<(), BusError> {
    let message = Bytes::from(position.to_string());
    bus.publish_events(Position::new(position), message).await
}

/// As the relay does: until it is taken.
async fn publish(bus: &NatsBus, position: u64) {
    let trying = async { while try_to_publish(bus, position).await.is_err() {} };
    timeout(PATIENCE, trying).await.unwrap();
}

async fn next(heard: &mut Messages) -> u64 {
    let message = timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
    std::str::from_utf8(&message).unwrap().parse().unwrap()
}

/// What the server says about the stream.
async fn stream(bus: &NatsBus) -> Info {
    let stream = bus.jetstream.get_stream(&bus.names.stream).await.unwrap();
    stream.cached_info().clone()
}

async fn delete_stream(bus: &NatsBus) {
    let deleted = bus.jetstream.delete_stream(&bus.names.stream).await.unwrap();
    assert!(deleted.success);
}

#[tokio::test]
async fn a_repeated_message_is_kept_once() {
    let server = Server::started();
    let bus = connected(&server.settings("")).await;
    for position in [1, 2, 1, 2, 3] {
        publish(&bus, position).await;
    }
    assert_eq!(stream(&bus).await.state.messages, 3);
}

#[tokio::test]
async fn the_stream_is_bounded_and_an_older_one_is_brought_up_to_date() {
    let server = Server::started();
    let bus = connected(&server.settings("")).await;
    let older = jetstream::stream::Config {
        name: bus.names.stream.clone(),
        subjects: vec![bus.names.events.clone()],
        ..Default::default()
    };
    bus.jetstream.create_stream(older).await.unwrap();
    publish(&bus, 1).await;
    let config = stream(&bus).await.config;
    assert_eq!(config.max_age.as_secs(), 24 * 60 * 60);
    assert!(config.allow_direct, "edges that begin read it");
    assert_eq!(config.max_bytes, 256 * 1024 * 1024);
    assert_eq!(config.duplicate_window.as_secs(), 2 * 60);
    assert_eq!(config.discard, jetstream::stream::DiscardPolicy::Old);
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_made_again() {
    let server = Server::started();
    let bus = connected(&server.settings("")).await;
    publish(&bus, 1).await;
    // The server says that nobody takes it.
    delete_stream(&bus).await;
    publish(&bus, 2).await;
    // The subscriber takes it, and nobody acknowledges.
    let mut heard = bus.subscribe().await.unwrap();
    delete_stream(&bus).await;
    publish(&bus, 3).await;
    assert_eq!(next(&mut heard).await, 3);
    let stream = bus.jetstream.get_stream(&bus.names.stream).await.unwrap();
    let kept = stream
        .get_last_raw_message_by_subject(&bus.names.events)
        .await
        .unwrap();
    assert_eq!(kept.payload, "3");
}

#[tokio::test]
async fn a_subscription_survives_a_server_that_was_killed_and_wiped() {
    let mut server = Server::started();
    let settings = server.settings("");
    let (publisher, subscriber) = (connected(&settings).await, connected(&settings).await);
    let mut heard = subscriber.subscribe().await.unwrap();
    publish(&publisher, 1).await;
    assert_eq!(next(&mut heard).await, 1);

    server.kill();
    until(&publisher, false).await;
    until(&subscriber, false).await;
    let refused = try_to_publish(&publisher, 2).await.unwrap_err();
    assert!(matches!(refused, BusError::Disconnected(_)), "{refused}");
    server.wipe();
    server.start();
    until(&publisher, true).await;
    until(&subscriber, true).await;

    // The client takes the subscription up again on its own; how soon, it does not say.
    let going_on = async {
        let mut position = 2;
        loop {
            publish(&publisher, position).await;
            if let Ok(message) = timeout(PATIENCE / 100, heard.next()).await {
                return message;
            }
            position += 1;
        }
    };
    assert!(timeout(PATIENCE, going_on).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for_in_the_background() {
    let mut server = Server::new(&[]);
    let bus = NatsBus::connect(&server.settings(""), "test")
        .await
        .unwrap()
        .unwrap();
    assert!(!*bus.state().borrow());
    let refused = try_to_publish(&bus, 1).await.unwrap_err();
    assert!(matches!(refused, BusError::Disconnected(_)), "{refused}");
    let subscribing = bus.subscribe();
    server.start();
    let mut heard = timeout(PATIENCE, subscribing).await.unwrap().unwrap();
    publish(&bus, 1).await;
    assert_eq!(next(&mut heard).await, 1);
}

#[tokio::test]
async fn the_url_logs_in() {
    let mut server = Server::new(&["--user", "ann", "--pass", "p@ss,word"]);
    server.start();
    let bus = connected(&server.settings("ann:p%40ss%2Cword@")).await;
    publish(&bus, 1).await;
    let stranger = NatsBus::connect(&server.settings("ann:wrong@"), "test")
        .await
        .unwrap()
        .unwrap();
    let refused = try_to_publish(&stranger, 1).await.unwrap_err();
    assert!(!refused.to_string().contains("wrong"), "{refused}");
}

#[tokio::test]
async fn a_message_that_the_server_never_takes_is_told_apart() {
    let server = Server::started();
    let bus = connected(&server.settings("")).await;
    let bytes = 2 << 20;
    let message = Bytes::from(vec![0; bytes]);
    let refused = bus.publish_events(Position::new(1), message.clone()).await;
    assert_eq!(refused, Err(BusError::TooLarge { bytes }));
    assert_eq!(bus.publish_head(message).await, Err(BusError::TooLarge { bytes }));
}

#[tokio::test]
async fn without_a_url_there_is_no_bus() {
    assert!(
        NatsBus::connect(&Default::default(), "test")
            .await
            .unwrap()
            .is_none()
    );
}
