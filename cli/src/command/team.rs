//! `turnpike team`.

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateTeamRequest, DeleteRequest, NameRequest, TeamMemberRequest, TeamResponse,
    team_service_client::TeamServiceClient,
};

use super::value::{Delete, Limit, some};
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with teams.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a team
    Create {
        /// Its name: a-z, 0-9 and . _ @ + -
        name: String,
        /// What it is
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show all teams
    List(Limit),
    /// Show one team
    Get {
        /// Its name
        name: String,
    },
    /// Put a user or a virtual account into a team
    AddMember(Member),
    /// Take a user or a virtual account out of a team
    RemoveMember(Member),
    /// Delete a team, and the grants to it
    Delete(Delete),
}

/// Who, and which team.
#[derive(Debug, Args)]
pub(super) struct Member {
    /// The team's name
    team: String,
    /// user:NAME or virtual-account:NAME
    principal: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct TeamView {
    name: String,
    description: Option<String>,
    members: Vec<String>,
    created: Option<String>,
}

impl View for TeamView {
    const COLUMNS: &'static [&'static str] = &["name", "members", "description", "created"];
}

impl From<wire::Team> for TeamView {
    fn from(team: wire::Team) -> Self {
        let wire::Team {
            name,
            description,
            members,
            created_us,
        } = team;
        Self {
            name,
            description: some(description),
            members,
            created: moment::text(created_us),
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = TeamServiceClient::new(session.service());
        match self {
            Self::Create {
                name,
                description,
                wait,
            } => {
                let team = Some(wire::Team {
                    name,
                    description,
                    ..Default::default()
                });
                let request = CreateTeamRequest {
                    team,
                    options: session.options(wait),
                };
                wrote(session, client.create(request).await?.into_inner(), wait)
            }
            Self::List(Limit { limit }) => {
                let teams = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.teams, part.next))
                })
                .await?;
                session.list::<TeamView, _>(teams)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                session.show::<TeamView, _>(answer.team)
            }
            Self::AddMember(member) => {
                let wait = member.wait;
                wrote(
                    session,
                    client.add_member(member.request(session)).await?.into_inner(),
                    wait,
                )
            }
            Self::RemoveMember(member) => {
                let wait = member.wait;
                wrote(
                    session,
                    client.remove_member(member.request(session)).await?.into_inner(),
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

impl Member {
    fn request(self, session: &Session) -> TeamMemberRequest {
        let Self {
            team,
            principal,
            wait,
        } = self;
        TeamMemberRequest {
            team,
            principal,
            options: session.options(wait),
        }
    }
}

fn wrote(session: &Session, answer: TeamResponse, wait: Wait) -> Result<Outcome, Failure> {
    session.wrote(
        "team",
        &TeamView::from(present(answer.team)?),
        answer.receipt,
        wait,
    )
}
