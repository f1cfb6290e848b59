//! Anomalies: looked for again and again in what was stored, and told as alerts.
//!
//! Windows are computed from the audit and its rollups, so that several control planes find the same, and a restart neither
//! forgets nor repeats: which anomaly was told is in the database. An anomaly that goes on is one alert, which is resolved when
//! it was over for some time; then it is told again.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    alert::{Alert, HeldAlert, rules::Rule},
    command::Command,
    id::{Name, Timestamp},
};
use turnpike_runtime::{clock, random};

use crate::{
    edges::{EdgeState, Edges},
    execute::{Authority, ExecuteError, Executor},
    store::{
        AuditStore, StoreError,
        anomaly::{Claim, Noted},
    },
};

mod refusals;
mod spikes;
#[cfg(test)]
mod tests;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);
/// An anomaly that was not there for so long is over, in seconds.
const OVER_AFTER: i64 = 3600;
/// The same of edges, which are there or not.
const EDGE_OVER_AFTER: i64 = 60;
/// So long one control plane has to tell what it found, in seconds; then another may.
const LEASE: i64 = 60;
/// An edge that was not heard of for so long is offline, in seconds; a restart takes less.
const OFFLINE_AFTER: i64 = 60;
/// An edge that was not heard of for so long is gone for good, in seconds.
const GONE_AFTER: i64 = 7 * 86_400;
/// The kind of alerts about edges.
const EDGE_OFFLINE: &str = "edge_offline";
const EDGE_HALTED: &str = "edge_halted";
/// What the log says of an alert whose cause has ended.
const OVER: &str = "it is over";
/// Who it is, in the log of this process.
const SELF: &str = "anomalies";

/// What looks for anomalies.
pub(crate) struct Anomalies {
    pub(crate) executor: Executor,
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) edges: Edges,
    /// Of this process, among the control planes.
    pub(crate) holder: String,
}

/// One that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Anomaly {
    kind: &'static str,
    /// Whom it is about: with the kind it says which anomaly it is.
    subject: String,
    summary: String,
    /// How often it has happened.
    count: Option<i64>,
    /// Some of the audit's records that it was found by.
    audit: Vec<String>,
    evidence: Vec<(&'static str, String)>,
    /// It is over when it was not there for so long, in seconds.
    over_after: i64,
}

impl Anomaly {
    fn key(&self) -> String {
        key(self.kind, &self.subject)
    }
}

fn key(kind: &str, subject: &str) -> String {
    format!("{kind} {subject}")
}

/// What was noted of the anomaly that an alert told.
pub(crate) fn noted_of<'n>(noted: &'n [Noted], held: &HeldAlert) -> Option<&'n Noted> {
    let key = key(&held.kind, held.subject.as_deref()?);
    noted.iter().find(|noted| noted.key == key)
}

/// Something was not looked at or not told. It is found again in the next pass.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

impl Anomalies {
    /// Looks until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pass = interval(EVERY);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pass.tick() => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = self.pass(clock::now()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks at every tenant once.
    async fn pass(&self, now: Timestamp) {
        let snapshot = self.executor.snapshot();
        for tenant in snapshot.tenants() {
            let rules = &tenant.settings().alerts;
            // First what is over: it may have begun again since.
            self.close(tenant.name(), &Rule::ALL.map(Rule::as_str), now).await;
            for rule in Rule::ALL {
                let Some(limits) = rules.of(rule) else { continue };
                let found = match rule {
                    Rule::UsageSpike => spikes::find(&*self.audit, tenant.name(), limits, now).await,
                    _ => refusals::find(&*self.audit, tenant.name(), rule, limits, now).await,
                };
                self.tell_all(tenant.name(), found, now).await;
            }
        }
        self.close(&Name::platform(), &[EDGE_OFFLINE, EDGE_HALTED], now)
            .await;
        let edges = self.edges.list().await.map(|edges| {
            let told = edges
                .iter()
                .filter_map(|edge| about(&edge.report.name, edge.state, edge.report.last_seen, now));
            told.collect()
        });
        self.tell_all(&Name::platform(), edges, now).await;
        if let Err(error) = self.audit.forget_anomalies(now.plus_seconds(-86_400)).await {
            tracing::warn!(%error, "anomalies that are long over could not be forgotten");
        }
    }

