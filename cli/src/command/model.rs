//! `turnpike model`.

use clap::{Args, Subcommand};
use turnpike_proto::admin::v1::{
    self as wire, CreateModelRequest, DeleteRequest, ModelResponse, NameRequest, UpdateModelRequest,
    model_service_client::ModelServiceClient,
};

use super::value::{Delete, Limit};
use crate::{
    connect::Service,
    failure::Failure,
    session::{Outcome, Session, Wait, fetch_all, present},
};

mod profile;
mod view;

use profile::Profile;
use view::ModelView;

/// What can be done with models.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List a model in the catalogue
    Create(Write),
    /// Show all models
    List(Limit),
    /// Show one model
    Get {
        /// provider/name
        id: String,
    },
    /// Change what is known of a model; what is not given stays
    Update(Write),
    /// Take a model out of the catalogue
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Write {
    /// provider/name
    id: String,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    wait: Wait,
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = ModelServiceClient::new(session.service());
        match self {
            Self::Create(Write { id, profile, wait }) => {
                let mut model = wire::Model {
                    id,
                    ..Default::default()
                };
                profile.apply(&mut model);
                let request = CreateModelRequest {
                    model: Some(model),
                    options: session.options(wait),
                };
                wrote(session, client.create(request).await?.into_inner(), wait)
            }
            Self::List(Limit { limit }) => {
                let models = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.models, part.next))
                })
                .await?;
                session.list::<ModelView, _>(models)
            }
            Self::Get { id } => {
                let answer = client.get(NameRequest { name: id }).await?.into_inner();
                session.show::<ModelView, _>(answer.model)
            }
            Self::Update(write) => update(session, client, write).await,
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

/// A part is replaced whole, prices among them, so the model is read before a part of it is changed.
async fn update(
    session: &Session,
    mut client: ModelServiceClient<Service>,
    write: Write,
) -> Result<Outcome, Failure> {
    let Write { id, profile, wait } = write;
    let mut model = present(client.get(NameRequest { name: id }).await?.into_inner().model)?;
    let fields = profile.apply(&mut model);
    if fields.is_empty() {
        return Err(Failure::local(
            "nothing to change was given; see `turnpike model update --help`",
        ));
    }
    let fields = fields.into_iter().map(str::to_owned).collect();
    let request = UpdateModelRequest {
        model: Some(model),
        fields,
        options: session.options(wait),
    };
    wrote(session, client.update(request).await?.into_inner(), wait)
}

fn wrote(session: &Session, answer: ModelResponse, wait: Wait) -> Result<Outcome, Failure> {
    session.wrote(
        "model",
        &ModelView::from(present(answer.model)?),
        answer.receipt,
        wait,
    )
}
