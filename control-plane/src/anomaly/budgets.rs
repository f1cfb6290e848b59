//! Limits whose budget is mostly spent, told once in each period, while something can still be done about it.

use turnpike_access::{
    alert::rules::{Limits, Rule},
    id::Timestamp,
    limit::Limit,
    snapshot::Tenant,
};

use super::Anomaly;
use crate::{
    limits::{NANOS, spent_within},
    store::{AuditStore, StoreError, usage::Used},
};

const MICROS: i64 = 1_000_000;

pub(super) async fn find(
    store: &dyn AuditStore,
    tenant: &Tenant,
    limits: Limits,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let mut found = Vec::new();
    for held in tenant.limits() {
        let limit = &held.limit;
        let Some((since, until)) = limit.per.around(now) else {
            continue;
        };
        // With the minute that is now, and nothing that comes later where the past is looked at.
        let by_now = until.min(now.plus_seconds(60));
        let used = spent_within(store, tenant, limit, (since, by_now)).await?;
        let share = share(limit, &used);
        if share.is_some_and(|share| share >= u64::from(limits.threshold)) {
            found.push(anomaly(limit, share.unwrap_or_default(), &used, (now, until)));
        }
    }
    Ok(found)
}

/// How many percent of a budget are spent; `None` where there is nothing to spend.
fn share(limit: &Limit, used: &Used) -> Option<u64> {
    let spent = u128::try_from(used.cost_nanos).unwrap_or_default();
    let budget = u128::from(limit.budget) * u128::from(NANOS);
    let share = (spent * 100).checked_div(budget)?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

fn anomaly(limit: &Limit, share: u64, used: &Used, (now, until): (Timestamp, Timestamp)) -> Anomaly {
    let Limit {
        name,
        subject,
        budget,
        per,
    } = limit;
    let left = until.as_micros().saturating_sub(now.as_micros());
    let mut evidence = vec![
        ("share_percent", share.to_string()),
        ("budget_micros", budget.to_string()),
        ("spent_nanos", used.cost_nanos.to_string()),
        ("per", per.as_str().to_owned()),
        ("until_us", until.as_micros().to_string()),
    ];
    let whose = match subject {
        Some(subject) => {
            evidence.push(("limit_of", subject.to_string()));
            subject.to_string()
        }
        None => "the tenant".to_owned(),
    };
    Anomaly {
        kind: Rule::BudgetShare.as_str().into(),
        subject: name.to_string(),
        summary: format!(
            "Of what {whose} may spend in the {} by the limit {name}, {share} % are spent.",
            per.as_str()
        ),
        count: None,
        audit: Vec::new(),
        evidence,
        credential: None,
        suspend: false,
        // The next period begins with nothing spent.
        over_after: left.saturating_add(MICROS - 1) / MICROS,
    }
}
