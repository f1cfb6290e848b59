//! Anomalies in what was stored become alerts, once each, whoever looks and however often.

use tempfile::tempdir;
use turnpike_access::{
    alert::{
        HeldAlert,
        rules::{AlertRules, RuleChoice},
    },
    audit::{AuditRecord, Outcome, Usage},
    event::Event,
    log::Position,
    tenant::TenantSettings,
};

use super::*;
use crate::{
    edges::{EdgeState, EdgeStatus},
    fixture::Core,
    store::{self, contract::records::record},
};

mod budgets;
mod own_rules;
mod quality;
mod world;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Ten in the morning of some day.
const NOW: i64 = 20_000 * DAY + 10 * HOUR + 600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// A core with its audit, and what looks for anomalies in it.
struct Bed {
    core: Core,
    audit: Arc<dyn AuditStore>,
    stored: u64,
}

impl Bed {
    async fn new(folder: &std::path::Path) -> Self {
        let core = Core::in_folder(folder).await;
        core.bootstrap().await;
        let audit = store::connect(&core.url).await.unwrap().audit;
        Self {
            core,
            audit,
            stored: 0,
        }
    }

    fn anomalies(&self, holder: &str) -> Anomalies {
        Anomalies {
            executor: self.core.executor.clone(),
            audit: self.audit.clone(),
            edges: Edges::new(self.core.store.clone(), self.core.projection.clone()),
            holder: holder.to_owned(),
            // The credentials of fixtures are as old as time.
            credentials_looked_at: i64::MAX.into(),
        }
    }

    async fn store(&mut self, records: &[AuditRecord]) {
        self.audit
            .insert("edge-1", 1, self.stored + 1, records)
            .await
            .unwrap();
        self.stored += records.len() as u64;
    }

    /// The kinds and subjects of the alerts that were raised.
    async fn alerts(&self) -> Vec<(String, String)> {
        let events = self.core.store.read(Position::ZERO, 1000).await.unwrap();
        let decoded = events
            .iter()
            .map(|event| Event::decode(&event.kind, event.version, &event.payload));
        let raised = decoded.filter_map(|event| match event.unwrap() {
            Event::AlertRaised(alert) => {
                Some((alert.kind.to_string(), alert.evidence["subject"].to_string()))
            }
            _ => None,
        });
        raised.collect()
    }

    /// What is open, in the state: kind and subject.
    fn open(&self) -> Vec<(String, String)> {
        let snapshot = self.core.executor.snapshot();
        let held = &snapshot.tenant("platform").unwrap().alerts().open;
        let about = |held: &HeldAlert| {
            let subject = held.subject.as_deref().unwrap_or_default();
            (held.kind.to_string(), subject.to_owned())
        };
        held.iter().map(about).collect()
    }

    /// How alerts ended: who ended them, and how often it had happened.
    async fn ended(&self) -> Vec<(String, Option<u64>)> {
        let events = self.core.store.read(Position::ZERO, 1000).await.unwrap();
        let decoded = events.iter().map(|event| {
            let decoded = Event::decode(&event.kind, event.version, &event.payload);
            (event.origin.actor.to_string(), decoded.unwrap())
        });
        let resolved = decoded.filter_map(|(actor, event)| match event {
            Event::AlertResolved { count, .. } => Some((actor, count)),
            _ => None,
        });
        resolved.collect()
    }

    async fn choose(&self, rules: AlertRules) {
        let snapshot = self.core.executor.snapshot();
        let from = snapshot.tenant("platform").unwrap().settings().clone();
        let to = TenantSettings {
            alerts: rules,
            ..from.clone()
        };
        let tenant = Name::platform();
        let commands = vec![Command::UpdateTenant { from, to }];
        let done = self
            .core
            .executor
            .execute(Authority::System("test"), tenant, Arc::from("test"), commands);
        done.await.unwrap();
    }
}

