//! Decoys that were used: found among the records that come in, and told as alerts.

use std::{collections::BTreeMap, sync::Arc};

use turnpike_access::{
    alert::Alert, audit::AuditRecord, authenticate::AuthFailure, command::Command, credential::Credential,
    id::Name,
};
use turnpike_runtime::random;

use crate::execute::{Authority, ExecuteError, Executor};

/// The kind of the alert.
const USED: &str = "decoy_used";

/// Raises an alert at the first use of each decoy.
#[derive(Clone)]
pub(crate) struct Decoys {
    executor: Executor,
}

impl Decoys {
    pub(crate) fn new(executor: Executor) -> Self {
        Self { executor }
    }

    /// Raises what there is to raise, and fails where it must be tried again. Sent again, it raises nothing twice: the
    /// first alert marks the decoy.
    pub(crate) async fn look_through(&self, edge: &str, records: &[AuditRecord]) -> Result<(), ExecuteError> {
        let word = AuthFailure::Decoy.as_str();
        for record in records.iter().filter(|record| *record.reason == *word) {
            self.raise(edge, record).await?;
        }
        Ok(())
    }

    async fn raise(&self, edge: &str, record: &AuditRecord) -> Result<(), ExecuteError> {
        let snapshot = self.executor.snapshot();
        let held = record.credential.and_then(|id| snapshot.credential(id));
        let Some(held) = held.filter(|held| Some(held.tenant.as_str()) == record.tenant.as_deref()) else {
            return Ok(());
        };
        if held.decoy.as_ref().is_none_or(|decoy| decoy.used.is_some()) {
            return Ok(());
        }
        let tenant: Name = held.tenant.clone();
        let command = Command::RaiseAlert(alert(held, edge, record));
        let correlation = Arc::from(random::id().as_str());
        let raised = self
            .executor
            .execute(Authority::System("decoys"), tenant, correlation, vec![command])
            .await;
        match raised {
            // It was deleted meanwhile, with its tenant or alone: nobody is left to tell.
            Err(ExecuteError::Refused(refusal)) => {
                tracing::warn!(%refusal, "an alert about a decoy could not be raised");
                Ok(())
            }
            raised => raised.map(drop),
        }
    }
}

/// All that is known of whoever used it.
fn alert(held: &Credential, edge: &str, record: &AuditRecord) -> Alert {
    let label = held.label.as_deref().map(plain).unwrap_or_default();
    let from = record
        .client
        .map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    let known = [
        ("client_address", record.client.map(|address| address.to_string())),
        ("user_agent", record.user_agent.as_deref().map(plain)),
        ("edge", Some(plain(edge))),
        ("region", Some(plain(&record.region))),
        ("route", Some(plain(&record.route))),
        ("model", record.model_requested.as_deref().map(plain)),
        ("request_id", Some(plain(&record.request_id))),
        ("time_us", Some(record.time.as_micros().to_string())),
        ("label", Some(label).filter(|label| !label.is_empty())),
    ];
    let evidence: BTreeMap<Arc<str>, Arc<str>> = known
        .into_iter()
        .filter_map(|(key, value)| Some((Arc::from(key), Arc::from(value?))))
        .collect();
    Alert {
        id: random::id(),
        kind: Arc::from(USED),
        subject: Some(Arc::from(held.id.as_str())),
        credential: Some(held.id),
        count: None,
        audit: Vec::new(),
        summary: Arc::from(format!(
            "The decoy {} of {} was used from {from}.",
            held.id, held.owner
        )),
        evidence,
    }
}

/// What strangers wrote, without what terminals obey and databases refuse.
fn plain(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(200).collect()
}
