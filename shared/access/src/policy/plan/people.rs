//! Teams, users and virtual accounts.

use std::collections::BTreeSet;

use super::{Draft, Phase, Verb, change};
use crate::{
    command::Command,
    id::Principal,
    policy::{AccountEntry, TeamEntry},
    snapshot::HeldAccount,
    tenant::AccountProfile,
};

impl Draft<'_, '_> {
    pub(super) fn people(&mut self) {
        let policy = self.wanted.policy;
        if let Some(teams) = &policy.teams {
            teams.iter().for_each(|team| self.team(team));
            self.teams_left_over(teams);
        }
        if let Some(users) = &policy.users {
            self.accounts(users, "user", Principal::User);
        }
        if let Some(accounts) = &policy.virtual_accounts {
            self.accounts(accounts, "virtual-account", Principal::VirtualAccount);
        }
    }

    fn team(&mut self, entry: &TeamEntry) {
        let TeamEntry {
            name,
            profile,
            members,
        } = entry;
        match self.tenant.team(name.as_str()) {
            None => {
                let command = Command::CreateTeam {
                    name: name.clone(),
                    profile: profile.clone(),
                };
                self.step(
                    Phase::Teams,
                    (Verb::Create, "team", name),
                    change::of(profile),
                    command,
                );
            }
            Some(held) if held.team.profile != *profile => {
                let from = held.team.profile.clone();
                let details = change::between(&from, profile);
                let command = Command::UpdateTeam {
                    name: name.clone(),
                    from,
                    to: profile.clone(),
                };
                self.step(Phase::Teams, (Verb::Update, "team", name), details, command);
            }
            Some(_) => {}
        }
        if let Some(members) = members {
            self.members(entry, members);
        }
    }

    fn members(&mut self, team: &TeamEntry, members: &[Principal]) {
        let name = &team.name;
        let is_member = |held: &HeldAccount| held.account.teams.contains(name);
        for principal in members {
            if self.tenant.account(principal).is_some_and(|held| is_member(held)) {
                continue;
            }
            let (team, principal) = (name.clone(), principal.clone());
            let of = format!("{principal} of team {team}");
            let command = Command::AddTeamMember { team, principal };
            self.step(Phase::Members, (Verb::Create, "member", of), Vec::new(), command);
        }
        let wanted: BTreeSet<&Principal> = members.iter().collect();
        let tenant = self.tenant;
        let others = tenant.accounts().into_iter().filter(|held| is_member(held));
        for held in others.filter(|held| !wanted.contains(&held.account.principal)) {
            let (team, principal) = (name.clone(), held.account.principal.clone());
            let of = format!("{principal} of team {team}");
            let command = Command::RemoveTeamMember { team, principal };
            self.left_over(Phase::MembersEnd, ("member", of), Vec::new(), command);
        }
    }

    fn teams_left_over(&mut self, teams: &[TeamEntry]) {
        let wanted: BTreeSet<_> = teams.iter().map(|entry| &entry.name).collect();
        let tenant = self.tenant;
        for held in tenant.teams() {
            let name = &held.team.name;
            if !wanted.contains(name) {
                let command = Command::DeleteTeam { name: name.clone() };
                let details = change::of(&held.team.profile);
                self.left_over(Phase::TeamsEnd, ("team", name), details, command);
            }
        }
    }

    fn accounts(
        &mut self,
        entries: &[AccountEntry],
        what: &'static str,
        kind: fn(crate::id::Name) -> Principal,
    ) {
        for AccountEntry { name, profile } in entries {
            self.account(kind(name.clone()), what, profile);
        }
        let wanted: BTreeSet<_> = entries.iter().map(|entry| &entry.name).collect();
        let tenant = self.tenant;
        for held in tenant.accounts() {
            let principal = &held.account.principal;
            if principal.kind() == what && !wanted.contains(principal.name()) {
                let command = Command::DeleteAccount {
                    principal: principal.clone(),
                };
                let details = change::of(&held.account.profile);
                self.left_over(Phase::AccountsEnd, (what, principal.name()), details, command);
            }
        }
    }

    fn account(&mut self, principal: Principal, what: &'static str, to: &AccountProfile) {
        let name = principal.name().clone();
        match self.tenant.account(&principal) {
            None => {
                let command = Command::CreateAccount {
                    principal,
                    profile: to.clone(),
                    teams: Vec::new(),
                };
                self.step(
                    Phase::Accounts,
                    (Verb::Create, what, name),
                    change::of(to),
                    command,
                );
            }
            Some(held) if held.account.profile != *to => {
                let from = held.account.profile.clone();
                let details = change::between(&from, to);
                let to = to.clone();
                let command = Command::UpdateAccount { principal, from, to };
                self.step(Phase::Accounts, (Verb::Update, what, name), details, command);
            }
            Some(_) => {}
        }
    }
}
