//! Refusals that are too many: guessing, stolen ids, doors that are tried.

use turnpike_access::{
    alert::rules::{Limits, Rule},
    id::{Name, Timestamp},
};

use super::{Anomaly, OVER_AFTER};
use crate::store::{
    AuditStore, StoreError,
    anomaly::{Refused, RefusedBy},
};

/// What a rule about refusals finds in its window.
pub(super) async fn find(
    store: &dyn AuditStore,
    tenant: &Name,
    rule: Rule,
    limits: Limits,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let (by, who, what) = match rule {
        Rule::FailedAuthentications => (
            RefusedBy::Address,
            "The address ",
            "tried keys or tokens that were refused",
        ),
        Rule::RefusedCredential => (
            RefusedBy::Credential,
            "The credential ",
            "was presented and refused",
        ),
        Rule::Refusals => (RefusedBy::Principal, "", "asked for what it may not"),
        Rule::CredentialStuffing => (
            RefusedBy::Tenant,
            "All over the tenant ",
            "keys or tokens were refused",
        ),
        _ => return Ok(Vec::new()),
    };
    let since = now.plus_seconds(-i64::from(limits.window_seconds));
    let found = store.refused(tenant, by, since, now, limits.threshold).await?;
    let told = |refused: Refused| {
        let Refused {
            subject,
            count,
            first,
            last,
            requests,
            records,
        } = refused;
        let subject = match subject.is_empty() {
            true => "unknown keys".to_owned(),
            false => subject,
        };
        Anomaly {
            kind: rule.as_str().into(),
            summary: format!(
                "{who}{subject} {what}, {count} times within {} seconds.",
                limits.window_seconds
            ),
            subject,
            count: Some(count),
            audit: records.into_iter().collect(),
            credential: None,
            suspend: false,
            over_after: OVER_AFTER,
            evidence: vec![
                ("count", count.to_string()),
                ("first_us", first.as_micros().to_string()),
                ("last_us", last.as_micros().to_string()),
                ("requests", requests.join(", ")),
            ],
        }
    };
    Ok(found.into_iter().map(told).collect())
}
