//! `turnpike alias`.

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, DeleteRequest, NameRequest, SetAliasRequest, alias_service_client::AliasServiceClient,
};

use super::value::{Delete, Limit};
use crate::{
    failure::Failure,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with aliases.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an alias, or let it mean another model
    Set {
        /// The alias, as clients write it
        name: String,
        /// The model: provider/name
        target: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show all aliases
    List(Limit),
    /// Show one alias
    Get {
        /// The alias
        name: String,
    },
    /// Delete an alias
    Delete(Delete),
}

#[derive(Serialize)]
struct AliasView {
    name: String,
    target: String,
}

impl View for AliasView {
    const COLUMNS: &'static [&'static str] = &["name", "target"];
}

impl From<wire::Alias> for AliasView {
    fn from(alias: wire::Alias) -> Self {
        let wire::Alias { name, target } = alias;
        Self { name, target }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = AliasServiceClient::new(session.service());
        match self {
            Self::Set { name, target, wait } => {
                let alias = Some(wire::Alias { name, target });
                let request = SetAliasRequest {
                    alias,
                    options: session.options(wait),
                };
                let answer = client.set(request).await?.into_inner();
                session.wrote(
                    "alias",
                    &AliasView::from(present(answer.alias)?),
                    answer.receipt,
                    wait,
                )
            }
            Self::List(Limit { limit }) => {
                let aliases = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.aliases, part.next))
                })
                .await?;
                session.list::<AliasView, _>(aliases)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                session.show::<AliasView, _>(answer.alias)
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
