//! What tenants' own rules find in what was used.

use turnpike_access::{
    alert::own::{OwnRule, Subject},
    id::{Name, Timestamp},
};

use super::{Anomaly, OVER_AFTER, expression::Expression};
use crate::store::{
    AuditStore, StoreError,
    usage::{Dimension, Order, Part, UsageQuery, Used},
};

/// So many subjects are looked at, those with the most requests.
const LOOKED_AT: u32 = 1000;
const HOUR: i64 = 3_600_000_000;

/// The kind of the alerts of a tenant's own rule. No rule of ours has such a name.
pub(crate) fn kind(name: &Name) -> String {
    format!("{KIND}{name}")
}

/// What all of these kinds begin with.
pub(super) const KIND: &str = "rule.";

/// What a rule finds in the window that ends now. One that can't be evaluated finds nothing, and the log says so: it was tried
/// when it was kept.
pub(super) async fn find(
    store: &dyn AuditStore,
    tenant: &Name,
    name: &Name,
    rule: &OwnRule,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let expression = match Expression::compile(&rule.when) {
        Ok(expression) => expression,
        Err(error) => {
            tracing::warn!(%tenant, rule = %name, %error, "a rule can't be evaluated");
            return Ok(Vec::new());
        }
    };
    let by = match rule.by {
        Subject::Principal => vec![Dimension::Of(Part::Principal)],
        Subject::Credential => vec![Dimension::Of(Part::Credential)],
        Subject::Team => vec![Dimension::Of(Part::Team)],
        Subject::Model => vec![Dimension::Of(Part::Model)],
        Subject::Provider => vec![Dimension::Of(Part::Provider)],
        Subject::Tenant => Vec::new(),
    };
    let query = UsageQuery {
        everybody: false,
        principal: None,
        by,
        since: now.plus_seconds(-i64::from(rule.window_seconds)),
        // With the minute that is now.
        until: now.plus_seconds(60),
        order: Some(Order::Requests),
        limit: LOOKED_AT,
    };
    let report = store.usage(tenant, &query).await?;
    let hour = now.as_micros().rem_euclid(24 * HOUR) / HOUR;
    let subjects: Vec<(String, Used)> = match rule.by {
        Subject::Tenant => vec![(tenant.to_string(), report.total)],
        _ => report
            .rows
            .into_iter()
            .filter_map(|row| Some((row.values.into_iter().next()?, row.used)))
            .filter(|(subject, _)| !subject.is_empty())
            .collect(),
    };
    let mut found = Vec::new();
    for (subject, used) in subjects {
        match expression.holds(&subject, &used, hour) {
            Ok(true) => found.push(anomaly(name, rule, subject, &used)),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%tenant, rule = %name, subject, %error, "a rule can't be evaluated");
            }
        }
    }
    Ok(found)
}

fn anomaly(name: &Name, rule: &OwnRule, subject: String, used: &Used) -> Anomaly {
    let minutes = rule.window_seconds / 60;
    let numbers = used.fields().into_iter().filter(|(_, value)| *value != 0);
    Anomaly {
        kind: kind(name).into(),
        summary: format!("{} {subject} within {minutes} minutes: {}.", rule.by, rule.when),
        credential: match rule.by {
            Subject::Credential => subject.parse().ok(),
            _ => None,
        },
        subject,
        count: Some(used.requests),
        audit: Vec::new(),
        evidence: numbers.map(|(name, value)| (name, value.to_string())).collect(),
        over_after: OVER_AFTER,
        suspend: rule.suspend,
    }
}
