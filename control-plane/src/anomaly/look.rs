//! One rule looks at one tenant at one moment: the only way that anomalies are found, now, in the past and in the bench.

use turnpike_access::{
    alert::{
        own::OwnRule,
        rules::{Limits, Rule},
    },
    id::{Name, Timestamp},
    snapshot::{Snapshot, Tenant},
};

use super::{Anomaly, budgets, credentials, first_use, own, refusals, spikes};
use crate::store::{AuditStore, StoreError};

/// What looks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Looked<'r> {
    /// A rule that every tenant has.
    Usual(Rule, Limits),
    /// One of the tenant's own.
    Own(&'r Name, &'r OwnRule),
}

impl Looked<'_> {
    /// Whether it looks at the state as it is now, and not at what was stored.
    pub(crate) fn is_of_state(self) -> bool {
        matches!(self, Self::Usual(rule, _) if rule.is_of_state())
    }

    /// Over how many seconds it looks.
    pub(crate) fn window(self) -> i64 {
        match self {
            Self::Usual(_, limits) => limits.window_seconds.into(),
            Self::Own(_, rule) => rule.window_seconds.into(),
        }
    }
}

/// The rules of a tenant that are on.
pub(super) fn all_of(tenant: &Tenant) -> Vec<Looked<'_>> {
    let rules = &tenant.settings().alerts;
    let usual = Rule::ALL
        .into_iter()
        .filter_map(|rule| Some(Looked::Usual(rule, rules.of(rule)?)));
    let own = tenant.alerts().rules.iter();
    usual
        .chain(own.map(|(name, rule)| Looked::Own(name, rule)))
        .collect()
}

/// What a rule finds at a moment.
pub(super) async fn find(
    store: &dyn AuditStore,
    snapshot: &Snapshot,
    tenant: &Tenant,
    looked: Looked<'_>,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let name = tenant.name();
    match looked {
        Looked::Own(own_name, rule) => own::find(store, name, own_name, rule, now).await,
        Looked::Usual(Rule::UsageSpike, limits) => spikes::find(store, name, limits, now).await,
        Looked::Usual(Rule::FirstUse, limits) => first_use::find(store, name, limits, now).await,
        Looked::Usual(Rule::BudgetShare, limits) => budgets::find(store, tenant, limits, now).await,
        Looked::Usual(rule, limits) if rule.is_of_state() => {
            credentials::find(store, snapshot, tenant, rule, limits, now).await
        }
        Looked::Usual(rule, limits) => refusals::find(store, name, rule, limits, now).await,
    }
}
