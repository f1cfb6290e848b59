//! How many of the anomalies in everyday traffic are found, how many alerts are about none, and how soon: by the rules as they
//! are, on what was stored.
#![expect(clippy::print_stdout, reason = "the tables are what it is run for")]

use std::{collections::BTreeMap, env, fmt::Write as _};

use tempfile::tempdir;

use super::{
    Bed, at,
    world::{Planted, World, world},
};

/// Seconds between two looks, in the small. The control plane looks more often.
const STEP: i64 = 60;
/// An alert may come so many seconds after there is enough to see.
const SOON: i64 = 60;

/// What became of one kind.
#[derive(Debug, Default, Clone)]
struct Tally {
    planted: usize,
    raised: usize,
    /// Alerts about something that was planted.
    right: usize,
    /// What was planted and found.
    found: usize,
    /// The longest from when there was enough to see to the alert.
    slowest: i64,
}

impl Tally {
    fn precision(&self) -> f64 {
        share(self.right, self.raised)
    }

    fn recall(&self) -> f64 {
        share(self.found, self.planted)
    }
}

#[expect(clippy::cast_precision_loss, reason = "they are counts of alerts")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

/// Watches a world, as control planes do, and says which alerts were raised when: kind, subject, second.
async fn watch(world: &World, step: i64) -> Vec<(String, String, i64)> {
    let folder = tempdir().unwrap();
    let mut bed = Bed::new(folder.path()).await;
    let (begins, ends) = world.watched;
    let mut rest = world.records.as_slice();
    let mut store = async |bed: &mut Bed, until: i64| {
        let (now, later) = rest.split_at(rest.partition_point(|(comes, _)| *comes <= until));
        rest = later;
        let records: Vec<_> = now.iter().map(|(_, record)| record.clone()).collect();
        for part in records.chunks(2000) {
            bed.store(part).await;
        }
    };
    store(&mut bed, begins).await;
    let anomalies = bed.anomalies("bench");
    let mut raised: BTreeMap<String, (String, String, i64)> = BTreeMap::new();
    let mut now = begins;
    while now <= ends {
        store(&mut bed, now).await;
        anomalies.pass(at(now)).await;
        let snapshot = bed.core.executor.snapshot();
        for held in &snapshot.tenant("platform").unwrap().alerts().open {
            let subject = held.subject.as_deref().unwrap_or_default().to_owned();
            let alert = (held.kind.to_string(), subject, now);
            raised.entry(held.id.to_string()).or_insert(alert);
        }
        now += step;
    }
    raised.into_values().collect()
}

fn judge(planted: &[Planted], raised: &[(String, String, i64)]) -> BTreeMap<String, Tally> {
    let mut all: BTreeMap<String, Tally> = BTreeMap::new();
    for one in planted {
        let tally = all.entry(one.kind.to_owned()).or_default();
        tally.planted += 1;
        let alerts = raised.iter().filter(|alert| is_about(one, alert));
        if let Some(first) = alerts.map(|(.., time)| *time).min() {
            tally.found += 1;
            tally.slowest = tally.slowest.max(first - one.visible);
        }
    }
    for alert in raised {
        let tally = all.entry(alert.0.clone()).or_default();
        tally.raised += 1;
        tally.right += usize::from(planted.iter().any(|one| is_about(one, alert)));
    }
    all
}

fn is_about(one: &Planted, (kind, subject, time): &(String, String, i64)) -> bool {
    one.kind == kind && one.subject == *subject && (one.begins..=one.ends + 600).contains(time)
}

fn add(all: &mut BTreeMap<String, Tally>, more: BTreeMap<String, Tally>) {
    for (kind, tally) in more {
        let sum = all.entry(kind).or_default();
        sum.planted += tally.planted;
        sum.raised += tally.raised;
        sum.right += tally.right;
        sum.found += tally.found;
        sum.slowest = sum.slowest.max(tally.slowest);
    }
}

fn table(all: &BTreeMap<String, Tally>) -> String {
    let mut text = "| kind | planted | found | raised | right | precision | recall | slowest |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (kind, tally) in all {
        let Tally {
            planted,
            raised,
            right,
            found,
            slowest,
        } = tally;
        let (precision, recall) = (tally.precision(), tally.recall());
        let row = format!(
            "| `{kind}` | {planted} | {found} | {raised} | {right} | {precision:.3} | {recall:.3} | {slowest} s |"
        );
        writeln!(text, "{row}").unwrap();
    }
    text
}

#[tokio::test]
async fn planted_anomalies_are_found_soon_and_little_else_is() {
    // Seeds that no rule was tuned by.
    let mut all = BTreeMap::new();
    for seed in [11, 12] {
        let world = world(seed, 10, 1, 2);
        add(&mut all, judge(&world.planted, &watch(&world, STEP).await));
    }
    let shown = table(&all);
    println!("{shown}");
    assert_eq!(all.len(), 6, "{shown}");
    for tally in all.values() {
        assert!(tally.precision() >= 0.95 && tally.recall() >= 0.95, "{shown}");
        assert!(tally.slowest <= SOON, "{shown}");
    }
}

#[tokio::test]
async fn a_quiet_day_of_everyday_traffic_raises_nothing() {
    let world = world(13, 10, 1, 0);
    assert_eq!(watch(&world, STEP).await, []);
}

/// By `tests/bench/alerts`: the same in the long run, as a report.
#[tokio::test]
#[ignore = "takes minutes; tests/bench/alerts/run runs it"]
async fn the_quality_of_detection_in_the_long_run() {
    let number = |name: &str, usual: i64| {
        let given = env::var(name).ok();
        given.map_or(usual, |text| text.parse().unwrap())
    };
    let (first, seeds) = (number("SEED", 101), number("SEEDS", 5));
    let days = number("DAYS", 7);
    let mut all = BTreeMap::new();
    let mut quiet = 0;
    for seed in first..first + seeds {
        let seed = u64::try_from(seed).unwrap();
        let busy = world(seed, 12, days, 2);
        let tallies = judge(&busy.planted, &watch(&busy, 30).await);
        println!(
            "seed {seed}, {} records\n\n{}",
            busy.records.len(),
            table(&tallies)
        );
        add(&mut all, tallies);
        let calm = world(seed + 1000, 12, days, 0);
        let raised = watch(&calm, 30).await;
        println!("seed {} without anomalies: {raised:?}\n", seed + 1000);
        quiet += raised.len();
    }
    println!(
        "all of {seeds} seeds from {first} on, {days} days each; {quiet} alerts in as many weeks without anomalies\n\n{}",
        table(&all)
    );
}
