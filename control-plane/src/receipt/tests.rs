//! Receipts: what is kept, what is added, and by when whoever is silent is fenced.

use tempfile::{TempDir, tempdir};
use turnpike_access::{command::Command, tenant::TenantSettings};

use super::*;
use crate::{
    fixture::{Core, create_team, name},
    store::EdgeReport,
};

struct Bed {
    core: Core,
    edges: Edges,
    receipts: Receipts,
    _folder: TempDir,
}

impl Bed {
    async fn new() -> Self {
        let folder = tempdir().unwrap();
        let core = Core::in_folder(folder.path()).await;
        core.bootstrap().await;
        let edges = Edges::new(core.store.clone(), core.projection.clone());
        let history = History::new(core.store.clone(), core.projection.clone());
        let receipts = Receipts::new(
            edges.clone(),
            core.store.clone(),
            core.projection.clone(),
            history,
        );
        Self {
            core,
            edges,
            receipts,
            _folder: folder,
        }
    }

    async fn change(&self, command: Command) -> Change {
        let done = self.core.ask_as_root("platform", vec![command]).await.unwrap();
        Change {
            tenant: name("platform"),
            position: done.position,
            committed: clock::now(),
        }
    }

    async fn accept_staleness(&self, seconds: u32) -> Change {
        let from = self
            .core
            .snapshot()
            .tenant("platform")
            .unwrap()
            .settings()
            .clone();
        let mut to: TenantSettings = from.clone();
        to.staleness.max_seconds = Some(seconds);
        to.staleness.models = vec!["open/*".parse().unwrap()];
        self.change(Command::UpdateTenant { from, to }).await
    }

    fn at(&self, name: &str, position: Position) {
        self.edges.report(EdgeReport {
            name: name.to_owned(),
            region: "eu".to_owned(),
            version: "0".to_owned(),
            epoch: 1,
            position,
            applied: clock::now(),
            halted: None,
            last_seen: clock::now(),
            departed: false,
            identity_key: None,
            statement: None,
            certain: None,
        });
    }

    async fn waited(&self, change: &Change) -> Receipt {
        self.receipts
            .wait(change.clone(), Instant::now(), true)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn an_edge_that_has_not_answered_is_fenced_as_the_state_that_it_is_at_says() {
    let bed = Bed::new().await;
    let before = bed.change(create_team("before")).await;
    let asked = bed.accept_staleness(30).await;
    let change = bed.change(create_team("crew")).await;
    bed.at("knows", asked.position);
    bed.at("does-not-know", before.position);
    bed.at("has-nothing", Position::ZERO);
    bed.at("done", change.position);
    let receipt = bed.waited(&change).await;
    assert!(!receipt.applied());
    let fences: Vec<_> = receipt
        .edges
        .iter()
        .map(|entry| {
            (
                entry.edge.as_str(),
                entry.applied,
                entry.fenced_by,
                entry.spared.len(),
            )
        })
        .collect();
    let by = change.committed.plus_seconds(30);
    assert_eq!(
        fences,
        [
            ("does-not-know", false, None, 0),
            ("done", true, None, 0),
            ("has-nothing", false, Some(change.committed), 0),
            ("knows", false, Some(by), 1),
        ]
    );
}

#[tokio::test]
async fn a_receipt_is_given_again_as_it_was_with_what_has_come_since() {
    let bed = Bed::new().await;
    let change = bed.change(create_team("crew")).await;
    bed.at("early", change.position);
    bed.at("late", Position::new(1));
    let first = bed.waited(&change).await;
    assert!(!first.applied());
    let later = bed.change(create_team("other")).await;
    bed.at("early", later.position);
    bed.at("late", later.position);
    bed.at("newcomer", later.position);
    let again = bed.receipts.again(change.position).await.unwrap().unwrap();
    assert!(again.applied());
    assert_eq!(again.edges[0], first.edges[0], "an answer stays as it was given");
    assert_eq!(
        (again.edges[1].edge.as_str(), again.edges[1].position),
        ("late", later.position.get())
    );
    assert_eq!(again.edges.len(), 2, "who came later was not waited for");
    assert_eq!(again.committed, first.committed);
    // Even after the edges are forgotten.
    for edge in ["early", "late", "newcomer"] {
        bed.edges.delete(edge).await.unwrap();
    }
    assert_eq!(bed.receipts.again(change.position).await.unwrap(), Some(again));
}

#[tokio::test]
async fn a_position_that_nobody_waited_for_has_a_receipt_and_one_to_come_has_none() {
    let bed = Bed::new().await;
    let change = bed.change(create_team("crew")).await;
    bed.at("one", change.position);
    let receipt = bed.receipts.again(change.position).await.unwrap().unwrap();
    assert_eq!((receipt.tenant.as_str(), receipt.applied()), ("platform", true));
    assert_eq!(bed.receipts.again(change.position.next()).await.unwrap(), None);
    assert_eq!(bed.receipts.again(Position::ZERO).await.unwrap(), None);
}
