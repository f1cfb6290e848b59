//! `turnpike alert`.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, AlertRequest, ChangeAlertRequest, ListAlertsRequest, SilenceAlertRequest, TestAlertRequest,
    alert_service_client::AlertServiceClient,
};

mod destination;
mod rule;

use super::value::{Limit, some};
use crate::{
    failure::Failure,
    moment::{self, duration},
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what somebody should look at, newest first
    List {
        /// Show only those that are not resolved
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an alert, its evidence, and what became of it
    Get {
        /// Its id
        id: String,
    },
    /// Say that somebody has seen an alert
    Ack(Change),
    /// Send nothing about what is like an alert for some time; it is still recorded
    Silence {
        #[command(flatten)]
        change: Change,
        /// For how long, at most 30 days; 0s ends a silence
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        length: Duration,
    },
    /// Say that an alert was dealt with. What goes on is told again only after it was over
    Resolve(Change),
    /// Raise an alert of the kind `test`, and resolve it, to see where alerts go
    Test {
        #[command(flatten)]
        wait: Wait,
    },
    /// Where alerts go
    #[command(subcommand)]
    Destination(destination::Destination),
    /// What became of alerts on their way
    #[command(subcommand)]
    Delivery(destination::Delivery),
    /// By which rules anomalies are told
    #[command(subcommand)]
    Rule(rule::Command),
}

/// Which alert, and why.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// Its id
    id: String,
    /// A sentence for those who read the log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct AlertView {
    time: Option<String>,
    status: String,
    kind: String,
    subject: Option<String>,
    count: Option<u64>,
    summary: String,
    credential: Option<String>,
    evidence: BTreeMap<String, String>,
    audit: Vec<String>,
    acknowledged: Option<String>,
    acknowledged_by: Option<String>,
    silenced_until: Option<String>,
    resolved: Option<String>,
    resolved_by: Option<String>,
    resolution: Option<String>,
    id: String,
    position: u64,
}

impl View for AlertView {
    const COLUMNS: &'static [&'static str] = &["time", "status", "kind", "count", "summary", "id"];
}

impl From<wire::Alert> for AlertView {
    fn from(alert: wire::Alert) -> Self {
        let wire::Alert {
            id,
            position,
            time_us,
            kind,
            credential,
            summary,
            evidence,
            subject,
            count,
            audit,
            status,
            acknowledged_by,
            acknowledged_us,
            silenced_until_us,
            resolved_by,
            resolved_us,
            resolution,
        } = alert;
        Self {
            time: moment::precise(time_us),
            status,
            kind,
            subject: some(subject),
            count,
            summary,
            credential: some(credential),
            evidence,
            audit,
            acknowledged: acknowledged_us.and_then(moment::precise),
            acknowledged_by: some(acknowledged_by),
            silenced_until: silenced_until_us.and_then(moment::precise),
            resolved: resolved_us.and_then(moment::precise),
            resolved_by: some(resolved_by),
            resolution: some(resolution),
            id,
            position,
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = AlertServiceClient::new(session.service());
        match self {
            Self::List { open, limit } => {
                let alerts = fetch_all(limit.limit, async |page| {
                    let page = Some(page);
                    let part = client.list(ListAlertsRequest { page, open }).await?.into_inner();
                    Ok((part.alerts, part.next))
                })
                .await?;
                session.list::<AlertView, _>(alerts)
            }
            Self::Get { id } => {
                let answer = client.get(AlertRequest { id }).await?.into_inner();
                session.show::<AlertView, _>(answer.alert)
            }
            Self::Ack(change) => {
                let (request, wait) = change.request(session);
                let answer = client.acknowledge(request).await?.into_inner();
                wrote(session, answer, wait)
            }
            Self::Resolve(change) => {
                let (request, wait) = change.request(session);
                let answer = client.resolve(request).await?.into_inner();
                wrote(session, answer, wait)
            }
            Self::Silence { change, length } => {
                let (ChangeAlertRequest { id, reason, options }, wait) = change.request(session);
                let request = SilenceAlertRequest {
                    id,
                    seconds: u32::try_from(length.as_secs()).unwrap_or(u32::MAX),
                    reason,
                    options,
                };
                let answer = client.silence(request).await?.into_inner();
                wrote(session, answer, wait)
            }
            Self::Test { wait } => {
                let options = session.options(wait);
                let answer = client.test(TestAlertRequest { options }).await?.into_inner();
                wrote(session, answer, wait)
            }
            Self::Destination(command) => command.run(session).await,
            Self::Delivery(command) => command.run(session).await,
            Self::Rule(command) => command.run(session).await,
        }
    }
}

impl Change {
    fn request(self, session: &Session) -> (ChangeAlertRequest, Wait) {
        let Self { id, reason, wait } = self;
        let options = session.options(wait);
        (ChangeAlertRequest { id, reason, options }, wait)
    }
}

fn wrote(session: &Session, answer: wire::AlertResponse, wait: Wait) -> Result<Outcome, Failure> {
    let wire::AlertResponse { alert, receipt } = answer;
    session.wrote("alert", &AlertView::from(present(alert)?), receipt, wait)
}
