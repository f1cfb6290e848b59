//! `turnpike alert`.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{self as wire, alert_service_client::AlertServiceClient};

mod rule;

use super::value::{Limit, some};
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, fetch_all},
};

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what somebody should look at, newest first
    List(Limit),
    /// By which rules anomalies are told
    #[command(subcommand)]
    Rule(rule::Command),
}

#[derive(Serialize)]
struct AlertView {
    time: Option<String>,
    kind: String,
    credential: Option<String>,
    summary: String,
    evidence: BTreeMap<String, String>,
    id: String,
    position: u64,
}

impl View for AlertView {
    const COLUMNS: &'static [&'static str] = &["time", "kind", "credential", "summary"];
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
        } = alert;
        Self {
            time: moment::precise(time_us),
            kind,
            credential: some(credential),
            summary,
            evidence,
            id,
            position,
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let limit = match self {
            Self::List(Limit { limit }) => limit,
            Self::Rule(command) => return command.run(session).await,
        };
        let mut client = AlertServiceClient::new(session.service());
        let alerts = fetch_all(limit, async |page| {
            let part = client.list(page).await?.into_inner();
            Ok((part.alerts, part.next))
        })
        .await?;
        session.list::<AlertView, _>(alerts)
    }
}
