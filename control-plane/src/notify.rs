//! Alerts on their way to where a tenant wants them.
//!
//! What is to be sent is made out of the stored events, once for each event and destination, in the transaction that notes how
//! far that has come: a restart loses nothing, and of several control planes one does it. A delivery is taken by one control
//! plane at a time, tried again ever more rarely, and given up after a day and a half: then it is listed as dead. A receiver may
//! get the same twice, where a control plane died between sending and noting it; the id of the message is then the same.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    event::Event,
    id::Timestamp,
    log::{Head, Position, Recorded},
    snapshot::Snapshot,
};
use turnpike_runtime::{clock, keyring::Keyring, token::fetch::Fetcher};

use crate::{
    execute::Executor,
    store::{
        EventStore, StoreError,
        outbox::{Delivery, Outbox, State},
    },
};

mod email;
mod message;
mod otlp;
mod send;
mod slack;
#[cfg(test)]
mod tests;
pub(crate) mod webhook;

pub use email::{Mail, MailError};
use message::Message;
use send::NotSent;
pub(crate) use send::purpose;
pub(crate) use webhook::key as signing_key;

/// How often it is looked for what is due, where nothing new wakes it.
const EVERY: Duration = Duration::from_secs(2);
/// So long one control plane has to send what it took, in seconds; then another may.
const LEASE: i64 = 60;
/// Events read at a time.
const READ: u32 = 500;
/// Deliveries taken at a time, and sent at once.
const AT_ONCE: u32 = 8;
/// After so many tries a delivery is dead.
const TRIES: u32 = 40;
/// What was settled is listed for so long, in seconds.
const LISTED: i64 = 30 * 86_400;

/// What sends alerts.
pub(crate) struct Notify {
    pub(crate) executor: Executor,
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) fetcher: Fetcher,
    pub(crate) mail: Option<Mail>,
}

/// When a delivery is tried again after so many tries: in ten seconds, then ever more rarely, and every hour in the end.
pub(crate) fn again(attempts: u32, now: Timestamp) -> Timestamp {
    let seconds = 10_i64 << attempts.saturating_sub(1).min(9);
    now.plus_seconds(seconds.min(3600))
}

impl Notify {
    /// Sends until `stop`; `heads` tells that something was committed.
    pub(crate) async fn run(self, mut heads: watch::Receiver<Head>, stop: CancellationToken) {
        let mut pass = interval(EVERY);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pass.tick() => {}
                _ = heads.changed() => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = self.pass(clock::now()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Makes out what is new, and sends what is due.
    pub(crate) async fn pass(&self, now: Timestamp) {
        if let Err(error) = self.make_out(now).await {
            tracing::warn!(%error, "it could not be made out which alerts to send; it is tried again");
        }
        if let Err(error) = self.send_due(now).await {
            tracing::warn!(%error, "alerts that are to be sent could not be read; it is tried again");
        }
        if let Err(error) = self.outbox.forget(now.plus_seconds(-LISTED)).await {
            tracing::warn!(%error, "old deliveries could not be forgotten");
        }
    }

    async fn make_out(&self, now: Timestamp) -> Result<(), StoreError> {
        let snapshot = self.executor.snapshot();
        let mut from = self.outbox.made_out(snapshot.position()).await?;
        while from < snapshot.position() {
            let events = self.events.read(from, READ).await?;
            let known = events
                .iter()
                .filter(|event| event.position <= snapshot.position());
            let known: Vec<&Recorded> = known.collect();
            let Some(last) = known.last() else { return Ok(()) };
            let to = last.position;
            let mut deliveries = Vec::new();
            for event in known {
                deliveries.extend(self.deliveries_of(&snapshot, event).await?);
            }
            if !self.outbox.make_out(from, to, &deliveries, now).await? {
                return Ok(());
            }
            from = to;
        }
        Ok(())
    }

    /// To which destinations an event goes, as the tenant has them now.
    async fn deliveries_of(
        &self,
        snapshot: &Snapshot,
        event: &Recorded,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Some(tenant) = snapshot.tenant(event.origin.tenant.as_str()) else {
            return Ok(Vec::new());
        };
        let alerts = tenant.alerts();
        if alerts.destinations.is_empty() {
            return Ok(Vec::new());
        }
        let Some(message) = self.message(event).await? else {
            return Ok(Vec::new());
        };
        let (kind, subject) = (&message.alert.kind, message.alert.subject.as_deref());
        if alerts.silenced(kind, subject, event.origin.time).is_some() {
            return Ok(Vec::new());
        }
        let wanting = alerts
            .destinations
            .iter()
            .filter(|(_, destination)| destination.wants(kind));
        let delivery = |name| Delivery {
            tenant: event.origin.tenant.clone(),
            position: event.position,
            destination: name,
            attempts: 0,
        };
        Ok(wanting.map(|(name, _)| delivery(name.clone())).collect())
    }

    /// What an event tells, if it is about the beginning or the end of an alert.
    async fn message(&self, recorded: &Recorded) -> Result<Option<Message>, StoreError> {
        if !matches!(recorded.kind.as_ref(), "alert.raised" | "alert.resolved") {
            return Ok(None);
        }
        let decoded = Event::decode(&recorded.kind, recorded.version, &recorded.payload);
        Ok(match decoded {
            Ok(Event::AlertRaised(alert)) => Some(Message::raised(alert, recorded)),
            Ok(Event::AlertResolved {
                position,
                count,
                reason,
                ..
            }) => {
                let before = Position::new(position.saturating_sub(1));
                let raised = self.events.read(before, 1).await?;
                let decode = |one: &Recorded| Event::decode(&one.kind, one.version, &one.payload).ok();
                match raised.first().map(|one| (one, decode(one))) {
                    Some((one, Some(Event::AlertRaised(alert)))) => {
                        Some(Message::raised(alert, one).resolved(recorded, count, reason))
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }

    async fn send_due(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let taken = self.outbox.take(now, now.plus_seconds(LEASE), AT_ONCE).await?;
            if taken.is_empty() {
                return Ok(());
            }
            let all = usize::try_from(AT_ONCE).unwrap_or(1);
            stream::iter(taken)
                .for_each_concurrent(all, async |delivery| {
                    if let Err(error) = self.try_one(&delivery, now).await {
                        tracing::warn!(%error, "what became of a delivery could not be noted; it may be sent again");
                    }
                })
                .await;
        }
    }

    async fn try_one(&self, delivery: &Delivery, now: Timestamp) -> Result<(), StoreError> {
        let before = Position::new(delivery.position.get().saturating_sub(1));
        let event = self.events.read(before, 1).await?;
        let message = match event.first() {
            Some(event) => self.message(event).await?,
            None => None,
        };
        let Some(message) = message else {
            let why = "there is no such alert in the log";
            return self.outbox.settle(delivery, State::Dead, now, Some(why)).await;
        };
        let (tenant, destination) = (&delivery.tenant, &delivery.destination);
        let error = match self.send(delivery, &message).await {
            Ok(()) => {
                tracing::info!(%tenant, %destination, kind = %message.alert.kind, "an alert was sent");
                return self.outbox.settle(delivery, State::Sent, now, None).await;
            }
            Err(error) => error,
        };
        tracing::warn!(%tenant, %destination, %error, attempts = delivery.attempts, "an alert was not sent");
        let dead = delivery.attempts >= TRIES || matches!(error, NotSent::Gone);
        let (state, time) = match dead {
            true => (State::Dead, now),
            false => (State::Waiting, again(delivery.attempts, now)),
        };
        self.outbox
            .settle(delivery, state, time, Some(&error.to_string()))
            .await
    }
}
