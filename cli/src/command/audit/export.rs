//! The audit out of the control plane, page by page: as lines of JSON, as CSV, as Parquet, and as it comes in.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{IsTerminal as _, Stdout, Write as _, stdout},
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use turnpike_proto::admin::{
    AuditLine, record_bytes,
    v1::{AuditEntry, ListAuditRequest, Page, ProveAuditRequest, audit_service_client::AuditServiceClient},
};

use super::{
    Filter, parquet,
    proof::{self, Line},
};
use crate::{
    connect::Service,
    failure::Failure,
    moment,
    output::csv_lines,
    session::{Outcome, Session},
};

/// Entries of one question.
const PART: u32 = 1000;
/// How often what is new is asked for.
const EVERY: Duration = Duration::from_secs(1);
/// How late an entry may come and still be shown, in microseconds: an edge sends them within a second where it can.
const LATE: i64 = 120_000_000;
/// What was made so shortly before following began is shown if it comes in after that, in microseconds.
const UNDER_WAY: i64 = 10_000_000;
/// The entries that are remembered as shown.
const REMEMBERED: usize = 100_000;

#[derive(Debug, Args)]
pub(in crate::command) struct Export {
    #[command(flatten)]
    filter: Box<Filter>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Shape::Jsonl)]
    format: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// A line of JSON for each request, with the bytes that its edge signed
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// A Parquet file, columns with types of their own
    Parquet,
}

#[derive(Debug, Args)]
pub(in crate::command) struct Tail {
    #[command(flatten)]
    filter: Box<Filter>,
    /// Go on with what comes in, until it is interrupted
    #[arg(short, long)]
    follow: bool,
}

/// A row with what its edge signed.
#[derive(Serialize)]
struct Exported {
    #[serde(flatten)]
    view: AuditLine,
    /// In hexadecimal digits.
    record: String,
}

impl Export {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let Self { filter, format } = self;
        let (mut left, request) = (filter.limit.unwrap_or(u32::MAX), filter.request(moment::now()));
        let mut client = AuditServiceClient::new(session.service());
        let mut out = Out::begin(format)?;
        let mut after = String::new();
        while left > 0 {
            let page = Page {
                size: left.min(PART),
                after,
            };
            let (entries, next) = ask(&mut client, &request, page).await?;
            left = left.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
            out.write(entries)?;
            if next.is_empty() {
                break;
            }
            after = next;
        }
        out.end()?;
        Ok(Outcome::Done)
    }
}

/// What is being written.
enum Out {
    Lines,
    /// Whether its header is written.
    Csv(bool),
    Parquet(Box<parquet::File<Stdout>>),
}

impl Out {
    fn begin(shape: Shape) -> Result<Self, Failure> {
        Ok(match shape {
            Shape::Jsonl => Self::Lines,
            Shape::Csv => Self::Csv(false),
            Shape::Parquet if stdout().is_terminal() => {
                let problem = "a Parquet file is not for a terminal; send it to a file: > audit.parquet";
                return Err(Failure::local(problem.to_owned()));
            }
            Shape::Parquet => Self::Parquet(Box::new(parquet::File::new(stdout()).map_err(unwritable)?)),
        })
    }

    fn write(&mut self, entries: Vec<AuditEntry>) -> Result<(), Failure> {
        match self {
            Self::Lines => print(&lines(entries)?),
            Self::Csv(begun) => {
                let views: Vec<AuditLine> = entries.into_iter().map(Into::into).collect();
                let first = !std::mem::replace(begun, true);
                print(&csv_lines(
                    &AuditLine::from(AuditEntry::default()),
                    &views,
                    first,
                )?)
            }
            Self::Parquet(file) => file.rows(&entries).map_err(unwritable),
        }
    }

    fn end(self) -> Result<(), Failure> {
        match self {
            Self::Lines | Self::Csv(_) => Ok(()),
            Self::Parquet(file) => file.close().map_err(unwritable),
        }
    }
}

fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::local(format!("cannot write: {error}"))
}

fn lines(entries: Vec<AuditEntry>) -> Result<String, Failure> {
    let mut lines = String::new();
    for entry in entries {
        let record = proof::written(&record_bytes(&entry));
        let view = entry.into();
        lines.push_str(&json(&Exported { view, record })?);
    }
    Ok(lines)
}

fn json(line: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(line).map_err(|error| Failure::local(error.to_string()))?;
    Ok(text + "\n")
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(unwritable)
}

async fn ask(
    client: &mut AuditServiceClient<Service>,
    request: &ListAuditRequest,
    page: Page,
) -> Result<(Vec<AuditEntry>, String), Failure> {
    let request = ListAuditRequest {
        page: Some(page),
        ..request.clone()
    };
    let part = client.list(request).await?.into_inner();
    Ok((part.entries, part.next))
}

/// Writes what a third party needs to hold exported rows to what edges signed.
pub(super) async fn prove(session: &Session) -> Result<Outcome, Failure> {
    let mut client = AuditServiceClient::new(session.service());
    let mut parts = client.prove(ProveAuditRequest {}).await?.into_inner();
    while let Some(part) = parts.message().await? {
        print(&json(&Line::try_from(part)?)?)?;
    }
    Ok(Outcome::Done)
}

impl Tail {
    /// The newest last, as lines of JSON.
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let Self { filter, follow } = self;
        let (limit, request) = (filter.limit.unwrap_or(10), filter.request(moment::now()));
        let mut client = AuditServiceClient::new(session.service());
        let began = moment::now().saturating_sub(UNDER_WAY);
        let mut shown = Shown::default();
        if follow {
            // What is there already is shown only where it is among the newest.
            let there = since(&mut client, &request, began).await?;
            for entry in &there {
                shown.is_new(entry);
            }
        }
        let newest = Page {
            size: limit.min(PART),
            after: String::new(),
        };
        let (entries, _) = ask(&mut client, &request, newest).await?;
        for entry in entries.into_iter().rev() {
            shown.is_new(&entry);
            print(&json(&AuditLine::from(entry))?)?;
        }
        if !follow {
            return Ok(Outcome::Done);
        }
        loop {
            tokio::time::sleep(EVERY).await;
            let from = began.max(moment::now().saturating_sub(LATE));
            let fresh = since(&mut client, &request, from).await?;
            for entry in fresh.into_iter().rev().filter(|entry| shown.is_new(entry)) {
                print(&json(&AuditLine::from(entry))?)?;
            }
        }
    }
}

/// All entries since a moment, newest first.
async fn since(
    client: &mut AuditServiceClient<Service>,
    request: &ListAuditRequest,
    moment: i64,
) -> Result<Vec<AuditEntry>, Failure> {
    let request = ListAuditRequest {
        since_us: Some(request.since_us.map_or(moment, |since| since.max(moment))),
        ..request.clone()
    };
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let (entries, next) = ask(client, &request, Page { size: PART, after }).await?;
        found.extend(entries);
        if next.is_empty() {
            return Ok(found);
        }
        after = next;
    }
}

/// Which entries were shown, so that none is twice: late ones come among those that were.
#[derive(Default)]
struct Shown {
    known: BTreeSet<(String, u64, u64)>,
    order: VecDeque<(String, u64, u64)>,
}

impl Shown {
    /// Whether an entry comes for the first time; it is remembered.
    fn is_new(&mut self, entry: &AuditEntry) -> bool {
        let id = (entry.edge.clone(), entry.epoch, entry.sequence);
        if !self.known.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
