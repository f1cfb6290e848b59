//! How changes come to the edges: how long a revocation takes to the last of them and whether any accepts the key after the
//! receipt, commands a second, an edge with very many credentials, requests while everything else is gone, and very many
//! edges that come back at once.
//!
//! `bench_propagation REVOCATIONS EDGES RATE CREDENTIALS CROWD REPORT`, started by `tests/bench/propagation` with a Postgres of its
//! own. What is to be 0 is left out. Writes a report; whatever it says of times is of this machine at this moment.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a measurement ends when something fails, and says how far it is"
)]

use std::{fmt::Write as _, fs, time::Duration};

use turnpike_tests::{
    bench::{
        large,
        line::{Flow, Flowed, Question},
        outage,
        returning::{self, Returned},
        revoking::{self, Found, Watchers, make_keys},
    },
    ground::Key,
    production::{Plan, Production},
};

/// Commands under way at once.
const AT_ONCE: usize = 64;
const MODEL: &str = "fake-openai/gpt-4o";
/// Commands beside the edges that come back.
const COMMANDS: usize = 200;
/// How long each of the other loads lasts.
const LASTING: Duration = Duration::from_secs(20);
/// Changes a second at the large edge.
const CHANGES: u32 = 100;

struct Asked {
    revocations: usize,
    regions: Vec<&'static str>,
    rate: u32,
    credentials: usize,
    crowd: usize,
}

impl Asked {
    async fn installation(&self) -> Production {
        Production::start_as(Plan {
            regions: self.regions.clone(),
            direct: true,
            ..Plan::default()
        })
        .await
    }
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| words[index].parse::<usize>().expect("a number");
    let asked = Asked {
        revocations: number(0),
        regions: ["eu", "us", "ap", "sa", "af"][..number(1).clamp(1, 5)].to_vec(),
        rate: u32::try_from(number(2)).expect("a rate"),
        credentials: number(3),
        crowd: number(4),
    };
    let mut report = String::new();
    if asked.revocations > 0 {
        revocations(&asked, &mut report).await;
    }
    if asked.credentials > 0 {
        large_edge(&asked, &mut report).await;
    }
    if asked.crowd > 0 {
        come_back(&asked, &mut report).await;
    }
    if asked.rate > 0 {
        // Last: it takes the database away for good.
        everything_down(&asked, &mut report).await;
    }
    fs::write(&words[5], report).expect("a report");
}

fn tell(report: &mut String, line: &str) {
    eprintln!("{line}");
    writeln!(report, "{line}").expect("text");
}

async fn revocations(asked: &Asked, report: &mut String) {
    let production = asked.installation().await;
    let busy = production.granted("busy").await;
    production.granted("measured").await;
    let mut client = revoking::client(&production).await;
    let (mut keys, commands, rate) = make_keys(&client, asked.revocations * 2, AT_ONCE).await;
    production.admin.json(&["edge", "wait"]).await;
    tell(report, "\n## Commands through one control plane\n");
    tell(
        report,
        &format!(
            "{AT_ONCE} at once, each makes a key.\n\n| commands | a second | p50 | p99 | max |\n|---|---|---|---|---|"
        ),
    );
    tell(
        report,
        &format!("| {} | {rate:.0} | {} |", commands.count(), commands.cells()),
    );
    tell(report, "\n## Revocations, one after the other\n");
    tell(
        report,
        "| | revocations | p50 | p99 | max |\n|---|---|---|---|---|",
    );
    let loaded = keys.split_off(asked.revocations);
    let mut next = 1;
    let quiet = revoke(&production, &mut client, &keys, &mut next).await;
    rows(report, "quiet", quiet);
    let edges: Vec<_> = production.edges.iter().map(|edge| edge.data).collect();
    let idle = idle();
    let flow = Flow::begin(&edges, &[(Question::chat(&busy.text, MODEL), 200)], asked.rate).await;
    let found = revoke(&production, &mut client, &loaded, &mut next).await;
    let Flowed { times, failed, wrong } = flow.end().await;
    let idle = idle_since(idle);
    rows(report, &format!("{} requests/s at each edge", asked.rate), found);
    tell(
        report,
        &format!("| requests meanwhile | {} | {} |", times.count(), times.cells()),
    );
    tell(
        report,
        &format!(
            "\n{failed} of the requests failed, {wrong} were wrongly decided. The processors were idle {idle:.0} % of the time beside the load.\n"
        ),
    );
}

async fn revoke(
    production: &Production,
    client: &mut revoking::Client,
    keys: &[Key],
    next: &mut u64,
) -> Found {
    let mut found = Found::default();
    let mut watchers = Watchers::of(production).await;
    for key in keys {
        found.revoke(&mut watchers, client, key, next).await;
    }
    found
}

