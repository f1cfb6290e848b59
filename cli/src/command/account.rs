//! `turnpike user` and `turnpike virtual-account`: two services with the same messages.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, AccountResponse, CreateAccountRequest, DeleteRequest, NameRequest, UpdateAccountRequest,
};

use super::value::{Delete, Limit, pair, some};
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

mod client;

use client::Client;
pub(super) use client::Kind;

/// What can be done with users and virtual accounts.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make one
    Create(Create),
    /// Show all
    List(Limit),
    /// Show one
    Get {
        /// Its name
        name: String,
    },
    /// Change one
    Update(Update),
    /// Delete one; its keys are refused from then on
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name: a-z, 0-9 and . _ @ + -
    name: String,
    /// Put it into this team; may be given again
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// Where its owner is reached
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    email: String,
    /// A tag; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Who this is at an issuer, for tokens that are mapped by subject; may be given again
    #[arg(long = "subject", value_name = "ISSUER/SUBJECT")]
    subjects: Vec<String>,
    /// Who answers for it: user:NAME or team:NAME. Gives them nothing; `access review` names virtual accounts without one
    #[arg(long, value_name = "SUBJECT", default_value = "", hide_default_value = true)]
    owner: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its name
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where its owner is reached
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Whether all its keys are refused
    #[arg(long, value_name = "true|false")]
    deactivated: Option<bool>,
    /// A tag; may be given again. The tags given take the place of all tags
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Take away all tags
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    /// Who this is at an issuer; may be given again. Those given take the place of all
    #[arg(long = "subject", value_name = "ISSUER/SUBJECT")]
    subjects: Vec<String>,
    /// Take away all subjects
    #[arg(long, conflicts_with = "subjects")]
    no_subjects: bool,
    /// Who answers for it: user:NAME or team:NAME; '' for nobody
    #[arg(long, value_name = "SUBJECT")]
    owner: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct AccountView {
    name: String,
    principal: String,
    description: Option<String>,
    email: Option<String>,
    owner: Option<String>,
    deactivated: bool,
    tags: BTreeMap<String, String>,
    teams: Vec<String>,
    credentials: Vec<String>,
    subjects: Vec<String>,
    created: Option<String>,
}

impl View for AccountView {
    const COLUMNS: &'static [&'static str] = &["name", "teams", "credentials", "deactivated", "created"];
}

impl From<wire::Account> for AccountView {
    fn from(account: wire::Account) -> Self {
        let wire::Account {
            name,
            description,
            email,
            deactivated,
            tags,
            teams,
            credentials,
            created_us,
            principal,
            subjects,
            owner,
        } = account;
        Self {
            name,
            principal,
            description: some(description),
            email: some(email),
            owner: some(owner),
            deactivated,
            tags,
            teams,
            credentials,
            subjects,
            created: moment::text(created_us),
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session, kind: Kind) -> Result<Outcome, Failure> {
        let mut client = Client::new(session.service(), kind);
        match self {
            Self::Create(create) => {
                let wait = create.wait;
                let answer = client.create(create.request(session)).await?;
                wrote(session, kind, answer, wait)
            }
            Self::List(Limit { limit }) => {
                let accounts = fetch_all(limit, async |page| {
                    let part = client.list(page).await?;
                    Ok((part.accounts, part.next))
                })
                .await?;
                session.list::<AccountView, _>(accounts)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?;
                session.show::<AccountView, _>(answer.account)
            }
            Self::Update(update) => {
                let wait = update.wait;
                let answer = client.update(update.request(session)).await?;
                wrote(session, kind, answer, wait)
            }
            Self::Delete(Delete { name, wait }) => {
                let request = DeleteRequest {
                    name,
                    options: session.options(wait),
                };
                session.deleted(client.delete(request).await?, wait)
            }
        }
    }
}

impl Create {
    fn request(self, session: &Session) -> CreateAccountRequest {
        let Self {
            name,
            teams,
            description,
            email,
            tags,
            subjects,
            owner,
            wait,
        } = self;
        let tags = tags.into_iter().collect();
        let account = wire::Account {
            name,
            description,
            email,
            tags,
            teams,
            subjects,
            owner,
            ..Default::default()
        };
        CreateAccountRequest {
            account: Some(account),
            options: session.options(wait),
        }
    }
}

impl Update {
    fn request(self, session: &Session) -> UpdateAccountRequest {
        let Self {
            name,
            description,
            email,
            deactivated,
            tags,
            no_tags,
            subjects,
            no_subjects,
            owner,
            wait,
        } = self;
        UpdateAccountRequest {
            name,
            description,
            email,
            deactivated,
            replace_tags: no_tags || !tags.is_empty(),
            tags: tags.into_iter().collect(),
            replace_subjects: no_subjects || !subjects.is_empty(),
            subjects,
            owner,
            options: session.options(wait),
        }
    }
}

fn wrote(session: &Session, kind: Kind, answer: AccountResponse, wait: Wait) -> Result<Outcome, Failure> {
    session.wrote(
        kind.noun(),
        &AccountView::from(present(answer.account)?),
        answer.receipt,
        wait,
    )
}
