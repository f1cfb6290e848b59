//! What is lost of the audit, or not as its edge signed it, told as alerts: a gap is never silent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use turnpike_access::{
    alert::Alert,
    audit::{
        AuditRecord, LOST,
        chain::{Checkpoint, Link},
    },
    command::Command,
    id::{Name, Timestamp},
};
use turnpike_proto::audit::Batch;
use turnpike_runtime::{clock, identity, random};

use crate::execute::{Authority, ExecuteError, Executor};

/// Records are lost.
const GAP: &str = "audit_gap";
/// What an edge signed does not fit.
const BROKEN: &str = "audit_chain_broken";
/// The same of the same edge is not told again for so long, in seconds: one anomaly is one alert.
const QUIET: i64 = 3600;
/// So many alerts are remembered as told.
const REMEMBERED: usize = 10_000;

/// Raises the alerts.
#[derive(Clone)]
pub(crate) struct Losses {
    executor: Executor,
    told: Arc<Mutex<BTreeMap<Told, Timestamp>>>,
}

/// Edge, kind and tenant.
type Told = (Arc<str>, &'static str, Arc<str>);

/// Where the chains of one edge are, as far as they came over one connection.
pub(super) type Chains = BTreeMap<u64, (u64, Link)>;

impl Losses {
    pub(crate) fn new(executor: Executor) -> Self {
        Self {
            executor,
            told: Arc::default(),
        }
    }

    /// Looks at a batch that is stored, with the sequence up to which its epoch is stored without a gap. Fails where it must be
    /// tried again.
    pub(super) async fn look_through(
        &self,
        batch: &Batch,
        stored: u64,
        chains: &mut Chains,
    ) -> Result<(), ExecuteError> {
        let Batch {
            edge, epoch, first, ..
        } = batch;
        for record in batch.records.iter().filter(|record| is_loss(record)) {
            let tenant = record.tenant.clone().unwrap_or_else(|| Name::platform().shared());
            let mut facts: Vec<(Arc<str>, Arc<str>)> = record.metadata.clone();
            facts.push((
                Arc::from("since_us"),
                Arc::from(record.time.as_micros().to_string()),
            ));
            let what = format!("Audit records were lost at the edge {edge}: {}.", record.reason);
            self.raise(edge, GAP, &tenant, what, facts).await?;
        }
        let platform = Name::platform().shared();
        if stored + 1 < *first {
            let what = format!(
                "The records {} to {} of epoch {epoch} of the edge {edge} are not there.",
                stored + 1,
                first - 1
            );
            self.raise(edge, GAP, &platform, what, Vec::new()).await?;
        }
        if let Some(said) = &batch.checkpoint {
            if let Some(problem) = problem(said, chains) {
                let what = format!(
                    "The records {} to {} of epoch {epoch} of the edge {edge}: {problem}.",
                    said.first, said.last
                );
                self.raise(edge, BROKEN, &platform, what, Vec::new()).await?;
            }
            chains.insert(*epoch, (said.last, said.after));
        }
        Ok(())
    }

    async fn raise(
        &self,
        edge: &Arc<str>,
        kind: &'static str,
        tenant: &Arc<str>,
        what: String,
        facts: Vec<(Arc<str>, Arc<str>)>,
    ) -> Result<(), ExecuteError> {
        let key = (edge.clone(), kind, tenant.clone());
        let now = clock::now();
        if self.is_told(&key, now) {
            return Ok(());
        }
        let Ok(tenant) = tenant.parse::<Name>() else {
            return Ok(());
        };
        let alert = Alert {
            id: random::id(),
            kind: Arc::from(kind),
            // Each loss is like no other: one that is still looked at does not hide the next.
            subject: None,
            credential: None,
            count: None,
            audit: Vec::new(),
            summary: Arc::from(what.as_str()),
            evidence: facts
                .into_iter()
                .chain([(Arc::from("edge"), edge.clone())])
                .collect(),
        };
        let correlation = Arc::from(random::id().as_str());
        let commands = vec![Command::RaiseAlert(alert)];
        let raised = self
            .executor
            .execute(Authority::System("audit"), tenant, correlation, commands)
            .await;
        match raised {
            // Its tenant is deleted: nobody is left to tell.
            Err(ExecuteError::Refused(refusal)) => {
                tracing::warn!(%refusal, what, "an alert about the audit could not be raised")
            }
            Err(error) => return Err(error),
            Ok(_) => tracing::error!(%edge, what, "the audit has a gap or does not fit what was signed"),
        }
        self.remember(key, now);
        Ok(())
    }

    fn is_told(&self, key: &Told, now: Timestamp) -> bool {
        let told = self.told.lock();
        told.is_ok_and(|told| told.get(key).is_some_and(|at| at.plus_seconds(QUIET) > now))
    }

    fn remember(&self, key: Told, now: Timestamp) {
        let Ok(mut told) = self.told.lock() else {
            return;
        };
        if told.len() >= REMEMBERED {
            told.retain(|_, at| at.plus_seconds(QUIET) > now);
        }
        if told.len() < REMEMBERED {
            told.insert(key, now);
        }
    }
}

/// A torn end is no loss: nobody was answered.
fn is_loss(record: &AuditRecord) -> bool {
    record.action.as_deref() == Some(LOST.action) && *record.reason != *LOST.torn
}

/// Why what an edge signed does not fit; what came over other connections is left to `turnpike audit verify`.
fn problem(said: &Checkpoint, chains: &Chains) -> Option<&'static str> {
    if !identity::signed(&said.key, &said.statement(), &said.signature) {
        return Some("the signature is not by the key that it names");
    }
    let before = match chains.get(&said.epoch) {
        Some((last, after)) if last + 1 == said.first => Some(*after),
        _ if said.first == 1 => Some(Link::start(said.epoch)),
        _ => None,
    };
    let fits = before.is_none_or(|before| before == said.before);
    (!fits).then_some("what was signed does not follow on what was signed before")
}
