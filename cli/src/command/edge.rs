//! `turnpike edge`.

use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, DrainEdgeRequest, EnrolEdgeRequest, NameRequest, ReceiptRequest, RevokeEdgeRequest,
    WaitAppliedRequest, edge_service_client::EdgeServiceClient,
};

use super::value::{Limit, some};
use crate::{
    connect::Service,
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
    /// Make a one-time token, by which an edge comes in (TURNPIKE_ENROL_TOKEN) and is known by a key of its own from then on. It is
    /// shown this once
    Enrol {
        /// What the edge is to be called. One that is enrolled already is known by its new key alone once the token is used
        name: String,
        /// Where it is to be. Absent: wherever it says
        #[arg(long, default_value = "")]
        region: String,
        /// How long the token lives, such as 30m, 1h or 7d
        #[arg(long, default_value = "1h", value_parser = moment::duration)]
        ttl: Duration,
    },
    /// Send an edge away that has enrolled: it is told nothing any more, from now on, and serves nobody once it hears of it
    Revoke {
        /// Its name
        name: String,
        /// Why; it is recorded
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Have an edge finish what it has and take nothing new: it is not ready, refuses new requests after --drain-notice, and is
    /// not waited for once it serves nobody
    Drain {
        /// Its name
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Have a drained edge serve again
    Resume {
        /// Its name
        name: String,
        #[command(flatten)]
        wait: Wait,
    },
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
    enrolled: bool,
    duty: String,
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
        "enrolled",
        "duty",
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
            enrolled,
            duty,
        } = edge;
        Self {
            name,
            region,
            state,
            enrolled,
            duty,
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

/// For whom a token was made, and for how long.
#[derive(Serialize)]
struct TokenView {
    name: String,
    expires: Option<String>,
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
            Self::Enrol { name, region, ttl } => enrol(&mut client, session, (name, region, ttl)).await,
            Self::Revoke { name, reason, wait } => {
                let options = session.options(wait);
                let request = RevokeEdgeRequest {
                    name,
                    reason,
                    options,
                };
                session.deleted(client.revoke(request).await?.into_inner(), wait)
            }
            Self::Drain { name, wait } => {
                let options = session.options(wait);
                let drained = client.drain(DrainEdgeRequest { name, options }).await?;
                session.deleted(drained.into_inner(), wait)
            }
            Self::Resume { name, wait } => {
                let options = session.options(wait);
                let resumed = client.resume(DrainEdgeRequest { name, options }).await?;
                session.deleted(resumed.into_inner(), wait)
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

/// Makes a token and shows it.
async fn enrol(
    client: &mut EdgeServiceClient<Service>,
    session: &Session,
    (name, region, ttl): (String, String, Duration),
) -> Result<Outcome, Failure> {
    let request = EnrolEdgeRequest {
        name: name.clone(),
        region,
        seconds: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX),
        options: None,
    };
    let made = client.enrol(request).await?.into_inner();
    let view = TokenView {
        name,
        expires: moment::precise(made.expires_time_us),
    };
    session.wrote_key("edge", &view, &made.token, made.receipt, Wait { wait: false })
}
