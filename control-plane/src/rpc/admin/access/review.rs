//! A review of access beside its use, part by part, as it is found out. Whoever goes away ends it.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};
use tonic::Status;
use turnpike_access::{
    id::{Name, Timestamp},
    log::Position,
    review::Review,
};
use turnpike_proto::admin::{
    v1::{self, review_response::Part},
    write_policy,
};

use super::super::{call::Call, demand};
use crate::{
    rpc::status::Failure,
    store::{AuditFilter, AuditStore, Cursor, EventStore, Page, StoredRecord},
};

/// Records and events that are read at a time.
const READ_LIMIT: u32 = 5_000;
/// So many of everybody are told of at a time.
const EVERYBODY_AT_ONCE: usize = 100;

/// What comes next.
enum Stage {
    /// Recorded requests after a place in their list.
    Requests(Option<Cursor>),
    /// The tenant's log after a position.
    Changes(Position),
    /// Everybody after so many.
    Rows(usize),
    Proposal,
    Done,
}

/// A review that goes on.
struct Reviewing {
    review: Review,
    tenant: Name,
    filter: AuditFilter,
    audit: Arc<dyn AuditStore>,
    events: Arc<dyn EventStore>,
    /// Where the log stood at the moment since when use counts.
    since: Position,
    propose: bool,
    stage: Stage,
    _permit: OwnedSemaphorePermit,
}

impl Call {
    pub(super) async fn review(
        self,
        asked: v1::ReviewRequest,
    ) -> Result<BoxStream<'static, Result<v1::ReviewResponse, Status>>, Failure> {
        self.may("")?;
        let v1::ReviewRequest { since_us, propose } = asked;
        let since = Timestamp::from_micros(since_us);
        let (stage, log) = match since_us {
            0 => (Stage::Rows(0), Position::ZERO),
            _ => {
                self.may_also("AuditService/List")?;
                self.may_also("LogService/List")?;
                (Stage::Requests(None), self.on.history.position_at(since).await?)
            }
        };
        let permit = self.on.rehearsing.clone().try_acquire_owned();
        let administration = demand::actions().map(|(action, _)| Arc::from(action)).collect();
        let tenant = self.identity.target.clone();
        let reviewing = Reviewing {
            review: Review::new(
                self.snapshot.clone(),
                tenant.clone(),
                (since, self.now),
                administration,
            ),
            tenant,
            filter: AuditFilter {
                since: Some(since),
                until: Some(self.now),
                ..AuditFilter::default()
            },
            audit: self.on.audit.clone(),
            events: self.on.events.clone(),
            since: log,
            propose,
            stage,
            _permit: permit.map_err(|_| Failure::Rehearsing)?,
        };
        Ok(reviewing.parts())
    }
}

impl Reviewing {
    /// The parts, in order; after an error none.
    fn parts(self) -> BoxStream<'static, Result<v1::ReviewResponse, Status>> {
        let next = |reviewing: Option<Self>| async move {
            match reviewing?.next().await {
                Ok((part, reviewing)) => {
                    let part = v1::ReviewResponse { part: Some(part?) };
                    Some((Ok(part), Some(reviewing)))
                }
                Err(failure) => Some((Err(Status::from(failure)), None)),
            }
        };
        stream::unfold(Some(self), next).boxed()
    }

    async fn next(self) -> Result<(Option<Part>, Self), Failure> {
        match self.stage {
            Stage::Requests(after) => self.requests(after).await,
            Stage::Changes(after) => self.changes(after).await,
            Stage::Rows(from) => self.rows(from).await,
            Stage::Proposal => self.proposal().await,
            Stage::Done => Ok((None, self)),
        }
    }

    async fn requests(self, after: Option<Cursor>) -> Result<(Option<Part>, Self), Failure> {
        let page = Page {
            limit: READ_LIMIT,
            after,
        };
        let records = self.audit.list(&self.tenant, &self.filter, page).await?;
        let stage = match records.last().map(StoredRecord::cursor) {
            Some(last) if is_full(records.len()) => Stage::Requests(Some(last)),
            _ => Stage::Changes(self.since),
        };
        let looked = self.looking(move |review| records.iter().for_each(|kept| review.take(&kept.record)));
        Ok(looked.await?.then("requests", stage))
    }

    async fn changes(self, after: Position) -> Result<(Option<Part>, Self), Failure> {
        let kinds = Review::kinds();
        let events = self
            .events
            .of_kinds(&self.tenant, &kinds, after, READ_LIMIT)
            .await?;
        let stage = match events.last().map(|event| event.position) {
            Some(last) if is_full(events.len()) => Stage::Changes(last),
            _ => Stage::Rows(0),
        };
        let looked = self.looking(move |review| events.iter().for_each(|event| review.see(event)));
        Ok(looked.await?.then("changes", stage))
    }

    async fn rows(self, from: usize) -> Result<(Option<Part>, Self), Failure> {
        let total = self.review.everybody();
        let told = spawn_blocking(move || {
            let rows = self.review.part(from, EVERYBODY_AT_ONCE);
            let rows = rows.iter().map(v1::ReviewedAccess::from).collect();
            (Part::Rows(v1::ReviewRows { rows }), self)
        });
        let (part, mut reviewing) = told.await.map_err(|_| Failure::NotOffered)?;
        let done = from + EVERYBODY_AT_ONCE;
        reviewing.stage = match (done < total, reviewing.propose) {
            (true, _) => Stage::Rows(done),
            (false, true) => Stage::Proposal,
            (false, false) => Stage::Done,
        };
        Ok((Some(part), reviewing))
    }

    async fn proposal(self) -> Result<(Option<Part>, Self), Failure> {
        let proposing = spawn_blocking(move || (self.review.propose(), self));
        let (proposal, mut reviewing) = proposing.await.map_err(|_| Failure::NotOffered)?;
        reviewing.stage = Stage::Done;
        let part = Part::Proposal(v1::ReviewProposal {
            policy: write_policy(&proposal.policy).map_err(Failure::Policy)?,
            notes: proposal.notes,
        });
        Ok((Some(part), reviewing))
    }

    /// Judging takes time that no other call should wait for.
    async fn looking(mut self, look: impl FnOnce(&mut Review) + Send + 'static) -> Result<Self, Failure> {
        let looked = spawn_blocking(move || {
            look(&mut self.review);
            self
        });
        looked.await.map_err(|_| Failure::NotOffered)
    }

    fn then(mut self, phase: &str, stage: Stage) -> (Option<Part>, Self) {
        self.stage = stage;
        let progress = v1::ReviewProgress {
            phase: phase.to_owned(),
            done: self.review.seen,
            total: 0,
        };
        (Some(Part::Progress(progress)), self)
    }
}

fn is_full(read: usize) -> bool {
    u32::try_from(read).is_ok_and(|read| read >= READ_LIMIT)
}
