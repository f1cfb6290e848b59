//! The part of the fold that is about issuers, dead tokens, and who an account is at an issuer.

use std::sync::Arc;

use super::Missing;
use crate::{
    event::Event,
    id::{Name, Principal},
    issuer::{Issuer, Revocations},
    log::{Origin, Position},
    snapshot::{Snapshot, Tenant},
    table::Table,
    tenant::AccountProfile,
};

impl Snapshot {
    pub(super) fn apply_to_issuers(
        &mut self,
        origin: &Origin,
        revision: Position,
        event: Event,
    ) -> Result<(), Missing> {
        match event {
            Event::IssuerCreated { name, profile } => self.set_issuer(
                &origin.tenant,
                Issuer {
                    name,
                    profile,
                    created: origin.time,
                    revision,
                },
            )?,
            Event::IssuerUpdated { name, profile } => {
                let created = self.remove_issuer(&origin.tenant, &name)?.created;
                let issuer = Issuer {
                    name,
                    profile,
                    created,
                    revision,
                };
                self.set_issuer(&origin.tenant, issuer)?;
            }
            Event::IssuerDeleted { name } => {
                self.remove_issuer(&origin.tenant, &name)?;
            }
            Event::TokenRevoked { issuer, tokens, .. } => {
                let all = &mut self.tenant_mut(&origin.tenant)?.revocations;
                let mut held = all
                    .get(&issuer)
                    .map_or_else(Revocations::default, |held| Revocations::clone(held));
                held.add(tokens, origin.time);
                all.insert(issuer, Arc::new(held));
            }
            Event::TokenKeyAdded(key) => Arc::make_mut(&mut self.token_keys).push(key),
            Event::TokenKeyRemoved { id } => Arc::make_mut(&mut self.token_keys).retain(|key| key.id != id),
            _ => return Err(Missing("issuer")),
        }
        Ok(())
    }

    /// For [`crate::codec`] too: puts an issuer in, and under its URL.
    pub(crate) fn set_issuer(&mut self, tenant: &Name, issuer: Issuer) -> Result<(), Missing> {
        self.list_issuer(tenant, &issuer);
        let issuers = &mut self.tenant_mut(tenant)?.issuers;
        issuers.insert(issuer.name.clone(), Arc::new(issuer));
        Ok(())
    }

    pub(crate) fn list_issuer(&mut self, tenant: &Name, issuer: &Issuer) {
        let url = &issuer.profile.url;
        let mut listed = self.issuers.get(url).map_or_else(Vec::new, |all| Vec::clone(all));
        listed.push((tenant.clone(), issuer.name.clone()));
        // The same order however it came about.
        listed.sort();
        self.issuers.insert(url.clone(), Arc::new(listed));
    }

    pub(super) fn unlist_issuer(&mut self, tenant: &Name, issuer: &Issuer) {
        let url = &issuer.profile.url;
        let Some(listed) = self.issuers.get(url) else {
            return;
        };
        let mut listed = Vec::clone(listed);
        listed.retain(|(of, name)| (of, name) != (tenant, &issuer.name));
        if listed.is_empty() {
            self.issuers.remove(url);
        } else {
            self.issuers.insert(url.clone(), Arc::new(listed));
        }
    }

    fn remove_issuer(&mut self, tenant: &Name, name: &Name) -> Result<Arc<Issuer>, Missing> {
        let removed = self.tenant_mut(tenant)?.issuers.remove(name);
        let removed = removed.ok_or(Missing("issuer"))?;
        self.unlist_issuer(tenant, &removed);
        Ok(removed)
    }
}

impl Tenant {
    pub(super) fn learn_who(&mut self, principal: &Principal, profile: &AccountProfile) {
        if let (Principal::User(_), Some(email)) = (principal, &profile.email) {
            enter(&mut self.emails, Arc::from(email.to_lowercase()), principal);
        }
        for subject in &profile.subjects {
            enter(&mut self.subjects, subject.clone(), principal);
        }
    }

    pub(super) fn forget_who(&mut self, principal: &Principal, profile: &AccountProfile) {
        if let Some(email) = &profile.email {
            strike(&mut self.emails, &email.to_lowercase(), principal);
        }
        for subject in &profile.subjects {
            strike(&mut self.subjects, subject, principal);
        }
    }
}

type Index = Table<Arc<str>, Arc<Vec<Principal>>>;

fn enter(index: &mut Index, key: Arc<str>, principal: &Principal) {
    let mut all = index.get(&key).map_or_else(Vec::new, |all| Vec::clone(all));
    if !all.contains(principal) {
        all.push(principal.clone());
        // The same order however it came about.
        all.sort();
        index.insert(key, Arc::new(all));
    }
}

fn strike(index: &mut Index, key: &str, principal: &Principal) {
    let Some(all) = index.get(key) else { return };
    let mut all = Vec::clone(all);
    all.retain(|one| one != principal);
    if all.is_empty() {
        index.remove(key);
    } else {
        index.insert(Arc::from(key), Arc::new(all));
    }
}