fn refused(time: i64, status: u16, address: &str, principal: Option<&str>) -> AuditRecord {
    AuditRecord {
        outcome: Outcome::Refused,
        status,
        client: Some(address.parse().unwrap()),
        principal: principal.map(Arc::from),
        ..record("platform", time * 1_000_000)
    }
}

fn used(time: i64, tokens: u64) -> AuditRecord {
    AuditRecord {
        principal: Some(Arc::from("user:alice")),
        usage: Usage {
            input: Some(tokens),
            ..Usage::default()
        },
        ..record("platform", time * 1_000_000)
    }
}

#[tokio::test]
async fn guesses_and_tried_doors_are_told_once_whoever_looks_and_again_when_they_were_over() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let guesses: Vec<_> = (0..40)
        .map(|number| refused(NOW - number, 401, "192.0.2.7", None))
        .collect();
    bed.store(&guesses).await;
    let doors: Vec<_> = (0..60)
        .map(|number| refused(NOW - number, 403, "192.0.2.8", Some("user:bob")))
        .collect();
    bed.store(&doors).await;
    let few: Vec<_> = (0..29)
        .map(|number| refused(NOW - number, 401, "192.0.2.9", None))
        .collect();
    bed.store(&few).await;
    let long_ago: Vec<_> = (0..40)
        .map(|number| refused(NOW - 400 - number, 401, "192.0.2.10", None))
        .collect();
    bed.store(&long_ago).await;

    let told = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter()
            .map(|(kind, subject)| ((*kind).to_owned(), (*subject).to_owned()))
            .collect()
    };
    let once = told(&[("failed_authentications", "192.0.2.7"), ("refusals", "user:bob")]);
    let (one, other) = (bed.anomalies("one"), bed.anomalies("other"));
    tokio::join!(one.pass(at(NOW)), other.pass(at(NOW)));
    let mut alerts = bed.alerts().await;
    alerts.sort();
    assert_eq!(alerts, once);
    one.pass(at(NOW + 15)).await;
    bed.anomalies("started anew").pass(at(NOW + 30)).await;
    assert_eq!(bed.alerts().await.len(), 2, "it goes on, and is told");

    let later = NOW + 2 * HOUR;
    let again: Vec<_> = (0..40)
        .map(|number| refused(later - number, 401, "192.0.2.7", None))
        .collect();
    bed.store(&again).await;
    other.pass(at(later)).await;
    assert_eq!(bed.alerts().await.len(), 3, "it was over, and begins again");
}

#[tokio::test]
async fn who_uses_more_than_ever_at_that_time_is_told_and_who_is_new_is_not() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let history: Vec<_> = (1..=10)
        .flat_map(|day| (8..18).map(move |hour| (day, hour)))
        .collect();
    let history: Vec<_> = history
        .iter()
        .map(|(day, hour)| used(20_000 * DAY - day * DAY + hour * HOUR, 50_000))
        .collect();
    bed.store(&history).await;
    let newcomer = AuditRecord {
        principal: Some(Arc::from("user:new")),
        ..used(NOW - 60, 5_000_000)
    };
    bed.store(&[newcomer, used(NOW - 60, 200_000)]).await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(bed.alerts().await, [], "four times the usual is allowed");
    bed.store(&[used(NOW - 30, 1)]).await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(
        bed.alerts().await,
        [("usage_spike".to_owned(), "user:alice".to_owned())]
    );
}

#[tokio::test]
async fn a_tenants_rules_are_its_own() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let guesses: Vec<_> = (0..5)
        .map(|number| refused(NOW - number, 401, "192.0.2.7", None))
        .collect();
    bed.store(&guesses).await;
    let choice = |off, threshold| RuleChoice {
        off,
        threshold: Some(threshold),
        window_seconds: None,
        suspend: false,
    };
    bed.choose(AlertRules(
        [(Rule::FailedAuthentications, choice(true, 5))].into(),
    ))
    .await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(bed.alerts().await, []);
    bed.choose(AlertRules(
        [(Rule::FailedAuthentications, choice(false, 5))].into(),
    ))
    .await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(bed.alerts().await.len(), 1);
}

