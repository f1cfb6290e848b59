//! Usage: every row of the audit is counted once, in its own minute, and counting anew says the same.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use turnpike_access::{
    audit::{AuditRecord, Billing, Ending, Outcome, Usage},
    id::{Name, Timestamp},
};

use super::{database::on_each_engine, records::record};
use crate::store::{
    AuditStore,
    usage::{Dimension, Grain, Order, Part, UsageQuery, UsageReport, UsageRow, Used},
};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

fn tenant(name: &str) -> Name {
    name.parse().unwrap()
}

/// A request of `acme`, of which the number says almost everything.
fn made(number: i64) -> AuditRecord {
    let pick = |values: &[&str]| Some(Arc::from(values[usize::try_from(number).unwrap() % values.len()]));
    let count = u64::try_from(number).unwrap();
    AuditRecord {
        time: Timestamp::from_micros(20_000 * DAY + number * 7 * MINUTE + number),
        principal: pick(&["user:alice", "user:bob"]),
        action: Some(Arc::from("inference.chat")),
        model_served: pick(&["p/one", "p/two", "p/one", "p/three"]),
        provider: Some(Arc::from("p")),
        environment: pick(&["production", "staging"]).filter(|_| number % 3 == 0),
        outcome: if number % 7 == 0 {
            Outcome::Refused
        } else {
            Outcome::Allowed
        },
        upstream_status: Some(200),
        usage: Usage {
            input: Some(count * 3).filter(|_| number % 4 != 0),
            output: Some(count),
            cached: Some(count / 2),
            reasoning: None,
        },
        billing: Billing {
            team: pick(&["payments", "search", "payments"]).filter(|_| number % 5 != 0),
            cost_nanos: Some(count * 11).filter(|_| number % 6 != 0),
            saved_nanos: Some(5 - number).filter(|_| number % 2 == 0),
        },
        fallback_from: pick(&["p/dear"]).filter(|_| number % 2 == 0),
        ending: if number % 9 == 0 {
            Ending::ClientGone
        } else {
            Ending::Complete
        },
        metadata: match number % 3 {
            0 => vec![],
            1 => vec![
                (Arc::from("customer-id"), Arc::from("a")),
                (Arc::from("job"), Arc::from("x")),
            ],
            _ => vec![(Arc::from("customer-id"), Arc::from("b"))],
        },
        ..record("acme", 0)
    }
}

fn query(by: Vec<Dimension>, since: i64, until: i64) -> UsageQuery {
    UsageQuery {
        everybody: false,
        principal: None,
        by,
        since: Timestamp::from_micros(since),
        until: Timestamp::from_micros(until),
        order: None,
        limit: 10_000,
    }
}

fn ever(by: Vec<Dimension>) -> UsageQuery {
    query(by, 0, 40_000 * DAY)
}

async fn ask(store: &dyn AuditStore, query: &UsageQuery) -> UsageReport {
    store.usage(&tenant("acme"), query).await.unwrap()
}

/// The same from the records alone, plainly.
fn naive(records: &[AuditRecord], query: &UsageQuery) -> BTreeMap<Vec<String>, Used> {
    let minute = |time: Timestamp| time.as_micros().div_euclid(MINUTE);
    let mut rows: BTreeMap<Vec<String>, Used> = BTreeMap::new();
    for one in records {
        let within = minute(one.time) >= minute(query.since) && minute(one.time) < minute(query.until);
        if !within {
            continue;
        }
        let values = query.by.iter().map(|dimension| value(one, dimension)).collect();
        *rows.entry(values).or_default() += used(one);
    }
    rows
}

fn value(one: &AuditRecord, dimension: &Dimension) -> String {
    let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
    match dimension {
        Dimension::Of(Part::Tenant) => text(&one.tenant),
        Dimension::Of(Part::Team) => text(&one.billing.team),
        Dimension::Of(Part::Principal) => text(&one.principal),
        Dimension::Of(Part::Credential) => one.credential.map(|id| id.to_string()).unwrap_or_default(),
        Dimension::Of(Part::Model) => text(&one.model_served.clone().or(one.model_requested.clone())),
        Dimension::Of(Part::Provider) => text(&one.provider),
        Dimension::Of(Part::Environment) => text(&one.environment),
        Dimension::Metadata(key) => {
            let mut pairs = one.metadata.iter();
            let found = pairs.find(|(name, _)| name.as_ref() == key);
            found.map(|(_, value)| value.to_string()).unwrap_or_default()
        }
        Dimension::Time(grain) => {
            let length = match grain {
                Grain::Minute => MINUTE,
                Grain::Hour => 60 * MINUTE,
                Grain::Day => DAY,
            };
            (one.time.as_micros() / length * length).to_string()
        }
    }
}

