//! Receipts: where a change stands at every edge, kept so that whoever asks again is told the same and what came since.
//!
//! An edge that has not answered is named with the time by which it is fenced for the change's tenant: it is certain of
//! its state as of some moment before the commit, and serves nobody of the tenant once that lies further back than the
//! tenant accepts. What the tenant accepts is read off the state that the edge is at, not off the newest one.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use turnpike_access::{
    id::{Name, Timestamp},
    log::Position,
    tenant::Staleness,
};
use turnpike_runtime::clock;

use crate::{
    edges::{AppliedReceipt, EdgeState, EdgeStatus, Edges},
    history::{History, Moment},
    projection::Projection,
    store::{EventStore, StoreError, StoredReceipt},
};

#[cfg(test)]
mod tests;

/// Past states that one receipt may ask for. Edges that stand elsewhere are not said to be fenced.
const PASTS: usize = 8;

/// A change that edges are to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Whose it is.
    pub(crate) tenant: Name,
    /// Of its last event.
    pub(crate) position: Position,
    /// It was committed by then.
    pub(crate) committed: Timestamp,
}

/// Where a change stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) tenant: Name,
    pub(crate) position: u64,
    pub(crate) committed: Timestamp,
    /// Every edge that was known, by name.
    pub(crate) edges: Vec<EdgeEntry>,
}

/// Where one edge stands, as it said and as it was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EdgeEntry {
    pub(crate) edge: String,
    pub(crate) region: String,
    /// `live`, `silent`, `departed`, `drained`, `revoked` or `halted`.
    pub(crate) state: String,
    pub(crate) position: u64,
    /// Whether it has applied the change.
    pub(crate) applied: bool,
    /// Since when it is at its position, by its own clock.
    pub(crate) since: Timestamp,
    pub(crate) seen: Timestamp,
    /// It has not applied the change, and serves the tenant no longer than until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fenced_by: Option<Timestamp>,
    /// But for these models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) spared: Vec<String>,
    /// The edge's signed word for its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) statement: Option<String>,
    /// What verifies it: `x` of the edge's JWK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

impl Receipt {
    /// Whether no edge may still decide without the change: each has applied it, has taken leave, or was sent away.
    pub(crate) fn applied(&self) -> bool {
        self.edges
            .iter()
            .all(|entry| entry.applied || EdgeState::is_of_nobody(&entry.state))
    }

    /// What is known now, beside what was known: an answer that was given stays as it was given.
    fn completed(self, now: Self) -> Self {
        let mut newer: BTreeMap<_, _> = now
            .edges
            .into_iter()
            .map(|entry| (entry.edge.clone(), entry))
            .collect();
        let edges = self.edges.into_iter().map(|entry| match entry.applied {
            true => entry,
            false => newer.remove(&entry.edge).unwrap_or(entry),
        });
        Self {
            edges: edges.collect(),
            ..self
        }
    }
}

/// Makes receipts, and keeps them. Clones share the parts.
#[derive(Clone)]
pub(crate) struct Receipts {
    edges: Edges,
    store: Arc<dyn EventStore>,
    projection: Arc<Projection>,
    history: History,
}

impl Receipts {
    pub(crate) fn new(
        edges: Edges,
        store: Arc<dyn EventStore>,
        projection: Arc<Projection>,
        history: History,
    ) -> Self {
        Self {
            edges,
            store,
            projection,
            history,
        }
    }

    /// Waits until every edge has applied a change, or the deadline passes, and keeps the receipt if it is to be kept.
    pub(crate) async fn wait(
        &self,
        change: Change,
        deadline: Instant,
        keep: bool,
    ) -> Result<Receipt, StoreError> {
        let found = self.edges.wait_applied(change.position, deadline).await?;
        let receipt = self.made(change, found).await;
        if keep {
            self.keep(&receipt).await?;
        }
        Ok(receipt)
    }

