//! `turnpike role`.

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateRoleRequest, DeleteRequest, NameRequest, RoleResponse,
    role_service_client::RoleServiceClient,
};

use super::value::{Delete, Limit, some};
use crate::{
    failure::Failure,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with roles.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a role
    Create(Write),
    /// Show all roles, the built-in ones too
    List(Limit),
    /// Show one role
    Get {
        /// Its name
        name: String,
    },
    /// Give a role other actions
    Update(Write),
    /// Delete a role that no grant uses
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Write {
    /// Its name: a-z, 0-9 and . _ @ + -
    name: String,
    /// An action it covers, such as inference.chat or inference.*; may be given again
    #[arg(long = "action", value_name = "PATTERN", required = true)]
    actions: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct RoleView {
    name: String,
    actions: Vec<String>,
    description: Option<String>,
    built_in: bool,
}

impl View for RoleView {
    const COLUMNS: &'static [&'static str] = &["name", "built_in", "actions", "description"];
}

impl From<wire::Role> for RoleView {
    fn from(role: wire::Role) -> Self {
        let wire::Role {
            name,
            actions,
            description,
            built_in,
        } = role;
        Self {
            name,
            actions,
            description: some(description),
            built_in,
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = RoleServiceClient::new(session.service());
        match self {
            Self::Create(write) => {
                let wait = write.wait;
                wrote(
                    session,
                    client.create(write.request(session)).await?.into_inner(),
                    wait,
                )
            }
            Self::List(Limit { limit }) => {
                let roles = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.roles, part.next))
                })
                .await?;
                session.list::<RoleView, _>(roles)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                session.show::<RoleView, _>(answer.role)
            }
            Self::Update(write) => {
                let wait = write.wait;
                wrote(
                    session,
                    client.update(write.request(session)).await?.into_inner(),
                    wait,
                )
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

impl Write {
    fn request(self, session: &Session) -> CreateRoleRequest {
        let Self {
            name,
            actions,
            description,
            wait,
        } = self;
        let role = wire::Role {
            name,
            actions,
            description,
            built_in: false,
        };
        CreateRoleRequest {
            role: Some(role),
            options: session.options(wait),
        }
    }
}

fn wrote(session: &Session, answer: RoleResponse, wait: Wait) -> Result<Outcome, Failure> {
    session.wrote(
        "role",
        &RoleView::from(present(answer.role)?),
        answer.receipt,
        wait,
    )
}