fn used(one: &AuditRecord) -> Used {
    let number = |value: Option<u64>| value.map_or(0, |value| i64::try_from(value).unwrap());
    let allowed = one.outcome == Outcome::Allowed;
    let told = one.usage.input.is_some() || one.usage.output.is_some();
    let ok = one.upstream_status == Some(200);
    Used {
        requests: 1,
        refused: i64::from(!allowed),
        tokens_input: number(one.usage.input),
        tokens_output: number(one.usage.output),
        tokens_cached: number(one.usage.cached),
        tokens_reasoning: number(one.usage.reasoning),
        cost_nanos: number(one.billing.cost_nanos),
        saved_nanos: one.billing.saved_nanos.unwrap_or(0),
        substituted: i64::from(one.fallback_from.is_some()),
        unpriced: i64::from(allowed && told && one.billing.cost_nanos.is_none()),
        usage_missing: i64::from(allowed && !told && ok),
        cut_off: i64::from(allowed && one.ending != Ending::Complete),
    }
}

/// The report has what the records have, and its total is the sum of its rows.
async fn adds_up(store: &dyn AuditStore, records: &[AuditRecord], query: UsageQuery) {
    let report = ask(store, &query).await;
    let mut total = Used::default();
    report.rows.iter().for_each(|row| total += row.used);
    assert_eq!(report.total, total, "{query:?}");
    let rows: BTreeMap<_, _> = report
        .rows
        .iter()
        .map(|row| (row.values.clone(), row.used))
        .collect();
    assert_eq!(rows.len(), report.rows.len(), "a row twice: {query:?}");
    assert_eq!(rows, naive(records, &query), "{query:?}");
}

/// Every kind of question.
async fn all_add_up(store: &dyn AuditStore, records: &[AuditRecord]) {
    let every = [
        Part::Team,
        Part::Principal,
        Part::Credential,
        Part::Model,
        Part::Provider,
        Part::Environment,
    ];
    let metadata = Dimension::Metadata("customer-id".to_owned());
    for part in every {
        adds_up(store, records, ever(vec![Dimension::Of(part)])).await;
    }
    let several = vec![
        Dimension::Of(Part::Team),
        Dimension::Of(Part::Model),
        metadata.clone(),
    ];
    adds_up(store, records, ever(several)).await;
    adds_up(store, records, ever(every.map(Dimension::Of).to_vec())).await;
    adds_up(
        store,
        records,
        ever(vec![Dimension::Metadata("a\"'$.b".to_owned())]),
    )
    .await;
    let (first, last) = (
        records[0].time.as_micros(),
        records[records.len() - 1].time.as_micros(),
    );
    for (since, until) in [
        (first, last),
        (first + 90 * MINUTE, last - 2 * DAY),
        (first + 1, first + MINUTE),
    ] {
        for grain in [Grain::Minute, Grain::Hour, Grain::Day] {
            let by = vec![Dimension::Time(grain), metadata.clone()];
            adds_up(store, records, query(by, since, until)).await;
        }
        adds_up(
            store,
            records,
            query(vec![Dimension::Of(Part::Principal)], since, until),
        )
        .await;
    }
}

#[tokio::test]
async fn what_is_reported_adds_up_to_the_rows_of_the_audit_and_again_when_it_is_counted_anew() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records: Vec<_> = (1..=700).map(made).collect();
        for (part, first) in records.chunks(150).zip((1..).step_by(150)) {
            store.insert("edge-1", 1, first, part).await.unwrap();
        }
        all_add_up(&*store, &records).await;
        store.rebuild_usage().await.unwrap();
        all_add_up(&*store, &records).await;
        let wrong = format!("UPDATE {} SET requests = requests + 1", database.table("usage"));
        database.as_control_plane(&wrong).await.unwrap();
        store.rebuild_usage().await.unwrap();
        all_add_up(&*store, &records).await;
    })
    .await;
}

