//! Principals that are seen with several things for the first time: somebody else may have their key.
//!
//! One new thing alone is everyday life: another model is tried, somebody travels. Whoever is new for a week is left alone.

use std::collections::{BTreeMap, BTreeSet};

use turnpike_access::{
    alert::rules::{Limits, Rule},
    id::{Name, Timestamp},
};

use super::{Anomaly, OVER_AFTER};
use crate::store::{AuditStore, StoreError, sights::Sight};

/// Somebody whose first use is not so long ago is new, in seconds.
const NEW: i64 = 7 * 86_400;

pub(super) async fn find(
    store: &dyn AuditStore,
    tenant: &Name,
    limits: Limits,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let since = now.plus_seconds(-i64::from(limits.window_seconds));
    let sights = store
        .unexpected(tenant, since, now, since.plus_seconds(-NEW))
        .await?;
    let mut of: BTreeMap<String, Vec<Sight>> = BTreeMap::new();
    for sight in sights {
        of.entry(sight.principal.clone()).or_default().push(sight);
    }
    let enough = usize::try_from(limits.threshold).unwrap_or(usize::MAX);
    let found = of.into_iter().filter_map(|(principal, sights)| {
        let aspects: BTreeSet<&str> = sights.iter().map(|sight| sight.aspect.as_str()).collect();
        (aspects.len() >= enough).then(|| anomaly(principal, &aspects, &sights, limits.suspend))
    });
    Ok(found.collect())
}

fn anomaly(principal: String, aspects: &BTreeSet<&str>, sights: &[Sight], suspend: bool) -> Anomaly {
    let names: Vec<&str> = aspects.iter().copied().collect();
    let values = |aspect: &'static str| {
        let of = sights.iter().filter(|sight| sight.aspect == aspect);
        let values: Vec<&str> = of.map(|sight| sight.value.as_str()).take(10).collect();
        (aspect, values.join(", "))
    };
    let evidence = ["client", "hour", "model", "network"].map(values);
    Anomaly {
        kind: Rule::FirstUse.as_str().into(),
        summary: format!(
            "{principal} was seen for the first time with another {}, all within the window.",
            names.join(" and ")
        ),
        subject: principal,
        count: i64::try_from(sights.len()).ok(),
        audit: Vec::new(),
        evidence: evidence
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .collect(),
        credential: sights
            .iter()
            .rev()
            .find_map(|sight| sight.credential.parse().ok()),
        suspend,
        over_after: OVER_AFTER,
    }
}
