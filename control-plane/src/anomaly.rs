//! Anomalies: looked for again and again in what was stored, and told as alerts.
//!
//! Windows are computed from the audit and its rollups, so that several control planes find the same, and a restart neither
//! forgets nor repeats: which anomaly was told is in the database. An anomaly that goes on is one alert, which is resolved when
//! it was over for some time; then it is told again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    alert::{Alert, HeldAlert, rules::Rule},
    command::Command,
    id::{Id, Name, Timestamp},
    snapshot::Tenant,
};
use turnpike_runtime::{clock, random};

use crate::{
    edges::Edges,
    execute::{Authority, ExecuteError, Executor},
    store::{
        AuditStore, StoreError,
        anomaly::{Claim, Noted},
    },
};

mod budgets;
mod credentials;
mod edges;
mod expression;
mod first_use;
mod look;
mod own;
mod refusals;
mod rehearse;
mod spikes;
mod suspend;
#[cfg(test)]
mod tests;

pub(crate) use expression::Expression;
pub(crate) use look::Looked;
pub(crate) use rehearse::{Rehearsed, rehearse};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);
/// An anomaly that was not there for so long is over, in seconds.
const OVER_AFTER: i64 = 3600;
/// So long one control plane has to tell what it found, in seconds; then another may.
const LEASE: i64 = 60;
/// The kind of alerts about edges.
const EDGE_OFFLINE: &str = "edge_offline";
const EDGE_HALTED: &str = "edge_halted";
const EDGE_BEHIND: &str = "edge_behind";
/// What the log says of an alert whose cause has ended.
const OVER: &str = "it is over";
/// How often every credential is looked at, in microseconds.
const CREDENTIALS_EVERY: i64 = 600 * 1_000_000;
/// Who it is, in the log of this process.
const SELF: &str = "anomalies";

/// What looks for anomalies.
pub(crate) struct Anomalies {
    pub(crate) executor: Executor,
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) edges: Edges,
    /// Of this process, among the control planes.
    pub(crate) holder: String,
    /// When the credentials were last looked at, in microseconds.
    pub(crate) credentials_looked_at: AtomicI64,
}

/// One that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anomaly {
    pub(crate) kind: Arc<str>,
    /// Whom it is about: with the kind it says which anomaly it is.
    pub(crate) subject: String,
    pub(crate) summary: String,
    /// How often it has happened.
    pub(crate) count: Option<i64>,
    /// Some of the audit's records that it was found by.
    audit: Vec<String>,
    evidence: Vec<(&'static str, String)>,
    /// The credential that it was done with.
    credential: Option<Id>,
    /// That one is suspended.
    suspend: bool,
    /// It is over when it was not there for so long, in seconds.
    over_after: i64,
}

impl Anomaly {
    fn key(&self) -> String {
        key(&self.kind, &self.subject)
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
        let also_credentials = self.is_time_for_credentials(now);
        for tenant in snapshot.tenants() {
            let own = tenant
                .alerts()
                .rules
                .keys()
                .map(|name| Arc::from(own::kind(name)));
            let usual = Rule::ALL.iter().map(|rule| Arc::from(rule.as_str()));
            let deleted = gone(tenant);
            let kinds: Vec<Arc<str>> = usual.chain(own).chain(deleted).collect();
            // First what is over: it may have begun again since.
            self.close(tenant.name(), &kinds, now).await;
            for looked in look::all_of(tenant) {
                if looked.is_of_state() && !also_credentials {
                    continue;
                }
                let found = look::find(&*self.audit, &snapshot, tenant, looked, now).await;
                self.tell_all(tenant.name(), found, now).await;
            }
        }
        let about_edges = [EDGE_OFFLINE, EDGE_HALTED, EDGE_BEHIND].map(Arc::from);
        self.close(&Name::platform(), &about_edges, now).await;
        let edges = self.edges.list().await.map(|edges| {
            let told = edges.iter().filter_map(|edge| edges::about(&snapshot, edge, now));
            told.collect()
        });
        self.tell_all(&Name::platform(), edges, now).await;
        if let Err(error) = self.audit.forget_anomalies(now.plus_seconds(-86_400)).await {
            tracing::warn!(%error, "anomalies that are long over could not be forgotten");
        }
    }

    /// There may be a million credentials, and they age slowly.
    fn is_time_for_credentials(&self, now: Timestamp) -> bool {
        let last = self.credentials_looked_at.load(Ordering::Relaxed);
        let due = now.as_micros().saturating_sub(last) >= CREDENTIALS_EVERY;
        if due {
            self.credentials_looked_at
                .store(now.as_micros(), Ordering::Relaxed);
        }
        due
    }

