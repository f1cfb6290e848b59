//! The audit on its way to where a tenant wants it too.
//!
//! One control plane sends at a time, by a lease. For each sink, edge and epoch it is stored up to which sequence rows were taken,
//! after they were: a restart loses nothing, and rows may come twice where a control plane died in between. Whoever receives them
//! tells them apart by edge, epoch and sequence. What is not taken is tried again, ever more rarely, and never given up: the
//! audit's retention is what bounds it.
//!
//! Sequences that are not there are waited for, since an edge may be about to send them; after [`PATIENCE`] the rows behind them
//! are sent, and the sequences counted. What comes later still is not sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    audit::sink::HeldSink,
    id::{Name, Timestamp},
    log::Position,
};
use turnpike_runtime::{clock, dial::Dialer, keyring::Keyring, telemetry::metrics, token::fetch::Fetcher};

use crate::{
    notify,
    projection::Projection,
    store::{
        AuditStore, EventStore, StoreError, StoredRecord,
        sink::{Pending, Taken},
    },
    turn::{Duty, Turn},
};

mod batch;
mod otlp;
mod send;
mod syslog;
#[cfg(test)]
mod tests;
mod told;

pub(crate) use otlp::headers;
pub(crate) use send::purpose;

use send::{Sent, Target};
use told::Told;

/// What one control plane does for all.
const DUTY: Duty = Duty {
    lease: "audit-sinks",
    what: "sends the audit on",
};

/// How often it is looked for new rows.
const EVERY: Duration = Duration::from_secs(1);
/// How often the lease is asked for.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Sinks that are sent to at once.
const AT_ONCE: usize = 8;
/// For so long one sink is sent to before others get their turn.
const SHARE: Duration = Duration::from_secs(10);
/// Epochs of one question.
const EPOCHS: u32 = 200;
/// Rows of one message.
const ROWS: u32 = 500;
/// Sequences that are looked through at once.
const STRETCH: u64 = 5000;
/// So long sequences are waited for that are not there.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest that a refused message waits, in seconds.
const LONGEST_WAIT: i64 = 300;
/// Rows that wait are counted up to this.
pub(crate) const COUNTED: u32 = 100_000;

/// What sends.
pub(crate) struct Sinks {
    projection: Arc<Projection>,
    audit: Arc<dyn AuditStore>,
    keyring: Arc<Keyring>,
    fetcher: Fetcher,
    dialer: Dialer,
    patience: Duration,
    /// Since when it is waited for sequences: by sink, edge, epoch and the sequence before them.
    gaps: Mutex<BTreeMap<(u64, String, u64, u64), Instant>>,
    told: Told,
}

/// A tenant's sink.
struct One<'s> {
    tenant: &'s Name,
    name: &'s Name,
    held: &'s HeldSink,
}

/// A stretch of an epoch that is to be looked through.
struct Stretch {
    /// After this sequence.
    after: u64,
    /// Up to this one.
    through: u64,
    /// Sequences at its beginning that are not there.
    missing: u64,
}

impl Sinks {
    pub(crate) fn new(
        projection: Arc<Projection>,
        audit: Arc<dyn AuditStore>,
        keyring: Arc<Keyring>,
        (fetcher, dialer): (Fetcher, Dialer),
    ) -> Self {
        Self {
            projection,
            audit,
            keyring,
            fetcher,
            dialer,
            patience: PATIENCE,
            gaps: Mutex::default(),
            told: Told::new(),
        }
    }

    /// Sends until `stop`, whenever it is this control plane's turn.
    pub(crate) async fn run(self, events: Arc<dyn EventStore>, stop: CancellationToken) {
        let mut turn = Turn::shared(DUTY, metrics::audit_sinks_active(), events);
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sending = Box::pin(self.send());
        loop {
            let ours = turn.is_ours();
            if !ours {
                // What was under way may be sent again by whoever has the turn.
                sending = Box::pin(self.send());
                self.told.nothing();
            }
            tokio::select! {
                _ = heartbeat.tick() => turn.ask(Position::new(0)),
                _ = turn.answered() => {}
                () = &mut sending, if ours => {}
                () = stop.cancelled() => break,
            }
        }
        drop(sending);
        turn.give_back(Position::new(0)).await;
    }

