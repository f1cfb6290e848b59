//! What the audit takes: of a request at the edge, of a restart with a large spool, of the control plane that stores it, of
//! whoever verifies it, and of whoever asks what was used.
//!
//! `bench_audit EVENTS SPOOL_MEGABYTES REPORT`, started by `tests/bench/audit` with a Postgres of its own. Writes a report;
//! whatever it says of times is of this machine at this moment.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a measurement ends when something fails, and says how far it is"
)]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use turnpike_access::audit::AuditRecord;
use turnpike_edge::{
    audit::{Audit, Fsync, Opened, SpoolSettings, WhenFull, upload::Upload},
    connect::{self, EdgeToken},
};
use turnpike_proto::audit::v1;
use turnpike_runtime::{clock, identity::EdgeSigner, keyring::Keyring, secret::Secret};
use turnpike_tests::production::Production;

/// How many records one thread writes between two looks at the clock of its processor.
const ROUND: u64 = 20_000;

fn settings(folder: &Path, megabytes: u64) -> SpoolSettings {
    SpoolSettings {
        folder: folder.to_owned(),
        max_bytes: (megabytes + 512) << 20,
        when_full: WhenFull::Refuse,
        lanes: 3,
        fsync: Fsync::default(),
    }
}

/// A completion like any other: three hundred bytes of record.
fn record(number: u64) -> AuditRecord {
    let record = v1::Record {
        time_us: clock::now().as_micros(),
        request_id: format!("req_{number:022}"),
        decision_id: format!("dec_{number:022}"),
        tenant: "dev".to_owned(),
        principal: format!("virtual-account:app-{}", number % 50),
        credential: "abcdefghijkl".to_owned(),
        auth_method: "api_key".to_owned(),
        route: "POST /v1/chat/completions".to_owned(),
        action: "inference.chat".to_owned(),
        model_requested: "gpt-4o".to_owned(),
        model_served: "fake-openai/gpt-4o".to_owned(),
        provider: "fake-openai".to_owned(),
        environment: "production".to_owned(),
        outcome: v1::Outcome::Allowed.into(),
        reason: "granted".to_owned(),
        status: 200,
        upstream_status: Some(200),
        latency_us: 812_345,
        first_token_us: Some(210_000),
        input_tokens: Some(812),
        output_tokens: Some(264),
        ending: v1::Ending::Complete.into(),
        client: "10.1.2.3".to_owned(),
        user_agent: "OpenAI/Python 1.99.0".to_owned(),
        region: "eu".to_owned(),
        position: 1000,
        ..Default::default()
    };
    let bytes = prost::Message::encode_to_vec(&record);
    turnpike_proto::audit::record(&bytes).expect("a record")
}

/// What this thread has had of a processor.
fn used() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanos = told.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

fn tell(report: &mut String, line: &str) {
    eprintln!("{line}");
    writeln!(report, "{line}").expect("text");
}

/// Writes on one thread, as the requests of one do, and answers what each took of the processor.
fn fill(audit: &Audit, events: u64) -> Vec<Duration> {
    let mut rounds = Vec::new();
    let mut number = 0;
    while number < events {
        let count = ROUND.min(events - number);
        let records: Vec<_> = (number..number + count).map(record).collect();
        let before = used();
        for record in &records {
            audit.record(record, false).expect("room");
        }
        let each = (used() - before) / u32::try_from(count).expect("a round");
        rounds.push(each);
        number += count;
    }
    rounds.sort();
    rounds
}

fn at_the_edge(folder: &Path, events: u64, report: &mut String) {
    let Opened { audit, .. } = Audit::open(&settings(folder, 64 + events / 1000), 1).expect("a spool");
    let rounds = fill(&audit, events);
    let each = rounds[rounds.len() / 2];
    tell(
        report,
        &format!(
            "| CPU of a request's record at the edge, `buffered` (median of {} rounds) | {:.2} µs | at most 2 µs |",
            rounds.len(),
            each.as_secs_f64() * 1e6
        ),
    );
}

/// Writes a spool of this size, as a process does that is killed, and opens it again.
fn restart(folder: &Path, megabytes: u64, report: &mut String) {
    let sizes = settings(folder, megabytes);
    let Opened { audit, .. } = Audit::open(&sizes, 1).expect("a spool");
    let mut written = 0;
    let records: Vec<_> = (0..ROUND).map(record).collect();
    while size(folder) < megabytes << 20 {
        thread::scope(|scope| {
            for part in records.chunks(records.len() / 2) {
                let audit = &audit;
                scope.spawn(move || {
                    part.iter()
                        .for_each(|record| audit.record(record, false).expect("room"))
                });
            }
        });
        written += records.len() as u64;
    }
    drop(audit);
    let size = size(folder);
    let begun = Instant::now();
    let Opened { report: found, .. } = Audit::open(&sizes, 2).expect("the spool");
    let taken = begun.elapsed();
    assert_eq!(found.records, written, "all of it is there");
    let a_second = size as f64 / taken.as_secs_f64() / 1e9;
    tell(
        report,
        &format!(
            "| A spool of {:.2} GB ({written} records) recovered, from the page cache as far as it is there | {:.2} s, {a_second:.2} GB/s | 10 GB in 10 s |",
            size as f64 / 1e9,
            taken.as_secs_f64()
        ),
    );
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("entry").metadata().map_or(0, |file| file.len()))
        .sum()
}

