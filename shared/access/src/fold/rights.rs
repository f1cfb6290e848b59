//! The part of the fold that is about roles and grants.

use std::sync::Arc;

use super::Missing;
use crate::{
    grant::{Grant, Subject},
    id::Id,
    log::Origin,
    role::Role,
    snapshot::{HeldGrant, Tenant},
};

impl Tenant {
    /// Grants hold their role looked up, so that a decision need not: a changed role is put into each.
    pub(super) fn set_role(&mut self, role: Role) -> Result<(), Missing> {
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

    pub(super) fn add_grant(&mut self, origin: &Origin, grant: Grant) -> Result<(), Missing> {
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
        self.change_grants_of(&held.grant.subject, |grants| {
            // The same order whether they came as events or out of a snapshot.
            match grants.binary_search_by_key(&(held.created, id), |one| (one.created, one.grant.id)) {
                Ok(place) => grants
                    .iter_mut()
                    .skip(place)
                    .take(1)
                    .for_each(|one| *one = held.clone()),
                Err(place) => grants.insert(place, held.clone()),
            }
        })?;
        self.grants.insert(id, held);
        Ok(())
    }

    /// It stays where it is among the grants of its subject, and stays whoever's it was that made it.
    pub(super) fn update_grant(&mut self, grant: Grant) -> Result<(), Missing> {
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

    pub(super) fn delete_grant(&mut self, id: Id) -> Result<(), Missing> {
        let held = self.grants.remove(&id).ok_or(Missing("grant"))?;
        self.change_grants_of(&held.grant.subject, |grants| {
            grants.retain(|one| one.grant.id != id);
        })
    }

    fn change_grants_of(
        &mut self,
        subject: &Subject,
        change: impl FnOnce(&mut Vec<Arc<HeldGrant>>),
    ) -> Result<(), Missing> {
        match subject {
            Subject::Principal(principal) => self.change_account(principal, |held| change(&mut held.grants)),
            Subject::Team(name) => {
                let changed = self.teams.change(name, |held| change(&mut held.grants));
                changed.ok_or(Missing("team"))
            }
            Subject::Group { issuer, value } => {
                let group = self.groups.get_or_default((issuer.clone(), value.clone()));
                change(Arc::make_mut(group.ok_or(Missing("group"))?));
                Ok(())
            }
        }
    }

    /// For [`crate::codec`]: a grant as it was held.
    pub(crate) fn restore_grant(&mut self, held: HeldGrant) -> Result<(), Missing> {
        self.put_grant(Arc::new(held))
    }
}
