//! The narrower policy: without the grants that nobody used, and with roles that cover what was done.
//!
//! What lets a recorded request through stays as it is, or is narrowed around what was asked, and nothing is added: the
//! same requests, judged by the proposal, go as they do now. A grant that may change the administration, or whose use does not
//! show, is left to people.

use std::collections::BTreeMap;

use super::Review;
use crate::{
    grant::Subject,
    id::Name,
    pattern::Glob,
    policy::{GrantEntry, Policy},
    role::{self, Role},
    snapshot::{HeldGrant, Tenant},
};

/// The most numbers that are tried for a new role's name.
const NAMES: usize = 1_000;

/// A policy that is narrower, and what is different in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Proposal {
    /// Roles and grants alone; to be applied with pruning.
    pub policy: Policy,
    /// A sentence without an end for everything that is different, or was left to people.
    pub notes: Vec<String>,
}

impl Review {
    /// What would do for all that was looked at.
    pub fn propose(&self) -> Proposal {
        let Some(tenant) = self.held() else {
            return Proposal::default();
        };
        let own = tenant.roles().into_iter();
        let own = own.filter(|role| role::built_in(role.name.as_str()).is_none());
        let mut drafted = Drafted {
            tenant,
            roles: own.map(|role| Role::clone(&role)).collect(),
            made: BTreeMap::new(),
            notes: Vec::new(),
        };
        let grants = tenant.grants().into_iter();
        let kept = grants.filter_map(|held| self.kept(held, &mut drafted));
        let grants = Some(kept.collect());
        let Drafted { roles, notes, .. } = drafted;
        Proposal {
            policy: Policy {
                roles: Some(roles),
                grants,
                ..Policy::default()
            },
            notes,
        }
    }

    /// The entry of a grant in the proposal, if it has one.
    fn kept(&self, held: &HeldGrant, drafted: &mut Drafted<'_>) -> Option<GrantEntry> {
        let mut entry = GrantEntry::of(held);
        let named = format!("{} {} as {}", held.grant.id, held.grant.subject, held.grant.role);
        if self.is_unused(held) {
            if self.is_privileged(&held.role) {
                drafted.notes.push(format!(
                    "kept: {named}; nobody used it, but it may change the administration, and reading that leaves no record"
                ));
                return Some(entry);
            }
            drafted.notes.push(format!("left out: {named}; nobody used it"));
            return None;
        }
        let ended = held.grant.conditions.expires.is_some_and(|end| end <= self.now);
        if ended {
            return Some(entry);
        }
        let wider = self.wider(held);
        if let Some(role) = drafted.narrowed(held, &wider) {
            let was = wider.iter().map(|(pattern, _)| pattern.as_str());
            let was: Vec<&str> = was.collect();
            drafted.notes.push(format!(
                "narrowed: {named}, now as {role}; of {} only what was done",
                was.join(", ")
            ));
            entry.grant.role = role;
            // Of whoever has left nothing can be said anew.
            entry.grant.owner = entry.grant.owner.filter(|owner| is_there(drafted.tenant, owner));
        }
        Some(entry)
    }
}

fn is_there(tenant: &Tenant, owner: &Subject) -> bool {
    match owner {
        Subject::Principal(principal) => tenant.account(principal).is_some(),
        Subject::Team(team) => tenant.team(team.as_str()).is_some(),
        Subject::Group { .. } => false,
    }
}

/// Roles that are being made.
struct Drafted<'s> {
    tenant: &'s Tenant,
    roles: Vec<Role>,
    made: BTreeMap<(Name, Vec<Glob>), Name>,
    notes: Vec<String>,
}

impl Drafted<'_> {
    /// A role that covers what was done in the place of patterns that are wider, and else what the grant's role does.
    fn narrowed(&mut self, held: &HeldGrant, wider: &[(&Glob, Vec<Glob>)]) -> Option<Name> {
        if wider.is_empty() {
            return None;
        }
        let mut actions: Vec<Glob> = Vec::new();
        for pattern in &held.role.actions {
            let done = wider.iter().find(|(one, _)| *one == pattern);
            let these = done.map_or(std::slice::from_ref(pattern), |(_, used)| used);
            for action in these {
                if !actions.contains(action) {
                    actions.push(action.clone());
                }
            }
        }
        let key = (held.role.name.clone(), actions);
        if let Some(name) = self.made.get(&key) {
            return Some(name.clone());
        }
        let name = self.free_name(&held.role.name)?;
        self.roles.push(Role {
            name: name.clone(),
            actions: key.1.clone(),
            description: Some(format!("What was used of {}.", held.role.name).into()),
        });
        self.made.insert(key, name.clone());
        Some(name)
    }

    fn free_name(&self, base: &Name) -> Option<Name> {
        let taken = |name: &Name| {
            self.tenant.role(name.as_str()).is_some() || self.roles.iter().any(|role| role.name == *name)
        };
        let names = (1..=NAMES).filter_map(|number| format!("{base}-used-{number}").parse().ok());
        names.into_iter().find(|name| !taken(name))
    }
}
