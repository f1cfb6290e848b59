//! `turnpike edge`.

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, NameRequest, ReceiptRequest, WaitAppliedRequest, edge_service_client::EdgeServiceClient,
};

use super::value::{Limit, some};
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all},
};

/// What can be done with edges.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show all edges: region, version, position, lag, last seen, and how far behind each can be
    List(Limit),
    /// Forget an edge that will not come back, so that nothing waits for it
    Delete {
        /// Its name
        name: String,
    },
    /// Wait until every edge has applied a position; exit 1 if one has not within --timeout
    Wait {
        /// The position. Absent: the newest
        #[arg(long, value_name = "POSITION", default_value_t = 0)]
        position: u64,
    },
    /// Show again where a change stands at each edge, as it was found when it was waited for; exit 1 if one has not applied it
    Receipt {
        /// The position that the change was answered with
        position: u64,
    },
}

#[derive(Serialize)]
struct EdgeView {
    name: String,
    region: String,
    state: String,
    version: String,
    position: u64,
    lag: u64,
    applied_time: Option<String>,
    last_seen: Option<String>,
    behind: Option<String>,
    halted: Option<String>,
}

impl View for EdgeView {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "region",
        "state",
        "version",
        "position",
        "lag",
        "last_seen",
        "behind",
        "halted",
    ];
}

impl From<wire::Edge> for EdgeView {
    fn from(edge: wire::Edge) -> Self {
        let wire::Edge {
            name,
            region,
            version,
            position,
            lag,
            applied_time_us,
            last_seen_us,
            state,
            halted,
            certain_ago_us,
        } = edge;
        Self {
            name,
            region,
            state,
            version,
            position,
            lag,
            applied_time: moment::precise(applied_time_us),
            last_seen: moment::precise(last_seen_us),
            behind: certain_ago_us.map(behind),
            halted: some(halted),
        }
    }
}

/// How far behind an edge can be, in seconds.
fn behind(micros: u64) -> String {
    let tenths = micros / 100_000;
    format!("{}.{}s", tenths / 10, tenths % 10)
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = EdgeServiceClient::new(session.service());
        match self {
            Self::List(Limit { limit }) => {
                let edges = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.edges, part.next))
                })
                .await?;
                session.list::<EdgeView, _>(edges)
            }
            Self::Delete { name } => {
                client.delete(NameRequest { name }).await?;
                session.deleted(wire::Receipt::default(), Wait { wait: false })
            }
            Self::Receipt { position } => {
                let receipt = client.receipt(ReceiptRequest { position }).await?.into_inner();
                session.deleted(receipt, Wait { wait: true })
            }
            Self::Wait { position } => {
                let request = WaitAppliedRequest {
                    position,
                    deadline_ms: session.deadline_ms(),
                };
                session.deleted(
                    client.wait_applied(request).await?.into_inner(),
                    Wait { wait: true },
                )
            }
        }
    }
}