    /// The receipt of a position, with what has come since it was kept; `None`: there is no such position yet.
    pub(crate) async fn again(&self, position: Position) -> Result<Option<Receipt>, StoreError> {
        let kept = self.store.receipt(position).await?;
        let kept = kept.and_then(|kept| read(&kept));
        if let Some(complete) = kept
            .as_ref()
            .filter(|kept| kept.edges.iter().all(|entry| entry.applied))
        {
            return Ok(Some(complete.clone()));
        }
        let change = match &kept {
            Some(kept) => Some(Change {
                tenant: kept.tenant.clone(),
                position,
                committed: kept.committed,
            }),
            None => self.change_at(position).await?,
        };
        let Some(change) = change else {
            return Ok(None);
        };
        let found = self.edges.wait_applied(position, Instant::now()).await?;
        let now = self.made(change, found).await;
        let receipt = match kept {
            Some(kept) => kept.completed(now),
            None => now,
        };
        self.keep(&receipt).await?;
        Ok(Some(receipt))
    }

    /// The change whose event stands at a position. When it was committed is not written down: by now, in any case.
    pub(crate) async fn change_at(&self, position: Position) -> Result<Option<Change>, StoreError> {
        let Some(before) = position.get().checked_sub(1) else {
            return Ok(None);
        };
        let found = self.store.read(Position::new(before), 1).await?;
        Ok(found.first().map(|event| Change {
            tenant: event.origin.tenant.clone(),
            position,
            committed: clock::now(),
        }))
    }

    async fn keep(&self, receipt: &Receipt) -> Result<(), StoreError> {
        let text = serde_json::to_string(receipt)
            .map_err(|error| StoreError::Damaged(format!("a receipt cannot be written down: {error}")))?;
        self.store
            .save_receipt(&StoredReceipt {
                position: Position::new(receipt.position),
                text,
            })
            .await
    }

    async fn made(&self, change: Change, found: AppliedReceipt) -> Receipt {
        let mut fences = Fences::default();
        let mut edges = Vec::with_capacity(found.edges.len());
        for (status, applied) in found.edges {
            let fence = match applied || status.state.serves_nobody() {
                true => None,
                false => self.fence(&change, status.report.position, &mut fences).await,
            };
            edges.push(entry(status, applied, fence));
        }
        Receipt {
            tenant: change.tenant,
            position: change.position.get(),
            committed: change.committed,
            edges,
        }
    }

    /// By when an edge that stands before a change serves its tenant no more.
    async fn fence(&self, change: &Change, at: Position, fences: &mut Fences) -> Option<Fence> {
        if at == Position::ZERO {
            // It has no state at all, and decides nothing.
            return Some((change.committed, Vec::new()));
        }
        if let Some(known) = fences.0.get(&at) {
            return known.clone();
        }
        let newest = self.projection.snapshot();
        // A past state is put together only where it can matter.
        newest
            .tenant(change.tenant.as_str())?
            .settings()
            .staleness
            .max_seconds?;
        if fences.0.len() >= PASTS {
            return None;
        }
        let fence = match self.history.at(Moment::Position(at)).await {
            Ok(then) => {
                let tenant = then.tenant(change.tenant.as_str());
                tenant.and_then(|tenant| fence(change.committed, &tenant.settings().staleness))
            }
            Err(error) => {
                tracing::warn!(%error, position = at.get(), "could not find out what an edge is fenced by");
                None
            }
        };
        fences.0.insert(at, fence.clone());
        fence
    }
}

/// When, and but for which models.
type Fence = (Timestamp, Vec<String>);

/// Edges mostly stand at the same positions.
#[derive(Default)]
struct Fences(BTreeMap<Position, Option<Fence>>);

fn fence(committed: Timestamp, staleness: &Staleness) -> Option<Fence> {
    let by = committed.plus_seconds(i64::from(staleness.max_seconds?));
    Some((by, staleness.models.iter().map(ToString::to_string).collect()))
}

fn entry(status: EdgeStatus, applied: bool, fence: Option<Fence>) -> EdgeEntry {
    let EdgeStatus { report, state } = status;
    let (fenced_by, spared) = fence.map_or((None, Vec::new()), |(by, spared)| (Some(by), spared));
    EdgeEntry {
        edge: report.name,
        region: report.region,
        state: state.as_str().to_owned(),
        position: report.position.get(),
        applied,
        since: report.applied,
        seen: report.last_seen,
        fenced_by,
        spared,
        statement: report.statement,
        key: report.identity_key,
    }
}

/// One that cannot be read is made anew.
fn read(kept: &StoredReceipt) -> Option<Receipt> {
    serde_json::from_str(&kept.text)
        .inspect_err(
            |error| tracing::warn!(%error, position = kept.position.get(), "a kept receipt cannot be read"),
        )
        .ok()
}