#[test]
fn an_edge_that_is_not_heard_of_stands_still_or_is_behind_is_told_and_one_that_took_leave_is_not() {
    let snapshot = turnpike_access::snapshot::Snapshot::default();
    let kind = |state, seen: i64, certain: i64| {
        let mut report = crate::edges::tests::report("eu-1", 3);
        report.last_seen = at(NOW - seen);
        report.certain = Some(at(NOW - certain));
        let edge = EdgeStatus { report, state };
        edges::about(&snapshot, &edge, at(NOW)).map(|anomaly| anomaly.kind.to_string())
    };
    let told = |kind: &str| Some(kind.to_owned());
    assert_eq!(kind(EdgeState::Silent, 59, 1), None);
    assert_eq!(kind(EdgeState::Silent, 61, 1), told(EDGE_OFFLINE));
    assert_eq!(kind(EdgeState::Silent, 8 * DAY, 1), None, "it is gone for good");
    assert_eq!(kind(EdgeState::Halted, 1, 1), told(EDGE_HALTED));
    assert_eq!(kind(EdgeState::Live, 1, 61), told(EDGE_BEHIND));
    assert_eq!(
        (kind(EdgeState::Departed, 100, 100), kind(EdgeState::Live, 1, 59)),
        (None, None)
    );
}

#[tokio::test]
async fn an_alert_ends_by_itself_when_it_was_over_for_long_enough_and_says_how_often_it_happened() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let guesses = |from: i64, many: i64| -> Vec<_> {
        let guess = |number| refused(from - number % 200, 401, "192.0.2.7", None);
        (0..many).map(guess).collect()
    };
    bed.store(&guesses(NOW, 40)).await;
    let (one, other) = (bed.anomalies("one"), bed.anomalies("other"));
    one.pass(at(NOW)).await;
    bed.store(&guesses(NOW + 1, 60)).await;
    other.pass(at(NOW + 10)).await;
    let about = vec![("failed_authentications".to_owned(), "192.0.2.7".to_owned())];
    assert_eq!((bed.open(), bed.ended().await), (about.clone(), vec![]));
    other.pass(at(NOW + 900)).await;
    assert_eq!(bed.open(), about, "it may come back");
    tokio::join!(one.pass(at(NOW + 2 * HOUR)), other.pass(at(NOW + 2 * HOUR)));
    assert_eq!(bed.open(), []);
    assert_eq!(bed.ended().await, [("system".to_owned(), Some(100))]);
}

#[tokio::test]
async fn what_somebody_resolved_is_told_again_only_after_it_was_over() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let guesses = |from: i64| -> Vec<_> {
        let guess = |number| refused(from - number, 401, "192.0.2.7", None);
        (0..40).map(guess).collect()
    };
    bed.store(&guesses(NOW)).await;
    let one = bed.anomalies("one");
    one.pass(at(NOW)).await;
    let held = bed.core.snapshot().tenant("platform").unwrap().alerts().open[0].clone();
    let resolve = Command::ResolveAlert {
        id: held.id,
        count: None,
        reason: Arc::from("it was a test"),
    };
    let ask = async |command| {
        bed.core
            .ask(Authority::System("test"), "platform", vec![command])
            .await
    };
    ask(resolve.clone()).await.unwrap();
    assert!(ask(resolve).await.is_err(), "it is not open any more");
    one.pass(at(NOW + 10)).await;
    assert_eq!(bed.alerts().await.len(), 1, "it goes on, and somebody knows");
    bed.store(&guesses(NOW + 2 * HOUR)).await;
    one.pass(at(NOW + 2 * HOUR)).await;
    assert_eq!((bed.alerts().await.len(), bed.open().len()), (2, 1));
}
