//! The one fold of events into state. Control plane and edges use no other.

use std::sync::Arc;

use crate::{
    credential::Credential,
    event::{Event, UnknownEvent},
    grant::{Grant, Subject},
    id::{Id, Name, Principal},
    log::{BrokenChain, Origin, Position, Recorded},
    model::Provider,
    role::Role,
    snapshot::{HeldAccount, HeldGrant, HeldTeam, Snapshot, Tenant},
    tenant::{Account, Team, TeamProfile},
};

mod catalogue;
mod credential;
mod issuer;

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
                self.tenants.insert(origin.tenant.clone(), Arc::new(tenant));
            }
            Event::TenantDeleted {} => self.delete_tenant(&origin.tenant)?,
            Event::CredentialIssued(credential) => self.issue(origin, credential)?,
            Event::CredentialRotated { .. }
            | Event::CredentialSuspended { .. }
            | Event::CredentialResumed { .. }
            | Event::CredentialRevoked { .. }
            | Event::CredentialNarrowed { .. }
            | Event::CredentialWarned { .. }
            | Event::AlertRaised(_) => self.apply_to_credential(origin, event)?,
            Event::IssuerCreated { .. }
            | Event::IssuerUpdated { .. }
            | Event::IssuerDeleted { .. }
            | Event::TokenRevoked { .. }
            | Event::TokenKeyAdded(_)
            | Event::TokenKeyRemoved { .. } => self.apply_to_issuers(origin, position, event)?,
            other => self.tenant_mut(&origin.tenant)?.apply(origin, other)?,
        }
        Ok(())
    }

    fn tenant_mut(&mut self, name: &Name) -> Result<&mut Tenant, Missing> {
        self.tenants
            .get_mut(name)
            .map(Arc::make_mut)
            .ok_or(Missing("tenant"))
    }

    /// The many credentials of an account share one copy of its name, and those of a tenant one of the tenant's.
    fn issue(&mut self, origin: &Origin, mut credential: Credential) -> Result<(), Missing> {
        if credential.tenant != origin.tenant {
            return Err(Missing("tenant"));
        }
        let tenant = self.tenant_mut(&origin.tenant)?;
        credential.tenant = tenant.name.clone();
        let held = tenant.account_mut(&credential.owner)?;
        credential.owner = held.account.principal.clone();
        held.account.credentials.push(credential.id);
        self.credentials.insert(credential.id, Arc::new(credential));
        Ok(())
    }

    fn delete_tenant(&mut self, name: &Name) -> Result<(), Missing> {
        let tenant = self.tenants.remove(name).ok_or(Missing("tenant"))?;
        for issuer in tenant.issuers.values() {
            self.unlist_issuer(name, issuer);
        }
        let held = tenant.accounts.values();
        for id in held
            .flat_map(|held| &held.account.credentials)
            .chain(tenant.retired.keys())
        {
            self.credentials.remove(id);
        }
        Ok(())
    }

    fn credential_mut(&mut self, origin: &Origin, id: Id) -> Result<&mut Credential, Missing> {
        let held = self
            .credentials
            .get_mut(&id)
            .filter(|held| held.tenant == origin.tenant);
        held.map(Arc::make_mut).ok_or(Missing("credential"))
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
                self.teams.insert(
                    name,
                    Arc::new(HeldTeam {
                        team,
                        grants: Vec::new(),
                    }),
                );
            }
            Event::TeamUpdated { name, profile } => self.update_team(&name, profile)?,
            Event::TeamDeleted { name } => self.delete_team(&name)?,
            Event::TeamMemberAdded { team, principal } => self.add_member(team, &principal)?,
            Event::TeamMemberRemoved { team, principal } => {
                self.account_mut(&principal)?
                    .account
                    .teams
                    .retain(|one| *one != team);
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
                let before = std::mem::replace(&mut self.account_mut(&principal)?.account.profile, profile);
                self.forget_who(&principal, &before);
                self.learn_who(&principal, &known);
            }
            Event::AccountDeleted { principal } => {
                let held = self.accounts.remove(&principal).ok_or(Missing("account"))?;
                self.forget_who(&principal, &held.account.profile);
                for id in &held.account.credentials {
                    self.retired.insert(*id, ());
                }
            }
            Event::RoleCreated(role) | Event::RoleUpdated(role) => self.set_role(role)?,
            Event::RoleDeleted { name } => {
                self.roles.remove(&name).ok_or(Missing("role"))?;
            }
            Event::GrantCreated(grant) => self.add_grant(origin, grant)?,
            Event::GrantUpdated(grant) => self.update_grant(grant)?,
            Event::GrantDeleted { id } => self.delete_grant(id)?,
            catalogue => self.apply_to_catalogue(origin, catalogue)?,
        }
        Ok(())
    }

    pub(crate) fn account_mut(&mut self, principal: &Principal) -> Result<&mut HeldAccount, Missing> {
        self.accounts
            .get_mut(principal)
            .map(Arc::make_mut)
            .ok_or(Missing("account"))
    }

    fn add_member(&mut self, team: Name, member: &Principal) -> Result<(), Missing> {
        // The members of a team share one copy of its name.
        let team = self.teams.get(&team).map_or(team, |held| held.team.name.clone());
        let teams = &mut self.account_mut(member)?.account.teams;
        if !teams.contains(&team) {
            teams.push(team);
        }
        Ok(())
    }

    fn update_team(&mut self, name: &Name, profile: TeamProfile) -> Result<(), Missing> {
        let held = self.teams.get_mut(name).map(Arc::make_mut);
        held.ok_or(Missing("team"))?.team.profile = profile;
        Ok(())
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
            self.account_mut(&member)?.account.teams.retain(|one| one != name);
        }
        Ok(())
    }

    /// Grants hold their role looked up, so that a decision need not: a changed role is put into each.
    fn set_role(&mut self, role: Role) -> Result<(), Missing> {
        let role = Arc::new(role);
        self.roles.insert(role.name.clone(), role.clone());
        let affected: Vec<_> = self
            .grants
            .values()
            .filter(|held| held.grant.role == role.name)
            .cloned()
            .collect();
        for held in affected {
            self.put_grant(Arc::new(HeldGrant {
                role: role.clone(),
                ..HeldGrant::clone(&held)
            }))?;
        }
        Ok(())
    }

    fn add_grant(&mut self, origin: &Origin, grant: Grant) -> Result<(), Missing> {
        let role = self.role(grant.role.as_str()).ok_or(Missing("role"))?;
        let (created, created_by) = (origin.time, origin.actor.clone());
        self.put_grant(Arc::new(HeldGrant {
            grant,
            role,
            created,
            created_by,
        }))
    }

    /// Puts a grant in, in the place of the one with the same id or after the others of its subject.
    fn put_grant(&mut self, held: Arc<HeldGrant>) -> Result<(), Missing> {
        let id = held.grant.id;
        let grants = self.grants_of_mut(&held.grant.subject)?;
        // The same order whether they came as events or out of a snapshot.
        match grants.binary_search_by_key(&(held.created, id), |one| (one.created, one.grant.id)) {
            Ok(place) => grants
                .iter_mut()
                .skip(place)
                .take(1)
                .for_each(|one| *one = held.clone()),
            Err(place) => grants.insert(place, held.clone()),
        }
        self.grants.insert(id, held);
        Ok(())
    }

    /// It stays where it is among the grants of its subject, and stays whoever's it was that made it.
    fn update_grant(&mut self, grant: Grant) -> Result<(), Missing> {
        let role = self.role(grant.role.as_str()).ok_or(Missing("role"))?;
        let held = self.grants.get(&grant.id).cloned().ok_or(Missing("grant"))?;
        if held.grant.subject != grant.subject {
            self.delete_grant(grant.id)?;
        }
        self.put_grant(Arc::new(HeldGrant {
            grant,
            role,
            created: held.created,
            created_by: held.created_by.clone(),
        }))
    }

    fn delete_grant(&mut self, id: Id) -> Result<(), Missing> {
        let held = self.grants.remove(&id).ok_or(Missing("grant"))?;
        self.grants_of_mut(&held.grant.subject)?
            .retain(|one| one.grant.id != id);
        Ok(())
    }

    fn grants_of_mut(&mut self, subject: &Subject) -> Result<&mut Vec<Arc<HeldGrant>>, Missing> {
        match subject {
            Subject::Principal(principal) => Ok(&mut self.account_mut(principal)?.grants),
            Subject::Team(name) => {
                let team = self
                    .teams
                    .get_mut(name)
                    .map(Arc::make_mut)
                    .ok_or(Missing("team"))?;
                Ok(&mut team.grants)
            }
            Subject::Group { issuer, value } => {
                let group = self.groups.get_or_default((issuer.clone(), value.clone()));
                group.map(Arc::make_mut).ok_or(Missing("group"))
            }
        }
    }

    /// For [`crate::codec`]: an account as it was held, before its grants are put in.
    pub(crate) fn restore_account(&mut self, mut account: Account) {
        for team in &mut account.teams {
            if let Some(held) = self.teams.get(team) {
                *team = held.team.name.clone();
            }
        }
        self.learn_who(&account.principal, &account.profile);
        self.accounts.insert(
            account.principal.clone(),
            Arc::new(HeldAccount {
                account,
                grants: Vec::new(),
            }),
        );
    }

    /// For [`crate::codec`]: a grant as it was held.
    pub(crate) fn restore_grant(&mut self, held: HeldGrant) -> Result<(), Missing> {
        self.put_grant(Arc::new(held))
    }

    pub(crate) fn set_provider(&mut self, provider: Provider) {
        self.providers.insert(provider.name.clone(), Arc::new(provider));
    }
}