    async fn tell_all(&self, tenant: &Name, found: Result<Vec<Anomaly>, StoreError>, now: Timestamp) {
        match found {
            Ok(found) => {
                for anomaly in found {
                    let kind = anomaly.kind;
                    if let Err(error) = self.tell(tenant, anomaly, now).await {
                        tracing::warn!(%tenant, kind, %error, "an alert could not be raised; it is tried again");
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%tenant, %error, "anomalies could not be looked for; it is tried again")
            }
        }
    }

    /// Resolves the open alerts of some kinds whose anomalies are over.
    async fn close(&self, tenant: &Name, kinds: &[&str], now: Timestamp) {
        if let Err(error) = self.try_close(tenant, kinds, now).await {
            tracing::warn!(%tenant, %error, "alerts that are over could not be resolved; it is tried again");
        }
    }

    async fn try_close(&self, tenant: &Name, kinds: &[&str], now: Timestamp) -> Result<(), NotTold> {
        let snapshot = self.executor.snapshot();
        let Some(held) = snapshot.tenant(tenant.as_str()) else {
            return Ok(());
        };
        let found_here = |one: &&HeldAlert| kinds.contains(&one.kind.as_ref()) && one.subject.is_some();
        let open: Vec<&HeldAlert> = held.alerts().open.iter().filter(found_here).collect();
        if open.is_empty() {
            return Ok(());
        }
        let noted = self.audit.anomalies(tenant).await?;
        for one in open {
            let noted = noted_of(&noted, one);
            // What was just raised elsewhere is not noted yet, and what is long over not any more.
            let until = noted.map_or(one.raised.plus_seconds(OVER_AFTER), |noted| noted.until);
            if until > now {
                continue;
            }
            let count = noted.and_then(|noted| u64::try_from(noted.count?).ok());
            let command = Command::ResolveAlert {
                id: one.id,
                count,
                reason: Arc::from(OVER),
            };
            match self.execute(tenant, command).await {
                // Another control plane, or somebody, was first.
                Err(ExecuteError::Refused(_)) => {}
                done => done?,
            }
        }
        Ok(())
    }

    async fn execute(&self, tenant: &Name, command: Command) -> Result<(), ExecuteError> {
        let correlation = Arc::from(random::id().as_str());
        let authority = Authority::System(SELF);
        let done = self
            .executor
            .execute(authority, tenant.clone(), correlation, vec![command]);
        done.await.map(drop)
    }

    async fn tell(&self, tenant: &Name, anomaly: Anomaly, now: Timestamp) -> Result<(), NotTold> {
        let key = anomaly.key();
        let claim = Claim {
            tenant,
            key: &key,
            holder: &self.holder,
            now,
            until: now.plus_seconds(anomaly.over_after),
            lease: now.plus_seconds(LEASE),
            count: anomaly.count,
        };
        if !self.audit.claim(claim).await? {
            return Ok(());
        }
        match self.execute(tenant, Command::RaiseAlert(alert(anomaly))).await {
            // Its tenant was deleted meanwhile.
            Err(ExecuteError::Refused(refusal)) => {
                tracing::warn!(%tenant, %refusal, "an alert could not be raised")
            }
            raised => raised?,
        }
        Ok(self.audit.told(claim).await?)
    }
}

fn alert(anomaly: Anomaly) -> Alert {
    let Anomaly {
        kind,
        subject,
        summary,
        count,
        audit,
        evidence,
        over_after: _,
    } = anomaly;
    let subject: Arc<str> = Arc::from(plain(&subject));
    let evidence = evidence
        .into_iter()
        .map(|(key, value)| (Arc::from(key), Arc::from(plain(&value))))
        .chain([(Arc::from("subject"), subject.clone())]);
    Alert {
        id: random::id(),
        kind: Arc::from(kind),
        subject: Some(subject),
        credential: None,
        summary: Arc::from(plain(&summary)),
        count: count.and_then(|count| u64::try_from(count).ok()),
        audit: audit.into_iter().map(Arc::from).collect(),
        evidence: evidence.collect(),
    }
}

/// What strangers wrote, without what terminals obey.
fn plain(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(300).collect()
}

fn about(name: &str, state: EdgeState, last_seen: Timestamp, now: Timestamp) -> Option<Anomaly> {
    let offline = last_seen.plus_seconds(OFFLINE_AFTER) < now && last_seen.plus_seconds(GONE_AFTER) > now;
    let (kind, what) = match state {
        EdgeState::Silent if offline => (
            EDGE_OFFLINE,
            "was not heard of for a minute; it may still be serving",
        ),
        EdgeState::Halted => (
            EDGE_HALTED,
            "stands still before an event that it can't interpret, and serves by what it has",
        ),
        _ => return None,
    };
    Some(Anomaly {
        kind,
        subject: name.to_owned(),
        summary: format!("The edge {name} {what}."),
        count: None,
        audit: Vec::new(),
        evidence: vec![("last_seen_us", last_seen.as_micros().to_string())],
        over_after: EDGE_OVER_AFTER,
    })
}
