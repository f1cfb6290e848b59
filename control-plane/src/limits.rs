//! Budgets: counted again and again out of what was stored, and said to be spent when they are.
//!
//! Every control plane looks; what another one said already leads to no event.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    command::Command,
    grant::Subject,
    id::{Name, Timestamp},
    limit::{HeldLimit, Limit},
    snapshot::Tenant,
};
use turnpike_runtime::{clock, random};

use crate::{
    execute::{Authority, ExecuteError, Executor},
    store::{
        AuditStore, StoreError,
        usage::{Dimension, Order, Part, UsageQuery, Used},
    },
};

/// How often it is counted.
const EVERY: Duration = Duration::from_secs(2);
/// Whose usage is told apart for a team: those of the tenant who paid the most.
const LOOKED_AT: u32 = 100_000;
/// A millionth of a dollar, in billionths.
pub(crate) const NANOS: u64 = 1_000;
/// Who it is, in the log of this process.
const SELF: &str = "limits";

/// What counts.
pub(crate) struct Limits {
    pub(crate) executor: Executor,
    pub(crate) audit: Arc<dyn AuditStore>,
}

/// It was not counted, or not said. It is counted again in the next pass.
#[derive(Debug, thiserror::Error)]
enum NotSaid {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

impl Limits {
    /// Counts until `stop`.
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

    async fn pass(&self, now: Timestamp) {
        let snapshot = self.executor.snapshot();
        for tenant in snapshot.tenants() {
            for held in tenant.limits().iter().filter(|held| !held.is_spent(now)) {
                if let Err(error) = self.look_at(tenant, held, now).await {
                    let (tenant, limit) = (tenant.name(), &held.limit.name);
                    tracing::warn!(%tenant, %limit, %error, "what was spent could not be counted; it is tried again");
                }
            }
        }
    }

    async fn look_at(&self, tenant: &Tenant, held: &HeldLimit, now: Timestamp) -> Result<(), NotSaid> {
        let limit = held.limit.clone();
        let Some((_, until)) = limit.per.around(now) else {
            return Ok(());
        };
        let spent = spent(&*self.audit, tenant, &limit, now).await?;
        if u64::try_from(spent.cost_nanos).unwrap_or_default() < limit.budget.saturating_mul(NANOS) {
            return Ok(());
        }
        self.say(tenant.name(), Command::SpendLimit { limit, until })
            .await
    }

    async fn say(&self, tenant: &Name, command: Command) -> Result<(), NotSaid> {
        let correlation = Arc::from(random::id().as_str());
        let said = self
            .executor
            .execute(
                Authority::System(SELF),
                tenant.clone(),
                correlation,
                vec![command],
            )
            .await;
        match said {
            // It was deleted meanwhile.
            Err(ExecuteError::Refused(_)) => Ok(()),
            said => {
                drop(said?);
                Ok(())
            }
        }
    }
}

/// What those whom a limit binds used in the period that is now, as far as it was stored.
pub(crate) async fn spent(
    audit: &dyn AuditStore,
    tenant: &Tenant,
    limit: &Limit,
    now: Timestamp,
) -> Result<Used, StoreError> {
    match limit.per.around(now) {
        Some(period) => spent_within(audit, tenant, limit, period).await,
        None => Ok(Used::default()),
    }
}

/// The same between two moments.
pub(crate) async fn spent_within(
    audit: &dyn AuditStore,
    tenant: &Tenant,
    limit: &Limit,
    (since, until): (Timestamp, Timestamp),
) -> Result<Used, StoreError> {
    let mut query = UsageQuery {
        everybody: false,
        principal: None,
        by: Vec::new(),
        since,
        until,
        order: None,
        limit: 1,
    };
    let members: HashSet<String> = match &limit.subject {
        None => HashSet::new(),
        Some(Subject::Team(team)) => members(tenant, team),
        Some(one) => HashSet::from([one.to_string()]),
    };
    if limit.subject.is_some() {
        query.by = vec![Dimension::Of(Part::Principal)];
        (query.order, query.limit) = (Some(Order::Cost), LOOKED_AT);
    }
    if let Some(Subject::Principal(principal)) = &limit.subject {
        query.principal = Some(principal.to_string());
    }
    let report = audit.usage(tenant.name(), &query).await?;
    if limit.subject.is_none() {
        return Ok(report.total);
    }
    let theirs = report
        .rows
        .into_iter()
        .filter(|row| row.values.first().is_some_and(|one| members.contains(one)));
    Ok(theirs.fold(Used::default(), |mut sum, row| {
        sum += row.used;
        sum
    }))
}

fn members(tenant: &Tenant, team: &Name) -> HashSet<String> {
    let all = tenant.accounts().into_iter().map(|held| &held.account);
    let theirs = all.filter(|account| account.teams.contains(team));
    theirs.map(|account| account.principal.to_string()).collect()
}
