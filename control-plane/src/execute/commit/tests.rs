//! Commits whose answer is lost, on a real store behind a connection that loses answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::tempdir;
use tokio::time::Instant;
use turnpike_access::{
    id::{Id, Name, Timestamp},
    log::{Head, Position, Recorded},
};

use super::{Outcome, commit};
use crate::{
    execute::{Authority, Request, recent::Recent, stage::Stage},
    fixture::{Core, create_team, name},
    store::{
        AppendError, EdgeReport, EventStore, HeldKey, LeaseClaim, SealedKey, StoreError, StoredReceipt, Watch,
    },
};

/// A store whose next append is carried out, or not, and whose answer is lost either way.
struct Losing {
    inner: Arc<dyn EventStore>,
    armed: AtomicBool,
    carried_out: bool,
}

#[async_trait]
impl EventStore for Losing {
    async fn head(&self) -> Result<Head, StoreError> {
        self.inner.head().await
    }

    async fn append(&self, expected: Head, events: &[Recorded]) -> Result<(), AppendError> {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return self.inner.append(expected, events).await;
        }
        if self.carried_out {
            self.inner.append(expected, events).await?;
        }
        Err(AppendError::Unknown(StoreError::TimedOut))
    }

    async fn read(&self, after: Position, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        self.inner.read(after, limit).await
    }

    fn watch(&self) -> Watch {
        self.inner.watch()
    }

    async fn of_kinds(
        &self,
        tenant: &Name,
        kinds: &[&str],
        after: Position,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        self.inner.of_kinds(tenant, kinds, after, limit).await
    }

    async fn save_snapshot(&self, head: Head, state: Bytes) -> Result<(), StoreError> {
        self.inner.save_snapshot(head, state).await
    }

    async fn load_snapshot(&self, until: Position) -> Result<Option<(Head, Bytes)>, StoreError> {
        self.inner.load_snapshot(until).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.inner.signing_keys().await
    }

    async fn add_signing_key(&self, key: &SealedKey) -> Result<(), StoreError> {
        self.inner.add_signing_key(key).await
    }

    async fn first_signing_key(&self, candidate: &SealedKey) -> Result<Vec<SealedKey>, StoreError> {
        self.inner.first_signing_key(candidate).await
    }

    async fn first_edge_authority(&self, candidate: &SealedKey) -> Result<SealedKey, StoreError> {
        self.inner.first_edge_authority(candidate).await
    }

    async fn token_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.inner.token_keys().await
    }

    async fn add_token_key(&self, key: &SealedKey) -> Result<(), StoreError> {
        self.inner.add_token_key(key).await
    }

    async fn remove_token_key(&self, id: &str) -> Result<(), StoreError> {
        self.inner.remove_token_key(id).await
    }

    async fn hold_key(&self, key: &HeldKey) -> Result<(), StoreError> {
        self.inner.hold_key(key).await
    }

    async fn held_keys(&self, credential: Option<Id>) -> Result<Vec<HeldKey>, StoreError> {
        self.inner.held_keys(credential).await
    }

    async fn release_key(&self, id: Id) -> Result<bool, StoreError> {
        self.inner.release_key(id).await
    }

    async fn report_edges(&self, reports: &[EdgeReport]) -> Result<(), StoreError> {
        self.inner.report_edges(reports).await
    }

    async fn edges(&self) -> Result<Vec<EdgeReport>, StoreError> {
        self.inner.edges().await
    }

    async fn forget_edge(&self, name: &str) -> Result<bool, StoreError> {
        self.inner.forget_edge(name).await
    }

    async fn save_receipt(&self, receipt: &StoredReceipt) -> Result<(), StoreError> {
        self.inner.save_receipt(receipt).await
    }

    async fn receipt(&self, position: Position) -> Result<Option<StoredReceipt>, StoreError> {
        self.inner.receipt(position).await
    }

    async fn trim_receipts(&self, keep: u32) -> Result<(), StoreError> {
        self.inner.trim_receipts(keep).await
    }

    async fn claim_lease(&self, claim: LeaseClaim<'_>) -> Result<Option<Position>, StoreError> {
        self.inner.claim_lease(claim).await
    }
}

fn losing(core: &Core, carried_out: bool) -> Losing {
    Losing {
        inner: core.store.clone(),
        armed: AtomicBool::new(true),
        carried_out,
    }
}

/// A group of one request for one team.
fn stage_with_team(core: &Core) -> Stage {
    let request = Request {
        authority: Authority::System("test"),
        tenant: name("platform"),
        correlation: Arc::from("test"),
        work: vec![create_team("ops")].into(),
        answer: tokio::sync::oneshot::channel().0,
    };
    let mut stage = Stage::on(&core.snapshot());
    stage
        .take(&request, &Recent::default(), Timestamp::from_micros(1))
        .unwrap();
    stage
}

fn patience() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_in_the_log_and_not_made_twice() {
    let folder = tempdir().unwrap();
    let (core, _writer) = booted(folder.path()).await;
    let stage = stage_with_team(&core);
    let outcome = commit(&losing(&core, true), &stage, patience()).await;
    assert!(matches!(outcome, Outcome::Committed));
    assert_eq!(
        core.store.head().await.unwrap().position,
        stage.base().position.next()
    );
}

#[tokio::test]
async fn a_commit_that_was_lost_before_it_was_made_is_made() {
    let folder = tempdir().unwrap();
    let (core, _writer) = booted(folder.path()).await;
    let stage = stage_with_team(&core);
    let outcome = commit(&losing(&core, false), &stage, patience()).await;
    assert!(matches!(outcome, Outcome::Committed));
    assert_eq!(
        core.store.head().await.unwrap().position,
        stage.base().position.next()
    );
}

#[tokio::test]
async fn an_outcome_that_can_not_be_found_out_in_time_is_told_as_unknown() {
    let folder = tempdir().unwrap();
    let (core, _writer) = booted(folder.path()).await;
    let stage = stage_with_team(&core);
    let outcome = commit(&losing(&core, true), &stage, Instant::now()).await;
    assert!(matches!(outcome, Outcome::Unknown(_)));
}

/// A core with an administrator and a writer that stands still, so that nothing else is committed.
async fn booted(folder: &std::path::Path) -> (Core, crate::execute::Writer) {
    let first = Core::in_folder(folder).await;
    first.bootstrap().await;
    drop(first);
    Core::idle_in(folder).await
}
