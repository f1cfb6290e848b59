//! Teams and who is in them.

use tonic::{Request, Response};
use turnpike_access::{command::Command, id::Name, snapshot::Tenant};
use turnpike_proto::admin::{Delete, Membership, NewTeam, Page, v1};

use super::{
    Administration, Answer,
    call::{Written, read},
    part::part,
};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::team_service_server::TeamService for Administration {
    async fn create(&self, request: Request<v1::CreateTeamRequest>) -> Answer<v1::TeamResponse> {
        let (call, message) = self.admit(request).await?;
        let NewTeam {
            name,
            profile,
            members,
            write,
        } = read(message)?;
        let joins = members.into_iter().map(|principal| Command::AddTeamMember {
            team: name.clone(),
            principal,
        });
        let made = Command::CreateTeam {
            name: name.clone(),
            profile,
        };
        let written = call
            .write([made].into_iter().chain(joins).collect(), write)
            .await?;
        answer(written, &name)
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::TeamResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::TeamResponse {
            team: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListTeamsResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let tenant = call.allowed_tenant("")?;
        let (teams, next) = part(tenant.teams(), &page, |held| held.team.name.to_string())?;
        let teams = v1::Team::with_members(tenant, teams.into_iter().map(|held| &held.team));
        Ok(Response::new(v1::ListTeamsResponse { teams, next }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call.write(vec![Command::DeleteTeam { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }

    async fn add_member(&self, request: Request<v1::TeamMemberRequest>) -> Answer<v1::TeamResponse> {
        let (call, message) = self.admit(request).await?;
        let Membership {
            team,
            principal,
            write,
        } = read(message)?;
        let joined = Command::AddTeamMember {
            team: team.clone(),
            principal,
        };
        answer(call.write(vec![joined], write).await?, &team)
    }

    async fn remove_member(&self, request: Request<v1::TeamMemberRequest>) -> Answer<v1::TeamResponse> {
        let (call, message) = self.admit(request).await?;
        let Membership {
            team,
            principal,
            write,
        } = read(message)?;
        let left = Command::RemoveTeamMember {
            team: team.clone(),
            principal,
        };
        answer(call.write(vec![left], write).await?, &team)
    }
}

fn find(tenant: &Tenant, name: &str) -> Result<v1::Team, Failure> {
    let held = tenant
        .team(name)
        .ok_or_else(|| Failure::not_found("team", name))?;
    let shown = v1::Team::with_members(tenant, [&held.team]).pop();
    shown.ok_or_else(|| Failure::not_found("team", name))
}

fn answer(written: Written, team: &Name) -> Answer<v1::TeamResponse> {
    Ok(Response::new(v1::TeamResponse {
        team: Some(find(written.tenant()?, team.as_str())?),
        receipt: written.receipt,
    }))
}