#[tokio::test]
async fn a_row_is_counted_once_however_often_overlapping_and_by_how_many_it_is_sent() {
    on_each_engine(async |database| {
        let records: Vec<_> = (1..=200).map(made).collect();
        let senders = [(1, 200), (51, 120), (1, 80), (100, 200), (150, 151)].map(async |(first, last)| {
            let store = database.stores().await.audit;
            let part = &records[first - 1..last];
            let first = u64::try_from(first).unwrap();
            store.insert("edge-1", 1, first, part).await.unwrap();
            store.insert("edge-1", 1, first, part).await.unwrap();
        });
        join_all(senders).await;
        let store = database.stores().await.audit;
        all_add_up(&*store, &records).await;
    })
    .await;
}

#[tokio::test]
async fn a_late_batch_lands_in_its_own_minute() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let (early, late) = (made(1), made(400));
        store
            .insert("edge-1", 1, 1, std::slice::from_ref(&late))
            .await
            .unwrap();
        store
            .insert("edge-2", 1, 1, std::slice::from_ref(&early))
            .await
            .unwrap();
        let report = ask(&*store, &ever(vec![Dimension::Time(Grain::Minute)])).await;
        let minutes: Vec<_> = report
            .rows
            .iter()
            .map(|row| row.values[0].parse::<i64>().unwrap())
            .collect();
        let expected = [&early, &late].map(|one| one.time.as_micros() / MINUTE * MINUTE);
        assert_eq!(minutes, expected);
    })
    .await;
}

#[tokio::test]
async fn the_greatest_come_first_and_the_total_counts_all() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records: Vec<_> = (1..=40).map(made).collect();
        store.insert("edge-1", 1, 1, &records).await.unwrap();
        let top = UsageQuery {
            order: Some(Order::Tokens),
            limit: 1,
            ..ever(vec![Dimension::Of(Part::Model)])
        };
        let report = ask(&*store, &top).await;
        let all = naive(&records, &top);
        let greatest = all
            .iter()
            .max_by_key(|(_, used)| used.tokens_input + used.tokens_output)
            .unwrap();
        let expected = UsageRow {
            values: greatest.0.clone(),
            used: *greatest.1,
        };
        assert_eq!(report.rows, [expected]);
        assert_eq!(report.total.requests, 40);
    })
    .await;
}

#[tokio::test]
async fn another_tenants_usage_is_not_seen_and_nobodys_is_the_platforms() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let nobodys = AuditRecord {
            tenant: None,
            ..made(2)
        };
        let theirs = AuditRecord {
            tenant: Some(Arc::from("globex")),
            ..made(3)
        };
        store
            .insert("edge-1", 1, 1, &[made(1), nobodys, theirs])
            .await
            .unwrap();
        for (name, requests) in [("acme", 1), ("globex", 1), ("platform", 1), ("initech", 0)] {
            let report = store.usage(&tenant(name), &ever(vec![])).await.unwrap();
            assert_eq!(report.total.requests, requests, "{name}");
        }
        let everybody = UsageQuery {
            everybody: true,
            ..ever(vec![Dimension::Of(Part::Tenant)])
        };
        let report = store.usage(&tenant("platform"), &everybody).await.unwrap();
        let rows = report
            .rows
            .iter()
            .map(|row| (row.values[0].as_str(), row.used.requests));
        assert_eq!(rows.collect::<Vec<_>>(), [("", 1), ("acme", 1), ("globex", 1)]);
        assert_eq!(report.total.requests, 3);
    })
    .await;
}

#[tokio::test]
async fn absurd_counts_stop_nobody() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let absurd = |number| AuditRecord {
            usage: Usage {
                input: Some(u64::MAX),
                ..Usage::default()
            },
            billing: Billing {
                team: None,
                cost_nanos: Some(u64::MAX),
                saved_nanos: Some(i64::MIN + 1),
            },
            metadata: vec![(Arc::from("k\u{1}\"'"), Arc::from("long".repeat(1_000)))],
            ..made(number)
        };
        let batch: Vec<_> = (1..=20).map(|_| absurd(1)).collect();
        assert_eq!(store.insert("edge-1", 1, 1, &batch).await.unwrap(), 20);
        let report = ask(&*store, &ever(vec![])).await;
        assert_eq!(report.total.requests, 20);
        assert_eq!(report.total.tokens_input, 20 * 1_000_000_000_000);
    })
    .await;
}
