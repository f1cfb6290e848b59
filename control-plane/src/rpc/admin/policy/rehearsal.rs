//! What is found out about a plan, part by part, as it is found out. Whoever goes away ends it.

use std::{collections::VecDeque, sync::Arc};

use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};
use tonic::Status;
use turnpike_access::{
    id::{Name, Timestamp},
    policy::{replay::Replay, survey::Survey},
    snapshot::Snapshot,
};
use turnpike_proto::admin::v1::{self, plan_policy_response::Part};

use super::super::demand;
use crate::{
    rpc::status::Failure,
    store::{AuditFilter, AuditStore, Cursor, Page, StoredRecord},
};

/// So many of everybody are looked at between two words of progress.
const EVERYBODY_AT_ONCE: usize = 50;
/// Records read and judged at a time.
const RECORDS_AT_ONCE: u32 = 5_000;

/// A plan that more is being found out about.
#[derive(Default)]
pub(super) struct Rehearsal {
    ready: VecDeque<Part>,
    survey: Option<(Arc<Survey>, usize)>,
    replay: Option<Replaying>,
    permit: Option<OwnedSemaphorePermit>,
}

struct Replaying {
    replay: Replay,
    tenant: Name,
    filter: AuditFilter,
    after: Option<Cursor>,
    audit: Arc<dyn AuditStore>,
}

impl Rehearsal {
    /// The plan, which comes first.
    pub(super) fn of(plan: v1::PolicyPlan) -> Self {
        Self {
            ready: VecDeque::from([Part::Plan(plan)]),
            ..Self::default()
        }
    }

    /// Held for as long as it goes on.
    pub(super) fn admitted(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// Then who gains or loses what.
    pub(super) fn survey(&mut self, states: (Arc<Snapshot>, Arc<Snapshot>), tenant: &Name, now: Timestamp) {
        let others = demand::actions().map(|(action, kind)| (Arc::from(action), Arc::from(kind)));
        let survey = Survey::new(states, tenant.clone(), now, others.collect());
        self.survey = Some((Arc::new(survey), 0));
    }

    /// Then which requests since a moment would have gone otherwise.
    pub(super) fn replay(
        &mut self,
        (now, then): (Arc<Snapshot>, Arc<Snapshot>),
        tenant: &Name,
        (since, until): (Timestamp, Timestamp),
        audit: Arc<dyn AuditStore>,
    ) {
        self.replay = Some(Replaying {
            replay: Replay::new(now, then),
            tenant: tenant.clone(),
            filter: AuditFilter {
                since: Some(since),
                until: Some(until),
                ..AuditFilter::default()
            },
            after: None,
            audit,
        });
    }

    /// The parts, in order; after an error none.
    pub(super) fn parts(self) -> BoxStream<'static, Result<v1::PlanPolicyResponse, Status>> {
        let next = |rehearsal: Option<Self>| async move {
            let mut rehearsal = rehearsal?;
            match rehearsal.next().await {
                Ok(part) => Some((Ok(v1::PlanPolicyResponse { part: Some(part?) }), Some(rehearsal))),
                Err(failure) => Some((Err(Status::from(failure)), None)),
            }
        };
        stream::unfold(Some(self), next).boxed()
    }

    async fn next(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Ok(Some(part));
            }
            if let Some((survey, from)) = self.survey.take() {
                self.look(survey, from).await?;
            } else if let Some(replaying) = self.replay.take() {
                self.judge(replaying).await?;
            } else {
                return Ok(None);
            }
        }
    }

    async fn look(&mut self, survey: Arc<Survey>, from: usize) -> Result<(), Failure> {
        let looked = survey.clone();
        let changes = spawn_blocking(move || looked.part(from, EVERYBODY_AT_ONCE)).await;
        self.ready.extend(
            changes
                .map_err(|_| Failure::NotOffered)?
                .into_iter()
                .map(|one| Part::Access(one.into())),
        );
        let (done, total) = (from + EVERYBODY_AT_ONCE, survey.everybody());
        self.progress("access", done.min(total), total);
        if done < total {
            self.survey = Some((survey, done));
        }
        Ok(())
    }

    async fn judge(&mut self, mut replaying: Replaying) -> Result<(), Failure> {
        let page = Page {
            limit: RECORDS_AT_ONCE,
            after: replaying.after,
        };
        let records = replaying
            .audit
            .list(&replaying.tenant, &replaying.filter, page)
            .await?;
        replaying.after = records.last().map(StoredRecord::cursor).or(replaying.after);
        let more = records.len() >= usize::try_from(RECORDS_AT_ONCE).unwrap_or(usize::MAX);
        let judged = spawn_blocking(move || {
            records
                .iter()
                .for_each(|kept| replaying.replay.take(&kept.record));
            replaying
        });
        let replaying = judged.await.map_err(|_| Failure::NotOffered)?;
        let seen = usize::try_from(replaying.replay.report.seen).unwrap_or(usize::MAX);
        self.progress("replay", seen, 0);
        match more {
            true => self.replay = Some(replaying),
            false => self
                .ready
                .push_back(Part::Replay((&replaying.replay.report).into())),
        }
        Ok(())
    }

    fn progress(&mut self, phase: &str, done: usize, total: usize) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.ready.push_back(Part::Progress(v1::PolicyProgress {
            phase: phase.to_owned(),
            done: number(done),
            total: number(total),
        }));
    }
}
