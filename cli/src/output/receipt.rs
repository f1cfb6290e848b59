//! Where a write stands: committed, and which edges have applied it.

use serde::Serialize;
use turnpike_proto::admin::v1::{EdgeReceipt, Receipt};

use super::{View, document, table};
use crate::{failure::Failure, moment};

/// A receipt as it is shown.
#[derive(Serialize)]
pub struct ReceiptView {
    /// The position of the write's last event.
    pub position: u64,
    /// Whether every edge has applied it; absent where nobody waited.
    pub applied: Option<bool>,
    /// When it was committed, at the latest; where somebody waited.
    pub committed: Option<String>,
    /// Every edge that is known, where somebody waited.
    pub edges: Vec<EdgeReceiptView>,
}

/// Where one edge stands.
#[derive(Serialize)]
pub struct EdgeReceiptView {
    edge: String,
    region: String,
    position: u64,
    applied: bool,
    applied_time: Option<String>,
    state: String,
    last_seen: Option<String>,
    fenced_by: Option<String>,
    spared: Vec<String>,
    statement: Option<String>,
    key: Option<String>,
}

impl View for EdgeReceiptView {
    const COLUMNS: &'static [&'static str] = &[
        "edge",
        "region",
        "applied",
        "position",
        "applied_time",
        "last_seen",
        "fenced_by",
    ];
}

impl ReceiptView {
    /// Of a write; `waited` says whether the edges were asked about.
    pub fn new(receipt: Receipt, waited: bool) -> Self {
        let Receipt {
            position,
            applied,
            edges,
            committed_us,
        } = receipt;
        Self {
            position,
            applied: waited.then_some(applied),
            committed: moment::precise(committed_us).filter(|_| waited),
            edges: edges
                .into_iter()
                .filter(|_| waited)
                .map(EdgeReceiptView::from)
                .collect(),
        }
    }

    /// Whether all that was asked for is done.
    pub fn complete(&self) -> bool {
        self.applied != Some(false)
    }

    /// What becomes of those that have not applied it.
    fn fences(&self) -> &'static str {
        let mut missing = self
            .edges
            .iter()
            .filter(|edge| !edge.applied && edge.state != "departed");
        match missing.all(|edge| edge.fenced_by.is_some()) {
            true => {
                " Each of them is fenced by the time that is shown: then it serves the tenant no more until it has."
            }
            false => {
                " Until they do, they serve by what they know; `turnpike tenant update --max-staleness` sets a limit."
            }
        }
    }

    /// For people.
    pub(super) fn text(&self, width: Option<u16>) -> Result<String, Failure> {
        let Some(applied) = self.applied else {
            return Ok(match self.position {
                0 => String::new(),
                position => format!("Committed at position {position}.\n"),
            });
        };
        let documents = self
            .edges
            .iter()
            .map(document::of)
            .collect::<Result<Vec<_>, _>>()?;
        let edges = table::rows(EdgeReceiptView::COLUMNS, &documents, width);
        let missing = self.edges.iter().filter(|edge| !edge.applied).count();
        Ok(match (applied, self.edges.len()) {
            (true, 0) => format!("Committed at position {}; no edge is known.\n", self.position),
            // An edge that has said goodbye is not waited for: it catches up before it serves again.
            (true, _) if missing > 0 => format!(
                "{edges}\nEvery running edge has applied position {}; those that have stopped ({missing}) will when started.\n",
                self.position
            ),
            (true, _) => format!("{edges}\nEvery edge has applied position {}.\n", self.position),
            (false, all) => format!(
                "{edges}\nCommitted at position {}, but {missing} of {all} edges have not applied it yet.{}\n",
                self.position,
                self.fences()
            ),
        })
    }
}

impl From<EdgeReceipt> for EdgeReceiptView {
    fn from(receipt: EdgeReceipt) -> Self {
        let EdgeReceipt {
            edge,
            region,
            position,
            applied_time_us,
            applied,
            last_seen_us,
            state,
            fenced_by_us,
            spared,
            statement,
            key,
        } = receipt;
        Self {
            edge,
            region,
            position,
            applied,
            applied_time: moment::precise(applied_time_us),
            state,
            last_seen: moment::precise(last_seen_us),
            fenced_by: moment::precise(fenced_by_us),
            spared,
            statement: Some(statement).filter(|text| !text.is_empty()),
            key: Some(key).filter(|text| !text.is_empty()),
        }
    }
}
