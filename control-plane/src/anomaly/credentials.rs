//! Credentials that expire soon, have had their secret for long, or are used by nobody.

use std::{collections::HashMap, sync::Arc};

use turnpike_access::{
    alert::rules::{Limits, Rule},
    credential::{Credential, CredentialStatus},
    id::{Id, Timestamp},
    snapshot::{Snapshot, Tenant},
    upkeep::last_used,
};

use super::{Anomaly, OVER_AFTER};
use crate::store::{AuditStore, StoreError};

/// Credentials whose last use is asked for in one query.
const ASKED_AT_ONCE: usize = 500;
/// So many are told, as of any kind; those that are due for longest.
const TOLD: usize = 100;
const DAY: i64 = 86_400;

pub(super) async fn find(
    store: &dyn AuditStore,
    snapshot: &Snapshot,
    tenant: &Tenant,
    rule: Rule,
    limits: Limits,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let span = i64::from(limits.threshold) * DAY;
    let long_ago = now.plus_seconds(-span);
    let policy = &tenant.settings().credentials;
    let living = living(snapshot, tenant, now);
    let mut due: Vec<(Timestamp, &Arc<Credential>)> = match rule {
        Rule::CredentialExpiring => living
            .iter()
            .filter_map(|held| Some((held.end(policy)?, held)))
            .filter(|(end, _)| *end < now.plus_seconds(span))
            .collect(),
        Rule::CredentialUnrotated => living
            .iter()
            .map(|held| (held.secret_since(), held))
            .filter(|(since, _)| *since < long_ago)
            .collect(),
        _ => {
            let old = living.iter().filter(|held| held.secret_since() < long_ago);
            let old: Vec<&Arc<Credential>> = old.collect();
            let uses = uses(store, tenant, &old).await?;
            old.into_iter()
                .map(|held| (last_used(held, uses.get(&held.id).copied()), held))
                .filter(|(last, _)| *last < long_ago)
                .collect()
        }
    };
    due.sort_by_key(|(since, held)| (*since, held.id));
    due.truncate(TOLD);
    Ok(due
        .into_iter()
        .map(|(since, held)| anomaly(rule, limits.threshold, since, held))
        .collect())
}

/// What opens something still.
fn living(snapshot: &Snapshot, tenant: &Tenant, now: Timestamp) -> Vec<Arc<Credential>> {
    let policy = &tenant.settings().credentials;
    let opens = |held: &Arc<Credential>| {
        held.status == CredentialStatus::Active
            && held.decoy.is_none()
            && held.end(policy).is_none_or(|end| now < end)
    };
    let accounts = tenant.accounts().into_iter();
    let ids = accounts.flat_map(|account| account.account.credentials.iter().copied());
    ids.filter_map(|id| snapshot.credential(id).cloned())
        .filter(opens)
        .collect()
}

async fn uses(
    store: &dyn AuditStore,
    tenant: &Tenant,
    of: &[&Arc<Credential>],
) -> Result<HashMap<Id, Timestamp>, StoreError> {
    let mut found = HashMap::new();
    for part in of.chunks(ASKED_AT_ONCE) {
        let ids: Vec<Id> = part.iter().map(|held| held.id).collect();
        let uses = store.last_uses(tenant.name(), &ids).await?;
        found.extend(uses.into_iter().map(|(id, last)| (id, last.time)));
    }
    Ok(found)
}

fn anomaly(rule: Rule, days: u32, since: Timestamp, held: &Credential) -> Anomaly {
    let Credential { id, owner, .. } = held;
    let (word, what) = match rule {
        Rule::CredentialExpiring => ("expires_us", format!("expires within {days} days")),
        Rule::CredentialUnrotated => (
            "secret_since_us",
            format!("has had the same secret for {days} days"),
        ),
        _ => ("last_used_us", format!("was not used for {days} days")),
    };
    Anomaly {
        kind: rule.as_str().into(),
        subject: id.to_string(),
        summary: format!("The credential {id} of {owner} {what}."),
        count: None,
        audit: Vec::new(),
        evidence: vec![
            ("owner", owner.to_string()),
            (word, since.as_micros().to_string()),
        ],
        credential: Some(*id),
        suspend: false,
        over_after: OVER_AFTER,
    }
}
