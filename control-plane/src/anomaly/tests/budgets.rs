//! Budgets that are mostly spent are told once in each period.

use tempfile::tempdir;
use turnpike_access::{
    alert::rules::{AlertRules, Rule, RuleChoice},
    audit::{AuditRecord, Billing, Outcome},
    command::Command,
    limit::{Limit, Period},
};

use super::{super::*, Bed, DAY, HOUR, NOW, at, used};

fn limit(name: &str, subject: Option<&str>, per: Period) -> Command {
    Command::CreateLimit(Limit {
        name: name.parse().unwrap(),
        subject: subject.map(|text| text.parse().unwrap()),
        budget: 1_000_000,
        per,
    })
}

/// A request of alice's that cost so many thousandths of a dollar.
fn cost(time: i64, thousandths: u64) -> AuditRecord {
    AuditRecord {
        outcome: Outcome::Allowed,
        billing: Billing {
            cost_nanos: Some(thousandths * 1_000_000),
            ..Billing::default()
        },
        ..used(time, 1)
    }
}

fn shares(bed: &Bed) -> Vec<String> {
    let open = bed.open().into_iter();
    open.filter(|(kind, _)| kind == "budget_share")
        .map(|(_, limit)| limit)
        .collect()
}

async fn raised(bed: &Bed) -> usize {
    let all = bed.alerts().await;
    all.iter().filter(|(kind, _)| kind == "budget_share").count()
}

#[tokio::test]
async fn a_budget_that_is_mostly_spent_is_told_once_in_a_period_and_again_in_the_next() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    for command in [
        limit("alices", Some("user:root"), Period::Day),
        limit("daily", None, Period::Day),
        limit("monthly", None, Period::Month),
    ] {
        bed.ask(vec![command]).await;
    }
    let (one, other) = (bed.anomalies("one"), bed.anomalies("other"));
    bed.store(&[cost(NOW - 600, 799)]).await;
    one.pass(at(NOW)).await;
    assert_eq!(shares(&bed), [""; 0], "79.9 % are not 80 %");
    bed.store(&[cost(NOW - 60, 1)]).await;
    tokio::join!(one.pass(at(NOW + 10)), other.pass(at(NOW + 10)));
    let both = ["daily", "monthly"];
    assert_eq!(
        (shares(&bed), raised(&bed).await),
        (both.map(str::to_owned).to_vec(), 2)
    );
    bed.store(&[cost(NOW + 3 * HOUR, 150)]).await;
    other.pass(at(NOW + 3 * HOUR + 10)).await;
    assert_eq!(raised(&bed).await, 2, "that more is spent is no other anomaly");

    let midnight = NOW - 10 * HOUR - 600 + DAY;
    one.pass(at(midnight - 1)).await;
    assert_eq!(shares(&bed), both);
    one.pass(at(midnight + 5)).await;
    assert_eq!(shares(&bed), ["monthly"], "a new day has begun");
    bed.store(&[cost(midnight + HOUR, 900)]).await;
    one.pass(at(midnight + HOUR + 30)).await;
    assert_eq!((shares(&bed).len(), raised(&bed).await), (2, 3));
}

#[tokio::test]
async fn from_which_share_on_is_a_tenants_choice_and_the_past_is_counted_only_up_to_then() {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    bed.ask(vec![limit("daily", None, Period::Day)]).await;
    bed.store(&[cost(NOW - 3 * HOUR, 300), cost(NOW - HOUR, 300)])
        .await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(shares(&bed), [""; 0]);
    let half = RuleChoice {
        threshold: Some(50),
        ..RuleChoice::default()
    };
    bed.choose(AlertRules([(Rule::BudgetShare, half)].into())).await;
    bed.anomalies("one").pass(at(NOW)).await;
    assert_eq!(shares(&bed), ["daily"]);

    let snapshot = bed.core.snapshot();
    let tenant = snapshot.tenant("platform").unwrap();
    let looked = Looked::Usual(
        Rule::BudgetShare,
        tenant.settings().alerts.of(Rule::BudgetShare).unwrap(),
    );
    let span = (at(NOW - 5 * HOUR), at(NOW));
    let found = rehearse(&*bed.audit, &snapshot, tenant, looked, span)
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let first = found[0].first;
    assert!(
        first > at(NOW - HOUR - 600) && first <= at(NOW - HOUR + 600),
        "{first:?}"
    );
}
