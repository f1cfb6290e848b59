//! The one fold of events into state. Control plane and edges use no other.

use std::sync::Arc;

use crate::{
    credential::Credential,
    event::{Event, UnknownEvent},
    id::{Id, Name, Principal},
    log::{BrokenChain, Origin, Position, Recorded},
    model::Provider,
    snapshot::{HeldAccount, HeldTeam, Snapshot, Tenant},
    tenant::{Account, Team, TeamProfile},
};

mod alert;
mod catalogue;
mod credential;
mod edge;
mod issuer;
mod limit;
mod request;
mod rights;
mod sink;

/// Why an event was not folded in. The snapshot is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// It is not the successor of what is folded in already.
    #[error(transparent)]
    Chain(#[from] BrokenChain),
    /// This build does not know it.
    #[error(transparent)]
    Unknown(#[from] UnknownEvent),
    /// It speaks of something that is not there, so the log or the snapshot is not what it should be.
    #[error("the event at position {position} speaks of a {what} that does not exist")]
    Inconsistent {
        /// Where.
        position: u64,
        /// Of what.
        what: &'static str,
    },
}

/// What an event speaks of is not there.
pub(crate) struct Missing(pub(crate) &'static str);

impl Snapshot {
    /// Folds one committed event in. One that is folded in already changes nothing.
    ///
    /// # Errors
    /// The snapshot is unchanged and must stay where it is until the right event comes.
    pub fn fold(&mut self, recorded: &Recorded) -> Result<(), FoldError> {
        if recorded.position <= self.head.position {
            return Ok(());
        }
        recorded.follows(self.head)?;
        let event = Event::decode(&recorded.kind, recorded.version, &recorded.payload)?;
        let mut next = self.clone();
        next.apply(&recorded.origin, recorded.position, event)
            .map_err(|Missing(what)| FoldError::Inconsistent {
                position: recorded.position.get(),
                what,
            })?;
        next.head = recorded.head();
        *self = next;
        Ok(())
    }

    fn apply(&mut self, origin: &Origin, position: Position, event: Event) -> Result<(), Missing> {
        match event {
            Event::PlatformBootstrapped {} => self.bootstrapped = true,
            Event::TenantCreated(settings) => {
                let tenant = Tenant::new(origin.tenant.clone(), settings, origin.time);
                self.tenants.insert(&origin.tenant, Arc::new(tenant));
            }
            Event::TenantDeleted {} => self.delete_tenant(&origin.tenant)?,
            Event::CredentialIssued(credential) => self.issue(origin, credential)?,
            Event::CredentialRotated { .. }
            | Event::CredentialSuspended { .. }
            | Event::CredentialResumed { .. }
            | Event::CredentialRevoked { .. }
            | Event::CredentialNarrowed { .. }
            | Event::CredentialWarned { .. }
            | Event::CredentialHandedOver { .. } => self.apply_to_credential(origin, event)?,
            Event::AlertRaised(_)
            | Event::AlertAcknowledged { .. }
            | Event::AlertSilenced { .. }
            | Event::AlertDestinationSet { .. }
            | Event::AlertRuleSet { .. }
            | Event::AlertRuleDeleted { .. }
            | Event::AlertDestinationDeleted { .. }
            | Event::AlertResolved { .. } => self.apply_to_alerts(origin, position, event)?,
            Event::AuditSinkSet { .. } | Event::AuditSinkDeleted { .. } => {
                self.tenant_mut(&origin.tenant)?.apply_to_sinks(position, event)?;
            }
            Event::IssuerCreated { .. }
            | Event::IssuerUpdated { .. }
            | Event::IssuerDeleted { .. }
            | Event::TokenRevoked { .. }
            | Event::TokenKeyAdded(_)
            | Event::TokenKeyRemoved { .. } => self.apply_to_issuers(origin, position, event)?,
            Event::EdgeInvited { .. }
            | Event::EdgeEnrolled { .. }
            | Event::EdgeRevoked { .. }
            | Event::EdgeDrained { .. }
            | Event::EdgeResumed { .. }
            | Event::EdgeForgotten { .. } => self.apply_to_edges(event)?,
            other => self.tenant_mut(&origin.tenant)?.apply(origin, other)?,
        }
        Ok(())
    }

    fn tenant_mut(&mut self, name: &Name) -> Result<&mut Tenant, Missing> {
        self.tenants.get_mut(name).ok_or(Missing("tenant"))
    }

    /// The many credentials of an account share one copy of its name, and those of a tenant one of the tenant's.
    fn issue(&mut self, origin: &Origin, mut credential: Credential) -> Result<(), Missing> {
        if credential.tenant != origin.tenant {
            return Err(Missing("tenant"));
        }
        let tenant = self.tenant_mut(&origin.tenant)?;
        credential.tenant = tenant.name.clone();
        credential.owner = tenant.change_account(&credential.owner, |held| {
            held.account.credentials.push(credential.id);
            held.account.principal.clone()
        })?;
        self.put_credential(credential).ok_or(Missing("tenant"))?;
        Ok(())
    }

    /// Of a decoy it is remembered that it told its tale.
    fn apply_to_alerts(&mut self, origin: &Origin, position: Position, event: Event) -> Result<(), Missing> {
        if let Event::AlertRaised(alert) = &event
            && let Some(id) = alert.credential
        {
            self.change_credential(origin, id, |held| {
                if let Some(decoy) = &mut held.decoy {
                    decoy.used = decoy.used.or(Some(origin.time));
                }
            })?;
        }
        self.tenant_mut(&origin.tenant)?
            .apply_to_alerts(origin, position, event)
    }

    fn delete_tenant(&mut self, name: &Name) -> Result<(), Missing> {
        let tenant = self.tenants.retire(name).ok_or(Missing("tenant"))?;
        for issuer in tenant.issuers.values() {
            self.unlist_issuer(name, issuer);
        }
        self.forget_offers_to(name);
        let held = tenant.accounts.values();
        for id in held
            .flat_map(|held| &held.account.credentials)
            .chain(tenant.retired.keys())
        {
            self.credentials.remove(*id);
        }
        Ok(())
    }

    fn change_credential(
        &mut self,
        origin: &Origin,
        id: Id,
        change: impl FnOnce(&mut Credential),
    ) -> Result<(), Missing> {
        let own = |whole: &Credential| whole.tenant == origin.tenant;
        match self.credentials.change(id, own, change) {
            true => Ok(()),
            false => Err(Missing("credential")),
        }
    }

    /// For [`crate::codec`] too: puts a credential in, whether or not its owner is still there. Tells whether it is new.
    pub(crate) fn put_credential(&mut self, credential: Credential) -> Option<bool> {
        let tenant_number = self.tenants.number(&credential.tenant)?;
        let known = self.tenants.at(tenant_number)?.accounts.number(&credential.owner);
        let owner = match known {
            Some(number) => number,
            None => {
                let tenant = self.tenants.get_mut(&credential.tenant)?;
                tenant.accounts.number_or_new(&credential.owner)
            }
        };
        self.credentials.insert(credential, tenant_number, owner)
    }
}

impl Tenant {
    fn apply(&mut self, origin: &Origin, event: Event) -> Result<(), Missing> {
        match event {
            Event::TenantUpdated(settings) => self.settings = settings,
            Event::TeamCreated { name, profile } => {
                let team = Team {
                    name: name.clone(),
                    profile,
                    created: origin.time,
                };
                let grants = Vec::new();
                self.teams.insert(&name, Arc::new(HeldTeam { team, grants }));
            }
            Event::TeamUpdated { name, profile } => self.update_team(&name, profile)?,
            Event::TeamDeleted { name } => self.delete_team(&name)?,
            Event::TeamMemberAdded { team, principal } => self.add_member(team, &principal)?,
            Event::TeamMemberRemoved { team, principal } => {
                self.leave_team(&principal, &team)?;
            }
            Event::AccountCreated { principal, profile } => {
                let (teams, credentials) = (Vec::new(), Vec::new());
                self.restore_account(Account {
                    principal,
                    profile,
                    teams,
                    credentials,
                    created: origin.time,
                });
            }
            Event::AccountUpdated { principal, profile } => {
                let known = profile.clone();
                let before = self.change_account(&principal, |held| {
                    std::mem::replace(&mut held.account.profile, profile)
                })?;
                self.forget_who(&principal, &before);
                self.learn_who(&principal, &known);
            }
            Event::AccountDeleted { principal } => self.delete_account(&principal)?,
            Event::RoleCreated(role) | Event::RoleUpdated(role) => self.set_role(role)?,
            Event::RoleDeleted { name } => {
                self.roles.remove(&name).ok_or(Missing("role"))?;
            }
            Event::GrantCreated(grant) => self.add_grant(origin, grant)?,
            Event::GrantUpdated(grant) => self.update_grant(grant)?,
            Event::GrantDeleted { id } => self.delete_grant(id)?,
            Event::AccessRequested(_)
            | Event::AccessApproved { .. }
            | Event::AccessRefused { .. }
            | Event::AccessWithdrawn { .. } => self.apply_to_requests(origin, event)?,
            Event::LimitCreated(_)
            | Event::LimitUpdated(_)
            | Event::LimitDeleted { .. }
            | Event::LimitSpent { .. } => self.apply_to_limits(event)?,
            catalogue => self.apply_to_catalogue(origin, catalogue)?,
        }
        Ok(())
    }

    fn delete_account(&mut self, principal: &Principal) -> Result<(), Missing> {
        let held = self.accounts.remove(principal).ok_or(Missing("account"))?;
        self.forget_who(principal, &held.account.profile);
        self.access_requests.remove(principal);
        for id in &held.account.credentials {
            self.retired.insert(*id, ());
        }
        Ok(())
    }

    fn change_account<T>(
        &mut self,
        principal: &Principal,
        change: impl FnOnce(&mut HeldAccount) -> T,
    ) -> Result<T, Missing> {
        self.accounts.change(principal, change).ok_or(Missing("account"))
    }

    fn add_member(&mut self, team: Name, member: &Principal) -> Result<(), Missing> {
        // The members of a team share one copy of its name.
        let team = self.teams.get(&team).map_or(team, |held| held.team.name.clone());
        let held = self.account(member).ok_or(Missing("account"))?;
        if held.account.teams.contains(&team) {
            return Ok(());
        }
        let mut teams = held.account.teams.clone();
        teams.push(team);
        self.set_teams(member, teams)
    }

    fn leave_team(&mut self, member: &Principal, team: &Name) -> Result<(), Missing> {
        let held = self.account(member).ok_or(Missing("account"))?;
        let mut teams = held.account.teams.clone();
        teams.retain(|one| one != team);
        self.set_teams(member, teams)
    }

    fn set_teams(&mut self, member: &Principal, teams: Vec<Name>) -> Result<(), Missing> {
        let numbers = &mut self.teams;
        self.accounts
            .change(member, |held| {
                held.set_teams(teams, |team| numbers.number_or_new(team));
            })
            .ok_or(Missing("account"))
    }

    fn update_team(&mut self, name: &Name, profile: TeamProfile) -> Result<(), Missing> {
        let updated = self.teams.change(name, |held| held.team.profile = profile);
        updated.ok_or(Missing("team"))
    }

    fn delete_team(&mut self, name: &Name) -> Result<(), Missing> {
        self.teams.remove(name).ok_or(Missing("team"))?;
        let members: Vec<Principal> = self
            .accounts
            .values()
            .filter(|held| held.account.teams.contains(name))
            .map(|held| held.account.principal.clone())
            .collect();
        for member in members {
            self.leave_team(&member, name)?;
        }
        Ok(())
    }

    /// For [`crate::codec`]: an account as it was held, before its grants are put in.
    pub(crate) fn restore_account(&mut self, mut account: Account) {
        for team in &mut account.teams {
            if let Some(held) = self.teams.get(team) {
                *team = held.team.name.clone();
            }
        }
        self.learn_who(&account.principal, &account.profile);
        let held = HeldAccount::new(account, |team| self.teams.number_or_new(team));
        let principal = held.account.principal.clone();
        self.accounts.insert(&principal, Arc::new(held));
    }

    pub(crate) fn set_provider(&mut self, provider: Provider) {
        self.providers.insert(provider.name.clone(), Arc::new(provider));
    }
}
