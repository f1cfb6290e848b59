//! Principals that use more in this hour than ever at that time of the day.

use turnpike_access::{
    alert::{
        rules::{Limits, Rule},
        spike::{DAYS, HOUR, Hours},
    },
    id::{Name, Timestamp},
};

use super::{Anomaly, OVER_AFTER};
use crate::store::{
    AuditFilter, AuditStore, Page, StoreError,
    usage::{Dimension, Grain, Order, Part, UsageQuery, UsageRow, Used},
};

/// So many principals are looked at, those with the most.
const LOOKED_AT: u32 = 100;
const MICROS: i64 = 1_000_000;

/// What is compared: its name, how much of it is little, and where it is.
type Measure = (&'static str, u64, fn(&Used) -> i64);

const MEASURES: [Measure; 3] = [
    ("requests", 200, |used| used.requests),
    ("tokens", 100_000, |used| {
        used.tokens_input.saturating_add(used.tokens_output)
    }),
    ("cost in billionths of a dollar", 1_000_000_000, |used| {
        used.cost_nanos
    }),
];

/// Spikes of a tenant's principals in the hour that is now.
pub(super) async fn find(
    store: &dyn AuditStore,
    tenant: &Name,
    limits: Limits,
    now: Timestamp,
) -> Result<Vec<Anomaly>, StoreError> {
    let seconds = now.as_micros().div_euclid(MICROS);
    let hour = seconds - seconds.rem_euclid(HOUR);
    let mut found = Vec::new();
    let mut looked_at = Vec::new();
    for order in [Order::Requests, Order::Tokens, Order::Cost] {
        let most = query(
            vec![Dimension::Of(Part::Principal)],
            hour,
            (hour + HOUR).min(seconds + 60),
            Some(order),
        );
        for row in store.usage(tenant, &most).await?.rows {
            let much = MEASURES
                .iter()
                .any(|(_, least, of)| amount(&row.used, *of) >= *least);
            let Some(principal) = row
                .values
                .first()
                .filter(|principal| much && !principal.is_empty())
            else {
                continue;
            };
            if !looked_at.contains(principal) {
                looked_at.push(principal.clone());
                found.extend(one(store, tenant, principal, limits, (hour, &row.used)).await?);
            }
        }
    }
    Ok(found)
}

/// The first measure that is out of the ordinary: one anomaly is one alert.
async fn one(
    store: &dyn AuditStore,
    tenant: &Name,
    principal: &str,
    limits: Limits,
    (hour, used): (i64, &Used),
) -> Result<Option<Anomaly>, StoreError> {
    let history = UsageQuery {
        principal: Some(principal.to_owned()),
        ..query(
            vec![Dimension::Time(Grain::Hour)],
            hour - DAYS * 24 * HOUR,
            hour,
            None,
        )
    };
    let rows = store.usage(tenant, &history).await?.rows;
    for (name, least, of) in MEASURES {
        let hours: Vec<(i64, u64)> = rows
            .iter()
            .filter_map(|row| Some((start(row)?, amount(&row.used, of))))
            .collect();
        let amount = amount(used, of);
        let Some(usual) = Hours(&hours).spike(hour, amount, limits.threshold, least) else {
            continue;
        };
        return Ok(Some(Anomaly {
            kind: Rule::UsageSpike.as_str().into(),
            subject: principal.to_owned(),
            count: None,
            audit: newest(store, tenant, principal, hour).await?,
            credential: None,
            suspend: false,
            over_after: OVER_AFTER,
            summary: format!(
                "{principal} used {amount} {name} in this hour; {usual} are the most at that time of the day."
            ),
            evidence: vec![
                ("measure", name.to_owned()),
                ("used", amount.to_string()),
                ("usual", usual.to_string()),
                ("hour_us", (hour * MICROS).to_string()),
            ],
        }));
    }
    Ok(None)
}

/// The newest records of the hour, as evidence.
async fn newest(
    store: &dyn AuditStore,
    tenant: &Name,
    principal: &str,
    hour: i64,
) -> Result<Vec<String>, StoreError> {
    let filter = AuditFilter {
        principal: Some(principal.to_owned()),
        since: Some(Timestamp::from_micros(hour * MICROS)),
        ..AuditFilter::default()
    };
    let page = Page {
        limit: 3,
        after: None,
    };
    let records = store.list(tenant, &filter, page).await?;
    Ok(records.iter().map(|record| record.id.to_string()).collect())
}

fn query(by: Vec<Dimension>, since: i64, until: i64, order: Option<Order>) -> UsageQuery {
    UsageQuery {
        everybody: false,
        principal: None,
        by,
        since: Timestamp::from_micros(since * MICROS),
        until: Timestamp::from_micros(until * MICROS),
        limit: if order.is_some() { LOOKED_AT } else { 10_000 },
        order,
    }
}

fn start(row: &UsageRow) -> Option<i64> {
    let micros: i64 = row.values.first()?.parse().ok()?;
    Some(micros.div_euclid(MICROS))
}

fn amount(used: &Used, of: fn(&Used) -> i64) -> u64 {
    u64::try_from(of(used)).unwrap_or_default()
}
