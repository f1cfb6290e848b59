//! Roles and grants.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Draft, Phase, Verb, Wanted, change};
use crate::{
    command::Command,
    grant::{Grant, Subject},
    id::{Id, Name, Principal},
    ledger::Refusal,
    policy::{AccountEntry, GrantEntry, IssuerEntry, check::said},
    request::Outcome,
    role::{self, Role},
    snapshot::HeldGrant,
};

impl Draft<'_, '_> {
    pub(super) fn rights(&mut self) -> Result<(), Refusal> {
        let policy = self.wanted.policy;
        if let Some(roles) = &policy.roles {
            roles.iter().for_each(|role| self.role(role));
            self.roles_left_over(roles);
        }
        if let Some(grants) = &policy.grants {
            if let Some(entry) = grants.iter().find(|entry| self.is_ended(&entry.grant.subject)) {
                return Err(Refusal::NotNow(format!(
                    "the grant {} stays, but whom it is for is not in the file and would be deleted",
                    named(&entry.grant)
                )));
            }
            self.grants(grants);
        }
        Ok(())
    }

    /// Whether it goes, and everything that is granted to it.
    pub(super) fn is_ended(&self, subject: &Subject) -> bool {
        let Wanted { policy, prune, .. } = self.wanted;
        let absent = |entries: &Option<Vec<AccountEntry>>, name: &Name| {
            let named = |entries: &Vec<AccountEntry>| !entries.iter().any(|entry| entry.name == *name);
            entries.as_ref().is_some_and(named)
        };
        prune
            && match subject {
                Subject::Principal(Principal::User(name)) => absent(&policy.users, name),
                Subject::Principal(Principal::VirtualAccount(name)) => absent(&policy.virtual_accounts, name),
                Subject::Team(name) => {
                    let teams = policy.teams.as_ref();
                    teams.is_some_and(|teams| !teams.iter().any(|entry| entry.name == *name))
                }
                Subject::Group { issuer, .. } => {
                    let issuers = policy.issuers.as_ref();
                    let gone = |all: &Vec<IssuerEntry>| !all.iter().any(|entry| entry.name == *issuer);
                    self.tenant.issuer(issuer.as_str()).is_some() && issuers.is_some_and(gone)
                }
            }
    }

    fn role(&mut self, to: &Role) {
        let (name, to) = (to.name.clone(), to.clone());
        match self.tenant.role(name.as_str()) {
            None => {
                let details = change::of(&to);
                self.step(
                    Phase::Roles,
                    (Verb::Create, "role", name),
                    details,
                    Command::CreateRole(to),
                );
            }
            Some(held) if *held != to => {
                let from = Role::clone(&held);
                let details = change::between(&from, &to);
                self.step(
                    Phase::Roles,
                    (Verb::Update, "role", name),
                    details,
                    Command::UpdateRole { from, to },
                );
            }
            Some(_) => {}
        }
    }

    fn roles_left_over(&mut self, roles: &[Role]) {
        let wanted: BTreeSet<_> = roles.iter().map(|role| &role.name).collect();
        let own = self.tenant.roles().into_iter();
        let own = own.filter(|role| role::built_in(role.name.as_str()).is_none());
        for held in own.filter(|role| !wanted.contains(&role.name)) {
            let command = Command::DeleteRole {
                name: held.name.clone(),
            };
            self.left_over(Phase::RolesEnd, ("role", &held.name), change::of(&held), command);
        }
    }

    /// Those with an id are that grant, whatever it says now; each of the others is one that says the same, if there is.
    fn grants(&mut self, entries: &[GrantEntry]) {
        let tenant = self.tenant;
        let by_id = entries.iter().filter_map(|entry| entry.id);
        let mut claimed: BTreeSet<Id> = by_id.collect();
        let held = tenant.grants();
        let mut unclaimed = by_content(&held, &claimed);
        for entry in entries {
            let to = |id| Grant {
                id,
                ..entry.grant.clone()
            };
            match entry.id.map(|id| (id, tenant.grant(id))) {
                Some((id, Some(held))) if held.grant != to(id) => {
                    let (from, to) = (Box::new(held.grant.clone()), Box::new(to(id)));
                    let details = change::between(&from, &to);
                    let name = format!("{id} {}", named(&from));
                    self.step(
                        Phase::Grants,
                        (Verb::Update, "grant", name),
                        details,
                        Command::UpdateGrant { from, to },
                    );
                }
                Some((_, Some(_))) => {}
                Some((id, None)) => self.create(to(id)),
                None => match unclaimed.get_mut(&content(&entry.grant)).and_then(Vec::pop) {
                    Some(found) => {
                        claimed.insert(found);
                    }
                    None => {
                        let id = (self.ids)();
                        self.create(to(id));
                    }
                },
            }
        }
        let approved = self.approved();
        for held in held.iter().filter(|held| !claimed.contains(&held.grant.id)) {
            let id = held.grant.id;
            let name = format!("{id} {}", named(&held.grant));
            if self.wanted.prune && !self.wanted.prune_approved && approved.contains(&id) {
                self.notes.push(format!(
                    "the grant {name} is kept: it was approved for some time; --prune-approved deletes it"
                ));
                continue;
            }
            let command = Command::DeleteGrant { id };
            self.left_over(Phase::GrantsEnd, ("grant", name), told(&held.grant), command);
        }
    }

    /// The grants that somebody was approved, as far as they have not ended.
    fn approved(&self) -> BTreeSet<Id> {
        let requests = self.tenant.access_requests().into_iter();
        let outcomes = requests.filter_map(|held| held.decided.as_ref().map(|decided| &decided.outcome));
        let lasting = outcomes.filter_map(|outcome| match outcome {
            Outcome::Approved { grant, expires } => (self.now < *expires).then_some(*grant),
            Outcome::Refused | Outcome::Withdrawn => None,
        });
        lasting.collect()
    }

    fn create(&mut self, grant: Grant) {
        let name = named(&grant);
        if grant.conditions.expires.is_some_and(|end| end <= self.now) {
            self.notes
                .push(format!("the grant {name} has expired, and is not made"));
            return;
        }
        let details = told(&grant);
        self.step(
            Phase::Grants,
            (Verb::Create, "grant", name),
            details,
            Command::CreateGrant(grant),
        );
    }
}

/// What a grant says, whatever its id.
fn content(grant: &Grant) -> String {
    let id = Id::from_random(0);
    said(&Grant { id, ..grant.clone() })
}

/// The grants that no entry names by its id.
fn by_content(held: &[&Arc<HeldGrant>], claimed: &BTreeSet<Id>) -> HashMap<String, Vec<Id>> {
    let mut all: HashMap<String, Vec<Id>> = HashMap::new();
    let free = held.iter().map(|held| &held.grant);
    for grant in free.filter(|grant| !claimed.contains(&grant.id)) {
        all.entry(content(grant)).or_default().push(grant.id);
    }
    all
}

fn named(grant: &Grant) -> String {
    format!("{} as {}", grant.subject, grant.role)
}

fn told(grant: &Grant) -> Vec<String> {
    let all = change::of(grant).into_iter();
    all.filter(|field| !field.starts_with("id: ")).collect()
}
