//! Listing audit records: whose, which, in which order.

use std::sync::Arc;

use turnpike_access::{
    audit::{AuditRecord, Outcome},
    id::{Name, Timestamp},
};

use super::{
    database::on_each_engine,
    records::{full, record},
};
use crate::store::{AuditFilter, AuditStore, Cursor, Page};

fn tenant(name: &str) -> Name {
    name.parse().unwrap()
}

/// The request ids of the first page.
async fn found(store: &dyn AuditStore, name: &str, filter: &AuditFilter) -> Vec<String> {
    let page = Page {
        limit: 100,
        after: None,
    };
    let records = store.list(&tenant(name), filter, page).await.unwrap();
    let ids = records.iter().map(|kept| kept.record.request_id.to_string());
    ids.collect()
}

#[tokio::test]
async fn a_tenant_sees_its_own_records_and_the_platform_those_of_nobody() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let nobodys = AuditRecord {
            tenant: None,
            ..record("", 5)
        };
        let records = [
            record("acme", 1),
            record("globex", 2),
            record("platform", 3),
            record("acme", 4),
            nobodys,
            record("platform", 6),
        ];
        store.insert("edge-1", 1, 1, &records).await.unwrap();
        let everything = AuditFilter::default();
        assert_eq!(
            found(&*store, "acme", &everything).await,
            ["request-4", "request-1"]
        );
        assert_eq!(found(&*store, "globex", &everything).await, ["request-2"]);
        assert_eq!(found(&*store, "initech", &everything).await, [""; 0]);
        let platform = ["request-6", "request-5", "request-3"];
        assert_eq!(found(&*store, "platform", &everything).await, platform);
        // Knowing another tenant's ids is of no use.
        let theirs = AuditFilter {
            request_id: Some("request-2".to_owned()),
            ..AuditFilter::default()
        };
        assert_eq!(found(&*store, "acme", &theirs).await, [""; 0]);
        let pages = paged(&*store, "platform", 1).await;
        assert_eq!(pages, platform);
    })
    .await;
}

#[tokio::test]
async fn every_filter_selects_and_all_of_them_must_match() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let wanted = AuditRecord {
            principal: Some(Arc::from("user:alice")),
            ..full("acme", 10)
        };
        store
            .insert(
                "edge-1",
                1,
                1,
                &[record("acme", 5), wanted.clone(), record("acme", 20)],
            )
            .await
            .unwrap();
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let everything = AuditFilter {
            principal: text(&wanted.principal),
            credential: wanted.credential,
            model: text(&wanted.model_served),
            outcome: Some(Outcome::Allowed),
            reason: Some(wanted.reason.to_string()),
            status: Some(wanted.status),
            action: text(&wanted.action),
            provider: text(&wanted.provider),
            request_id: Some(wanted.request_id.to_string()),
            decision_id: text(&wanted.decision_id),
            issuer: Some("issuer-10".to_owned()),
            group: Some("okta/\"b\" \\ \u{f6}".to_owned()),
            since: Some(Timestamp::from_micros(10)),
            until: Some(Timestamp::from_micros(11)),
        };
        assert_eq!(found(&*store, "acme", &everything).await, ["request-10"]);
        for single in singles(&everything) {
            assert_eq!(
                found(&*store, "acme", &single).await,
                ["request-10"],
                "{single:?}"
            );
        }
        for other in others(&everything) {
            assert_eq!(found(&*store, "acme", &other).await, [""; 0], "{other:?}");
        }
        let requested = AuditFilter {
            model: text(&wanted.model_requested),
            ..AuditFilter::default()
        };
        assert_eq!(found(&*store, "acme", &requested).await, ["request-10"]);
    })
    .await;
}

