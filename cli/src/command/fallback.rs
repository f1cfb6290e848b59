//! `turnpike fallback`.

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateFallbackRequest, DeleteRequest, NameRequest,
    fallback_service_client::FallbackServiceClient,
};

use super::value::{Delete, Limit};
use crate::{
    failure::Failure,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with fallback rules.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a rule after those that are there
    Create {
        /// Which models it stands in for: provider/name, with *
        #[arg(long, value_name = "PATTERN")]
        from: String,
        /// What is tried in their place: provider/name
        #[arg(long, value_name = "MODEL")]
        to: String,
        /// Only for members of this team; may be given again
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
        /// Only for those whose token carries this group: group:ISSUER/VALUE; may be given again
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// For those whose budget is spent, and not for those who are not allowed
        #[arg(long)]
        over_budget: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show all rules, in the order in which they are tried
    List(Limit),
    /// Show one rule
    Get {
        /// Its id
        id: String,
    },
    /// Delete a rule
    Delete(Delete),
}

#[derive(Serialize)]
struct FallbackView {
    id: String,
    from: String,
    to: String,
    teams: Vec<String>,
    groups: Vec<String>,
    over_budget: bool,
}

impl View for FallbackView {
    const COLUMNS: &'static [&'static str] = &["id", "from", "to", "teams", "groups", "over_budget"];
}

impl From<wire::Fallback> for FallbackView {
    fn from(fallback: wire::Fallback) -> Self {
        let wire::Fallback {
            id,
            from,
            to,
            teams,
            groups,
            over_budget,
        } = fallback;
        Self {
            id,
            from,
            to,
            teams,
            groups,
            over_budget,
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = FallbackServiceClient::new(session.service());
        match self {
            Self::Create {
                from,
                to,
                teams,
                groups,
                over_budget,
                wait,
            } => {
                let fallback = Some(wire::Fallback {
                    id: String::new(),
                    from,
                    to,
                    teams,
                    groups,
                    over_budget,
                });
                let request = CreateFallbackRequest {
                    fallback,
                    options: session.options(wait),
                };
                let answer = client.create(request).await?.into_inner();
                session.wrote(
                    "fallback",
                    &FallbackView::from(present(answer.fallback)?),
                    answer.receipt,
                    wait,
                )
            }
            Self::List(Limit { limit }) => {
                let fallbacks = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.fallbacks, part.next))
                })
                .await?;
                session.list::<FallbackView, _>(fallbacks)
            }
            Self::Get { id } => {
                let answer = client.get(NameRequest { name: id }).await?.into_inner();
                session.show::<FallbackView, _>(answer.fallback)
            }
            Self::Delete(Delete { name, wait }) => {
                let request = DeleteRequest {
                    name,
                    options: session.options(wait),
                };
                session.deleted(client.delete(request).await?.into_inner(), wait)
            }
        }
    }
}