fn rows(report: &mut String, what: &str, found: Found) {
    let Found {
        committed_to_refused,
        asked_to_refused,
        asked_to_receipt,
        accepted_after,
        not_applied,
    } = found;
    for (step, times) in [
        ("committed to refused at the last edge", committed_to_refused),
        ("asked to refused at the last edge", asked_to_refused),
        ("asked to receipt", asked_to_receipt),
    ] {
        tell(
            report,
            &format!("| {what}: {step} | {} | {} |", times.count(), times.cells()),
        );
    }
    tell(
        report,
        &format!("| {what}: accepted after the receipt | {accepted_after} | | | |"),
    );
    tell(
        report,
        &format!("| {what}: receipts without every edge | {not_applied} | | | |"),
    );
}

async fn large_edge(asked: &Asked, report: &mut String) {
    let found = large::measure(asked.credentials, asked.rate, CHANGES, LASTING).await;
    tell(
        report,
        &format!("\n## An edge with {} credentials\n", asked.credentials),
    );
    tell(report, "| what | found |\n|---|---|");
    tell(
        report,
        &format!(
            "| ready from the control plane | {:.2} s |",
            found.from_control_plane.as_secs_f64()
        ),
    );
    tell(
        report,
        &format!(
            "| ready from the disk, no control plane | {:.2} s |",
            found.from_disk.as_secs_f64()
        ),
    );
    tell(report, &format!("| resident memory | {} MiB |", found.memory));
    let [quiet, beside] = found.requests;
    let wrong = quiet.failed + quiet.wrong + beside.failed + beside.wrong;
    tell(
        report,
        &format!(
            "\n{} requests a second; {} changes came into force beside the second row, {CHANGES} a second. {wrong} requests failed or were wrongly decided. What one change costs is in shared/access/benches/report.md.\n",
            asked.rate, found.changes
        ),
    );
    tell(report, "| | requests | p50 | p99 | max |\n|---|---|---|---|---|");
    for (what, flowed) in [("no changes", quiet), ("changes", beside)] {
        tell(
            report,
            &format!("| {what} | {} | {} |", flowed.times.count(), flowed.times.cells()),
        );
    }
}

async fn everything_down(asked: &Asked, report: &mut String) {
    let production = asked.installation().await;
    let Flowed { times, failed, wrong } = outage::all_down(production, asked.rate, LASTING).await;
    tell(
        report,
        "\n## Control plane, Postgres and NATS down for the whole of the load\n",
    );
    tell(
        report,
        "| requests | failed | wrongly decided | p50 | p99 | max |\n|---|---|---|---|---|---|",
    );
    tell(
        report,
        &format!("| {} | {failed} | {wrong} | {} |", times.count(), times.cells()),
    );
}

async fn come_back(asked: &Asked, report: &mut String) {
    let idle = idle();
    let Returned {
        first,
        back,
        control_plane,
        crowd,
        commands,
    } = returning::come_back(asked.crowd, COMMANDS).await;
    let idle = idle_since(idle);
    tell(
        report,
        &format!(
            "\n## {} edges at one control plane, all cut off at once\n",
            asked.crowd
        ),
    );
    tell(
        report,
        &format!(
            "They are in one process, and attach and follow as edges do, without a bus. All have the state {:.2} s after they began, and are at the head {:.2} s after the cut was healed, {COMMANDS} commands later. Meanwhile the control plane worked {:.1} s, and the crowd, its cables and who commands {:.1} s. The processors were idle {idle:.0} % of the whole time.\n\n| commands | | p50 | p99 | max |\n|---|---|---|---|---|",
            first.as_secs_f64(),
            back.as_secs_f64(),
            control_plane.as_secs_f64(),
            crowd.as_secs_f64()
        ),
    );
    let when = [
        "before there is any",
        "while they follow",
        "while they are away",
        "while they come back",
    ];
    for (when, times) in when.into_iter().zip(commands) {
        tell(
            report,
            &format!("| {when} | {} | {} |", times.count(), times.cells()),
        );
    }
}

/// The machine's ticks so far: those it was idle, and all.
fn idle() -> [u64; 2] {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|tick| tick.parse().ok())
        .collect();
    [ticks.iter().skip(3).take(2).sum(), ticks.iter().take(8).sum()]
}

fn idle_since(before: [u64; 2]) -> f64 {
    let now = idle();
    let all = now[1].saturating_sub(before[1]).max(1);
    now[0].saturating_sub(before[0]) as f64 * 100.0 / all as f64
}