    async fn tell_all(&self, tenant: &Name, found: Result<Vec<Anomaly>, StoreError>, now: Timestamp) {
        match found {
            Ok(found) => {
                for anomaly in found {
                    let kind = anomaly.kind.clone();
                    if let Err(error) = self.tell(tenant, anomaly, now).await {
                        tracing::warn!(%tenant, %kind, %error, "an alert could not be raised; it is tried again");
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%tenant, %error, "anomalies could not be looked for; it is tried again")
            }
        }
    }

    /// Resolves the open alerts of some kinds whose anomalies are over.
    async fn close(&self, tenant: &Name, kinds: &[Arc<str>], now: Timestamp) {
        if let Err(error) = self.try_close(tenant, kinds, now).await {
            tracing::warn!(%tenant, %error, "alerts that are over could not be resolved; it is tried again");
        }
    }

    async fn try_close(&self, tenant: &Name, kinds: &[Arc<str>], now: Timestamp) -> Result<(), NotTold> {
        let snapshot = self.executor.snapshot();
        let Some(held) = snapshot.tenant(tenant.as_str()) else {
            return Ok(());
        };
        let found_here = |one: &&HeldAlert| kinds.contains(&one.kind) && one.subject.is_some();
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
            match self.execute(tenant, vec![command]).await {
                // Another control plane, or somebody, was first.
                Err(ExecuteError::Refused(_)) => {}
                done => done?,
            }
        }
        Ok(())
    }

    async fn execute(&self, tenant: &Name, commands: Vec<Command>) -> Result<(), ExecuteError> {
        let correlation = Arc::from(random::id().as_str());
        let authority = Authority::System(SELF);
        let done = self
            .executor
            .execute(authority, tenant.clone(), correlation, commands);
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
        let raised = self.raise(tenant, anomaly, now).await;
        match raised {
            // Its tenant was deleted meanwhile.
            Err(ExecuteError::Refused(refusal)) => {
                tracing::warn!(%tenant, %refusal, "an alert could not be raised")
            }
            raised => raised?,
        }
        Ok(self.audit.told(claim).await?)
    }

    /// With what the rule wants done about it, in one change.
    async fn raise(&self, tenant: &Name, anomaly: Anomaly, now: Timestamp) -> Result<(), ExecuteError> {
        let suspended = anomaly.credential.filter(|_| anomaly.suspend);
        let snapshot = self.executor.snapshot();
        let mut alert = alert(anomaly);
        // What the audit names may have been deleted since; it is told of all the same.
        let is_there = |id: &Id| {
            snapshot
                .credential(*id)
                .is_some_and(|held| held.tenant == *tenant)
        };
        alert.credential = alert.credential.filter(is_there);
        let Some(id) = suspended else {
            return self.execute(tenant, vec![Command::RaiseAlert(alert)]).await;
        };
        let command = match suspend::command(&snapshot, tenant, id, &alert, now) {
            Ok(command) => command,
            Err(spared) => {
                alert.evidence.insert("not_suspended".into(), spared.into());
                return self.execute(tenant, vec![Command::RaiseAlert(alert)]).await;
            }
        };
        let alone = alert.clone();
        alert.evidence.insert("suspended".into(), id.as_str().into());
        match self
            .execute(tenant, vec![Command::RaiseAlert(alert), command])
            .await
        {
            // It was revoked or deleted meanwhile; that is to be told all the same.
            Err(ExecuteError::Refused(_)) => self.execute(tenant, vec![Command::RaiseAlert(alone)]).await,
            done => done,
        }
    }
}

/// The kinds of the open alerts of rules that a tenant has deleted.
fn gone(tenant: &Tenant) -> Vec<Arc<str>> {
    let open = tenant.alerts().open.iter().map(|held| held.kind.clone());
    open.filter(|kind| kind.starts_with(own::KIND)).collect()
}

fn alert(anomaly: Anomaly) -> Alert {
    let Anomaly {
        kind,
        subject,
        summary,
        count,
        audit,
        evidence,
        credential,
        suspend: _,
        over_after: _,
    } = anomaly;
    let subject: Arc<str> = Arc::from(plain(&subject));
    let evidence = evidence
        .into_iter()
        .map(|(key, value)| (Arc::from(key), Arc::from(plain(&value))))
        .chain([(Arc::from("subject"), subject.clone())]);
    Alert {
        id: random::id(),
        kind,
        subject: Some(subject),
        credential,
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