/// Writes and uploads at once, through the edge's own code, and waits until all of it is stored.
async fn stored(production: &Production, folder: &Path, events: u64, report: &mut String) {
    let Opened { audit, reader, .. } =
        Audit::open(&settings(folder, 64 + events / 1000), 1).expect("a spool");
    let address = production.admin.control_plane();
    let uri: http::Uri = format!("http://{address}").parse().expect("an address");
    let keyring = Keyring::parse(&Secret::new(production.keyring().to_owned())).expect("a keyring");
    let channel = connect::channel(&uri.into(), None, EdgeToken::of(Some(&keyring))).expect("a channel");
    let edge: Arc<str> = Arc::from("bench");
    let upload = Upload {
        edge: edge.clone(),
        channel,
        audit: audit.clone(),
        reader,
        signer: Arc::new(EdgeSigner::keep(folder, edge).expect("a key")),
    };
    let (done, writers_done) = tokio::sync::watch::channel(false);
    let begun = Instant::now();
    let writing = tokio::task::spawn_blocking(move || {
        fill(&audit, events);
        audit
    });
    let uploading = upload.run(writers_done);
    let finishing = async {
        let audit = writing.await.expect("written");
        while audit.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        done.send_replace(true);
    };
    let (left, ()) = tokio::join!(uploading, finishing);
    assert_eq!(left, 0, "all of it is stored");
    let rate = events as f64 / begun.elapsed().as_secs_f64();
    tell(
        report,
        &format!(
            "| Events stored in Postgres, written and uploaded meanwhile, by one control plane | {rate:.0}/s | 10000/s |"
        ),
    );
}

async fn verified(production: &Production, folder: &Path, events: u64, report: &mut String) {
    let begun = Instant::now();
    let proof = production.operator.run(&["audit", "prove"]).await;
    let proving = begun.elapsed();
    let file = folder.join("proof.jsonl");
    fs::write(&file, &proof.printed).expect("a proof");
    let begun = Instant::now();
    let words = [
        "--output",
        "json",
        "audit",
        "verify",
        "--proof",
        file.to_str().expect("a path"),
    ];
    let verdict = production.operator.run(&words).await;
    let offline = begun.elapsed();
    assert_eq!(verdict.status, 0, "{verdict:?}");
    let rate = |taken: Duration| events as f64 / taken.as_secs_f64();
    tell(
        report,
        &format!("| Events proven, out of Postgres | {:.0}/s | |", rate(proving)),
    );
    tell(
        report,
        &format!(
            "| Events verified, from a proof | {:.0}/s | 200000/s |",
            rate(offline)
        ),
    );
}

/// Usage of thirty days as a hundred million requests leave it: 2,000 callers and models of which 1,000 are seen in an hour and 200
/// in a minute, rows of all lengths where they come to lie as time goes on. Each minute has 2,400 requests, by whatever length.
const USED: &str = "INSERT INTO turnpike.usage
    SELECT 'platform', grain, start, 'team-' || who % 20, 'virtual-account:app-' || who % 400, 'cred' || who % 400,
        'openai/model-' || who / 400, 'openai', 'production', '{}', each, 0, each * 800, each * 250, 0, 0, each * 4000, 0, 0, 0, 0, 0
    FROM generate_series($1::bigint, $1 + 86399999999, 60000000) AS minute,
        LATERAL (VALUES (60000000::bigint, 200, 12), (3600000000, 1000, 144), (86400000000, 2000, 1728)) AS lengths (grain, of_it, each),
        LATERAL (SELECT minute + 60000000 - grain AS start, (minute / grain * 7) AS shift) AS beginnings,
        generate_series(0, of_it - 1) AS nth, LATERAL (SELECT (nth * (2000 / of_it) + shift) % 2000 AS who) AS whoever
    WHERE (minute + 60000000) % grain = 0";
const DAY: i64 = 86_400_000_000;

async fn reported(production: &Production, report: &mut String) {
    let now = clock::now().as_micros();
    let today = now - now % DAY;
    for day in (-31..=0).map(|day| today + day * DAY) {
        production.database.execute_with(USED, day).await;
    }
    production.database.execute("ANALYZE turnpike.usage").await;
    let mut taken = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let words = ["--output", "json", "usage", "report", "--by", "team,model"];
        let answer = production.operator.run(&words).await;
        let time = begun.elapsed();
        assert_eq!(answer.status, 0, "{answer:?}");
        let answer: serde_json::Value = serde_json::from_str(&answer.printed).expect("a report");
        assert_eq!(answer["rows"].as_array().map(Vec::len), Some(100), "{answer}");
        let requests = answer["total"]["requests"].as_u64().expect("requests");
        assert!((103_000_000..=104_000_000).contains(&requests), "{requests}");
        taken.push(time.as_secs_f64());
    }
    let first = taken[0];
    taken.sort_by(f64::total_cmp);
    tell(
        report,
        &format!(
            "| `usage report --by team,model` over 30 days, 104 million requests in {} rows of usage (the first time {first:.2} s) | {:.2} s | 1 s |",
            production
                .database
                .number("SELECT count(*) FROM turnpike.usage")
                .await,
            taken[2]
        ),
    );
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| words[index].parse::<u64>().expect("a number");
    let (events, megabytes) = (number(0), number(1));
    let production = Production::with_one_edge(&[]).await;
    let folder = |name: &str| production.folder().join(name);
    let mut report = String::new();
    tell(&mut report, "\n| | found | aimed at |\n|---|---|---|");
    at_the_edge(&folder("written"), events, &mut report);
    fs::remove_dir_all(folder("written")).expect("removed");
    restart(&folder("restarted"), megabytes, &mut report);
    fs::remove_dir_all(folder("restarted")).expect("removed");
    stored(&production, &folder("stored"), events, &mut report).await;
    verified(&production, &folder("stored"), events, &mut report).await;
    reported(&production, &mut report).await;
    fs::write(&words[2], report).expect("a report");
}