    /// Sends for ever.
    async fn send(&self) {
        let mut pass = interval(EVERY);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pass.tick().await;
            self.pass().await;
        }
    }

    /// Sends what is there to every sink that is not waiting.
    async fn pass(&self) {
        let snapshot = self.projection.snapshot();
        let tenants = snapshot.tenants();
        let sinks: Vec<One<'_>> = tenants
            .iter()
            .flat_map(|tenant| {
                let one = |(name, held)| One {
                    tenant: tenant.name(),
                    name,
                    held,
                };
                tenant.sinks().iter().map(one)
            })
            .collect();
        let made: Vec<u64> = sinks.iter().map(|one| one.held.made).collect();
        self.told.keep(&made);
        if let Err(error) = self.audit.forget_sinks(snapshot.position().get(), &made).await {
            tracing::warn!(%error, "sinks of the audit that are deleted could not be forgotten");
        }
        stream::iter(&sinks)
            .for_each_concurrent(AT_ONCE, async |one| {
                if let Err(error) = self.send_to(one).await {
                    let (tenant, sink) = (one.tenant, one.name);
                    tracing::warn!(%error, %tenant, %sink, "the audit could not be sent on; it is tried again");
                }
            })
            .await;
    }

    async fn send_to(&self, one: &One<'_>) -> Result<(), StoreError> {
        let began = Instant::now();
        let made = one.held.made;
        let progress = self.audit.begin_sink(one.tenant, one.held).await?;
        if progress.due.is_some_and(|due| clock::now() < due) {
            return self.tell(one).await;
        }
        let mut attempts = progress.attempts;
        let target = self.target(one);
        while began.elapsed() < SHARE {
            let mut moved = false;
            for pending in self.audit.pending(made, EPOCHS).await? {
                let Some(stretch) = self.stretch(made, &pending).await? else {
                    continue;
                };
                match self.send_stretch(one, &target, &pending, stretch).await? {
                    Ok(()) => (moved, attempts) = (true, 0),
                    Err(why) => {
                        self.refused(one, attempts + 1, &why).await?;
                        return self.tell(one).await;
                    }
                }
                if began.elapsed() >= SHARE {
                    break;
                }
            }
            if !moved {
                break;
            }
        }
        self.tell(one).await
    }

    /// What of an epoch may be sent now.
    async fn stretch(&self, sink: u64, pending: &Pending) -> Result<Option<Stretch>, StoreError> {
        let Pending {
            edge,
            epoch,
            taken: after,
            contiguous,
            ..
        } = pending;
        let (after, longest) = (*after, after.saturating_add(STRETCH));
        if *contiguous > after {
            let through = longest.min(*contiguous);
            return Ok(Some(Stretch {
                after,
                through,
                missing: 0,
            }));
        }
        let Some((first, last)) = self.audit.run_after(edge, *epoch, after).await? else {
            return Ok(None);
        };
        let missing = first.saturating_sub(after.saturating_add(1));
        if missing > 0 && !self.waited_enough((sink, edge.clone(), *epoch, after)) {
            return Ok(None);
        }
        Ok(Some(Stretch {
            after,
            through: last.min(first.saturating_add(STRETCH)),
            missing,
        }))
    }

    fn waited_enough(&self, gap: (u64, String, u64, u64)) -> bool {
        let Ok(mut gaps) = self.gaps.lock() else {
            return false;
        };
        let now = Instant::now();
        // Those that were filled are not asked about again.
        gaps.retain(|_, since| now.duration_since(*since) < self.patience * 2);
        let since = *gaps.entry(gap).or_insert(now);
        now.duration_since(since) >= self.patience
    }

    /// Sends the first rows of a stretch that are the sink's, and notes that. The inner error says why they were not taken.
    async fn send_stretch(
        &self,
        one: &One<'_>,
        target: &Target,
        pending: &Pending,
        stretch: Stretch,
    ) -> Result<Result<(), String>, StoreError> {
        let Stretch {
            after,
            through,
            missing,
        } = stretch;
        let (edge, epoch) = (pending.edge.as_str(), pending.epoch);
        let between = (after, through);
        let rows = self
            .audit
            .rows_between(one.tenant, (edge, epoch), between, ROWS)
            .await?;
        let whole = rows.len() < ROWS as usize;
        let last = rows.last().map(|row| row.id.sequence);
        let since = one.held.sink.since;
        let wanted = |row: &StoredRecord| since.is_none_or(|since| row.record.time >= since);
        let rows: Vec<StoredRecord> = rows.into_iter().filter(wanted).collect();
        let mut taken = Taken {
            edge,
            epoch,
            through: if whole { through } else { last.unwrap_or(through) },
            missing,
            rejected: 0,
            sent: None,
        };
        if !rows.is_empty() {
            match self.send_rows(target, &rows).await {
                Ok(Sent { count, rejected }) => {
                    taken.rejected = rejected;
                    if count < rows.len() {
                        let last = rows.get(count.saturating_sub(1));
                        taken.through = last.map_or(after, |row| row.id.sequence);
                    }
                }
                Err(why) => return Ok(Err(why)),
            }
            taken.sent = Some(clock::now());
        }
        self.audit.note_taken(one.held.made, taken).await?;
        Ok(Ok(()))
    }

    async fn refused(&self, one: &One<'_>, attempts: u32, why: &str) -> Result<(), StoreError> {
        let (tenant, sink, now) = (one.tenant, one.name, clock::now());
        tracing::warn!(%tenant, %sink, attempts, why, "a sink did not take the audit's rows");
        self.told.refused(one.tenant, one.name);
        let due = notify::again(attempts, now).min(now.plus_seconds(LONGEST_WAIT));
        self.audit.note_refused(one.held.made, attempts, due, why).await
    }

    /// Publishes how far behind a sink is.
    async fn tell(&self, one: &One<'_>) -> Result<(), StoreError> {
        let (made, since) = (one.held.made, one.held.sink.since);
        if !self.told.is_due(made) {
            return Ok(());
        }
        let waiting = self.audit.waiting(one.tenant, made, since, COUNTED).await?;
        self.told
            .waiting(made, one.tenant, one.name, waiting, clock::now());
        Ok(())
    }
}

/// How long ago a moment was, in seconds.
fn age(moment: Timestamp, now: Timestamp) -> f64 {
    let micros = now.as_micros().saturating_sub(moment.as_micros()).max(0);
    Duration::from_micros(micros.cast_unsigned()).as_secs_f64()
}
