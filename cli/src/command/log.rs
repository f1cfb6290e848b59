//! `turnpike log`.

use clap::Subcommand;
use serde::Serialize;
use serde_norway::Value;
use turnpike_proto::admin::v1::{
    self as wire, ListLogRequest, VerifyLogRequest, log_service_client::LogServiceClient,
};

use super::value::some;
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, fetch_all},
};

/// What can be done with the event log.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the tenant's events, oldest first
    List {
        /// Only after this position
        #[arg(long, value_name = "POSITION", default_value_t = 0)]
        after: u64,
        /// Show at most so many. Absent: all
        #[arg(long, value_name = "COUNT")]
        limit: Option<u32>,
    },
    /// Check every link of the log's hash chain; exit 1 if it is broken. For the operators
    Verify,
}

#[derive(Serialize)]
struct LogView {
    position: u64,
    time: Option<String>,
    tenant: String,
    actor: String,
    kind: String,
    version: u32,
    correlation: Option<String>,
    payload: Value,
    hash: String,
}

impl View for LogView {
    const COLUMNS: &'static [&'static str] = &["position", "time", "actor", "kind", "payload"];
}

impl From<wire::LogEntry> for LogView {
    fn from(entry: wire::LogEntry) -> Self {
        let wire::LogEntry {
            position,
            time_us,
            tenant,
            actor,
            correlation,
            kind,
            version,
            payload,
            hash,
        } = entry;
        Self {
            position,
            time: moment::precise(time_us),
            tenant,
            actor,
            kind,
            version,
            correlation: some(correlation),
            // A payload is JSON; one that is not is shown as it came rather than hidden.
            payload: serde_json::from_str(&payload).unwrap_or(Value::String(payload)),
            hash,
        }
    }
}

#[derive(Serialize)]
struct VerdictView {
    intact: bool,
    events: u64,
    hash: String,
    problem: Option<String>,
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = LogServiceClient::new(session.service());
        match self {
            Self::List { after, limit } => {
                let entries = fetch_all(limit, async |page| {
                    // The log is paged by position, and 0 is its end.
                    let after = page.after.parse().unwrap_or(after);
                    let part = client
                        .list(ListLogRequest {
                            after,
                            size: page.size,
                        })
                        .await?
                        .into_inner();
                    let next = if part.next == 0 {
                        String::new()
                    } else {
                        part.next.to_string()
                    };
                    Ok((part.entries, next))
                })
                .await?;
                session.list::<LogView, _>(entries)
            }
            Self::Verify => {
                let wire::VerifyLogResponse {
                    intact,
                    events,
                    hash,
                    problem,
                } = client.verify(VerifyLogRequest {}).await?.into_inner();
                session.printer.one(&VerdictView {
                    intact,
                    events,
                    hash,
                    problem: some(problem),
                })?;
                Ok(Outcome::from(intact))
            }
        }
    }
}
