//! `turnpike issuer`.

use clap::Subcommand;
use turnpike_proto::admin::v1::{
    DeleteRequest, IssuerResponse, NameRequest, issuer_service_client::IssuerServiceClient,
};

use super::value::{Delete, Limit};
use crate::{
    failure::Failure,
    session::{Outcome, Session, Wait, fetch_all, present},
};

mod create;
mod help;
mod update;
mod verification;
mod view;

use create::Create;
use update::Update;
use view::IssuerView;

/// What can be done with issuers.
#[derive(Debug, Subcommand)]
#[command(after_help = help::CHOOSING)]
pub(super) enum Command {
    /// Trust an issuer: its tokens are accepted from then on
    #[command(after_help = help::EXAMPLES)]
    Create(Box<Create>),
    /// Show all issuers
    List(Limit),
    /// Show one issuer
    Get {
        /// Its name
        name: String,
    },
    /// Change an issuer; its tokens are verified anew
    Update(Box<Update>),
    /// Trust an issuer no more; what was granted to its groups goes with it
    Delete(Delete),
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = IssuerServiceClient::new(session.service());
        match self {
            Self::Create(create) => {
                let wait = create.wait();
                let answer = client.create(create.request(session)?).await?;
                wrote(session, answer.into_inner(), wait)
            }
            Self::List(Limit { limit }) => {
                let issuers = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.issuers, part.next))
                })
                .await?;
                session.list::<IssuerView, _>(issuers)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                session.show::<IssuerView, _>(answer.issuer)
            }
            Self::Update(update) => {
                let wait = update.wait();
                let answer = client.update(update.request(session)?).await?;
                wrote(session, answer.into_inner(), wait)
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

fn wrote(session: &Session, answer: IssuerResponse, wait: Wait) -> Result<Outcome, Failure> {
    session.wrote(
        "issuer",
        &IssuerView::from(present(answer.issuer)?),
        answer.receipt,
        wait,
    )
}
