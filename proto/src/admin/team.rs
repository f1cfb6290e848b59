//! Teams and who is in them.

use turnpike_access::{
    id::{Name, Principal},
    snapshot::Tenant,
    tenant::{Team, TeamProfile},
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{known, parse, required, text},
};

/// A team to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeam {
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub profile: TeamProfile,
    /// Who is in it from the start.
    pub members: Vec<Principal>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateTeamRequest> for NewTeam {
    type Error = ConversionError;

    fn try_from(request: v1::CreateTeamRequest) -> Result<Self, ConversionError> {
        let v1::CreateTeamRequest { team, options } = request;
        let v1::Team {
            name,
            description,
            members,
            created_us: _,
        } = required("team", team)?;
        Ok(Self {
            name: parse("team.name", &name)?,
            profile: TeamProfile {
                description: known(description),
            },
            members: crate::field::all("team.members", members)?,
            write: options.try_into()?,
        })
    }
}

/// Somebody who is to join or leave a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The team.
    pub team: Name,
    /// Who.
    pub principal: Principal,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::TeamMemberRequest> for Membership {
    type Error = ConversionError;

    fn try_from(request: v1::TeamMemberRequest) -> Result<Self, ConversionError> {
        let v1::TeamMemberRequest {
            team,
            principal,
            options,
        } = request;
        Ok(Self {
            team: parse("team", &team)?,
            principal: parse("principal", &principal)?,
            write: options.try_into()?,
        })
    }
}

impl v1::Team {
    /// Teams of a tenant with their members, in the same order. Accounts are looked through once for all.
    pub fn with_members<'t>(tenant: &Tenant, teams: impl IntoIterator<Item = &'t Team>) -> Vec<Self> {
        let mut shown: Vec<Self> = teams.into_iter().map(Self::without_members).collect();
        for held in tenant.accounts() {
            let account = &held.account;
            for team in shown.iter_mut() {
                if account.teams.iter().any(|one| one.as_str() == team.name) {
                    team.members.push(account.principal.to_string());
                }
            }
        }
        shown
    }

    fn without_members(team: &Team) -> Self {
        let Team {
            name,
            profile: TeamProfile { description },
            created,
        } = team;
        Self {
            name: name.to_string(),
            description: text(description.as_ref()),
            members: Vec::new(),
            created_us: created.as_micros(),
        }
    }
}