/// Each field of a filter alone; of the times, what suffices.
fn singles(all: &AuditFilter) -> Vec<AuditFilter> {
    let AuditFilter {
        principal,
        credential,
        model,
        outcome,
        reason,
        status,
        action,
        provider,
        request_id,
        decision_id,
        issuer,
        group,
        since,
        until,
    } = all.clone();
    let none = AuditFilter::default;
    vec![
        AuditFilter { principal, ..none() },
        AuditFilter { credential, ..none() },
        AuditFilter { model, ..none() },
        AuditFilter { outcome, ..none() },
        AuditFilter { reason, ..none() },
        AuditFilter { status, ..none() },
        AuditFilter { action, ..none() },
        AuditFilter { provider, ..none() },
        AuditFilter { request_id, ..none() },
        AuditFilter {
            decision_id,
            ..none()
        },
        AuditFilter { issuer, ..none() },
        AuditFilter { group, ..none() },
        AuditFilter {
            since,
            until,
            ..none()
        },
    ]
}

/// The filter with one field at a time that does not match.
fn others(all: &AuditFilter) -> Vec<AuditFilter> {
    let other = || Some("other".to_owned());
    let changes: [fn(&mut AuditFilter, Option<String>); 14] = [
        |filter, other| filter.principal = other,
        |filter, _| filter.credential = Some("zzzzzzzzzzzz".parse().unwrap()),
        |filter, other| filter.model = other,
        |filter, _| filter.outcome = Some(Outcome::Refused),
        |filter, other| filter.reason = other,
        |filter, _| filter.status = Some(201),
        |filter, other| filter.action = other,
        |filter, other| filter.provider = other,
        |filter, other| filter.request_id = other,
        |filter, other| filter.decision_id = other,
        |filter, other| filter.issuer = other,
        // As written, and whole.
        |filter, _| filter.group = Some("OKTA/a".to_owned()),
        |filter, _| filter.since = Some(Timestamp::from_micros(11)),
        |filter, _| filter.until = Some(Timestamp::from_micros(10)),
    ];
    let changed = changes.map(|change| {
        let mut filter = all.clone();
        change(&mut filter, other());
        filter
    });
    changed.into()
}

/// Everything, page by page, with each cursor sent as text.
async fn paged(store: &dyn AuditStore, name: &str, limit: u32) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit, after };
        let records = store
            .list(&tenant(name), &AuditFilter::default(), page)
            .await
            .unwrap();
        let Some(last) = records.last() else { return ids };
        assert!(records.len() <= limit as usize);
        after = Some(last.cursor().to_string().parse::<Cursor>().unwrap());
        ids.extend(records.iter().map(|kept| kept.record.request_id.to_string()));
    }
}

#[tokio::test]
async fn pages_over_equal_times_give_every_record_once_newest_first() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records: Vec<_> = (0..23)
            .map(|n: i64| AuditRecord {
                time: Timestamp::from_micros(n / 10),
                ..record("acme", n)
            })
            .collect();
        store.insert("edge-1", 1, 1, &records).await.unwrap();
        let due: Vec<_> = (0..23).rev().map(|n| format!("request-{n}")).collect();
        for limit in [1, 4, 10, 23, 1000] {
            assert_eq!(paged(&*store, "acme", limit).await, due, "pages of {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn records_that_arrive_between_two_pages_shift_nothing() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records: Vec<_> = (1..=4).map(|n| record("acme", n)).collect();
        store.insert("edge-1", 1, 1, &records).await.unwrap();
        let everything = AuditFilter::default();
        let list = async |after| {
            let page = Page { limit: 2, after };
            store.list(&tenant("acme"), &everything, page).await.unwrap()
        };
        let first = list(None).await;
        store.insert("edge-2", 1, 1, &[record("acme", 9)]).await.unwrap();
        let second = list(first.last().map(|kept| kept.cursor())).await;
        let times: Vec<_> = second.iter().map(|kept| kept.record.time.as_micros()).collect();
        assert_eq!(times, [2, 1]);
    })
    .await;
}

#[test]
fn a_cursor_that_no_list_gave_is_refused() {
    for text in ["", "1", "1.", ".1", "a.b", "1.2.3", "99999999999999999999.1"] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}
