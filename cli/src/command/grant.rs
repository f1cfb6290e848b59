//! `turnpike grant`.

use clap::Subcommand;
use turnpike_proto::admin::v1::{
    DeleteRequest, ListGrantsRequest, NameRequest, grant_service_client::GrantServiceClient,
};

use super::value::{Delete, Limit};
use crate::{
    failure::Failure,
    session::{Outcome, Session, fetch_all, present},
};

mod create;
pub(super) mod selector;
mod view;

pub(super) use create::Create;
pub(super) use view::GrantView;

/// What can be done with grants. A grant is never changed: delete it and make another.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Allow somebody something, or with --deny forbid it
    Create(Box<Create>),
    /// Show all grants
    List {
        /// Only to this subject: user:NAME, virtual-account:NAME, team:NAME or group:ISSUER/VALUE
        #[arg(long, value_name = "SUBJECT", default_value = "", hide_default_value = true)]
        to: String,
        #[command(flatten)]
        list: Limit,
    },
    /// Show one grant
    Get {
        /// Its id
        id: String,
    },
    /// Delete a grant
    Delete(Delete),
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = GrantServiceClient::new(session.service());
        match self {
            Self::Create(create) => {
                let wait = create.wait();
                let answer = client.create(create.request(session)).await?.into_inner();
                session.wrote(
                    "grant",
                    &GrantView::from(present(answer.grant)?),
                    answer.receipt,
                    wait,
                )
            }
            Self::List { to, list } => {
                let grants = fetch_all(list.limit, async |page| {
                    let request = ListGrantsRequest {
                        subject: to.clone(),
                        page: Some(page),
                    };
                    let part = client.list(request).await?.into_inner();
                    Ok((part.grants, part.next))
                })
                .await?;
                session.list::<GrantView, _>(grants)
            }
            Self::Get { id } => {
                let answer = client.get(NameRequest { name: id }).await?.into_inner();
                session.show::<GrantView, _>(answer.grant)
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
