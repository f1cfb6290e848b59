//! Lists of effective access: all who may do something, and all that somebody may do.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    grant::{Effect, Subject},
    id::{Name, Timestamp},
    pattern::{Resource, ResourcePattern},
    resolve,
    snapshot::{Group, HeldAccount, HeldGrant, Snapshot, Tenant},
};

use super::{Access, Asked, Effective};

/// An action of the administration, and the type of thing that it is done to.
pub type AccountAction<'a> = (&'a str, &'a str);

/// Some actions that somebody may do to something, all by the same grants.
#[derive(Debug, Clone)]
pub struct Row<'s, 'a> {
    /// Who: an account, or the tokens that carry a group.
    pub subject: Subject,
    /// `model`, `team` …
    pub kind: &'a str,
    /// Its name; `*` for all of that type, `PROVIDER/*` for what an open catalogue does not list.
    pub name: String,
    /// What.
    pub actions: Vec<&'a str>,
    /// By which grants, under which conditions.
    pub access: Access<'s>,
}

/// Whom a list is about.
#[derive(Clone, Copy)]
enum Holder<'s> {
    Account(&'s HeldAccount),
    Group(&'s Group),
}

impl<'s> Holder<'s> {
    fn subject(self) -> Subject {
        match self {
            Self::Account(held) => Subject::Principal(held.account.principal.clone()),
            Self::Group(group) => group.into(),
        }
    }

    fn access(self, effective: &Effective<'s>, asked: &Asked<'_>) -> Option<Access<'s>> {
        match self {
            Self::Account(held) => effective.account(held, asked),
            Self::Group(group) => effective.group(group, asked),
        }
    }

    /// The rows of one resource.
    fn rows<'a>(
        self,
        effective: &Effective<'s>,
        actions: &[&'a str],
        (kind, resource): (&'a str, Resource<'_>),
        now: Timestamp,
    ) -> Vec<Row<'s, 'a>> {
        let mut rows: Vec<Row<'s, 'a>> = Vec::new();
        for action in actions.iter().copied() {
            let asked = Asked {
                action,
                resource,
                now,
            };
            let Some(access) = self.access(effective, &asked) else {
                continue;
            };
            match rows.iter_mut().find(|row| row.access.is_like(&access)) {
                Some(row) => row.actions.push(action),
                None => rows.push(Row {
                    subject: self.subject(),
                    kind,
                    name: resource.name.to_owned(),
                    actions: vec![action],
                    access,
                }),
            }
        }
        rows
    }
}

/// Who may do some of these actions to a resource: accounts and then groups, in order, after one of them, and at most so
/// many of them. Also who the last one was, where there may be more.
pub fn who<'s, 'a>(
    tenant: &'s Tenant,
    actions: &[&'a str],
    resource: (&'a str, Resource<'_>),
    now: Timestamp,
    (after, limit): (Option<&Subject>, usize),
) -> (Vec<Row<'s, 'a>>, Option<Subject>) {
    let effective = Effective::of(tenant);
    let accounts = Waiting::after(tenant, after, limit);
    let groups = groups(tenant).into_iter().map(Holder::Group);
    let groups = groups.filter(|group| after.is_none_or(|after| group.subject() > *after));
    let holders = accounts.map(Holder::Account).chain(groups);
    let (mut rows, mut found) = (Vec::new(), 0);
    for holder in holders {
        let of_holder = holder.rows(&effective, actions, resource, now);
        if !of_holder.is_empty() {
            found += 1;
            rows.extend(of_holder);
        }
        if found >= limit {
            return (rows, Some(holder.subject()));
        }
    }
    (rows, None)
}

/// To whom it is granted to do something, in order: accounts, teams and groups as the grants name them. Looks at grants alone, and
/// not at the accounts, of which there may be a million.
pub fn granted(tenant: &Tenant, action: &str, resource: Resource<'_>, now: Timestamp) -> Vec<Subject> {
    let effective = Effective::of(tenant);
    let asked = Asked {
        action,
        resource,
        now,
    };
    let gives = |held: &&Arc<HeldGrant>| held.grant.effect == Effect::Allow && held.role.covers(action);
    let named: BTreeSet<&Subject> = tenant
        .grants
        .values()
        .filter(gives)
        .map(|held| &held.grant.subject)
        .collect();
    let has = |subject: &&&Subject| match subject {
        Subject::Principal(principal) => {
            let held = tenant.account(principal);
            held.is_some_and(|held| effective.account(held, &asked).is_some())
        }
        Subject::Team(name) => {
            let held = tenant.team(name.as_str());
            held.is_some_and(|held| effective.team(held, &asked).is_some())
        }
        Subject::Group { issuer, value } => {
            let group = group(tenant, issuer, value);
            group.is_some_and(|group| effective.group(group, &asked).is_some())
        }
    };
    named
        .iter()
        .filter(has)
        .map(|subject| (*subject).clone())
        .collect()
}

/// The fewest accounts that are put in order at once.
const AT_ONCE: usize = 256;

/// The accounts of a tenant in order, of which only as many are sorted as are asked for: of a million, a page sorts a few.
struct Waiting<'s> {
    /// In order, the next one last.
    next: Vec<&'s HeldAccount>,
    /// All of them after those, in no order.
    rest: Vec<&'s HeldAccount>,
    at_once: usize,
}

impl<'s> Waiting<'s> {
    fn after(tenant: &'s Tenant, after: Option<&Subject>, at_once: usize) -> Self {
        let comes = |held: &&HeldAccount| match after {
            None => true,
            Some(Subject::Principal(after)) => held.account.principal > *after,
            // Teams and groups come after all accounts.
            Some(Subject::Team(_) | Subject::Group { .. }) => false,
        };
        Self {
            next: Vec::new(),
            rest: tenant
                .accounts
                .values()
                .map(AsRef::as_ref)
                .filter(comes)
                .collect(),
            at_once: at_once.max(AT_ONCE),
        }
    }
}

impl<'s> Iterator for Waiting<'s> {
    type Item = &'s HeldAccount;

    fn next(&mut self) -> Option<&'s HeldAccount> {
        if self.next.is_empty() {
            // The first of them to the end, whence they are taken off.
            let descending = |one: &&HeldAccount, other: &&HeldAccount| {
                other.account.principal.cmp(&one.account.principal)
            };
            let kept = self.rest.len().saturating_sub(self.at_once);
            if kept > 0 {
                self.rest.select_nth_unstable_by(kept, descending);
            }
            self.next = self.rest.split_off(kept);
            self.next.sort_unstable_by(descending);
            // Whoever gets this far looks for few among many.
            self.at_once = self.at_once.saturating_mul(2);
        }
        self.next.pop()
    }
}

/// What a subject may do: with every model of the catalogue, the tenant's own and those that are offered, with what open
/// catalogues do not list, and in administration. `None` where there is no such subject; teams are none, since it is their
/// members who act.
pub fn what<'s, 'a>(
    snapshot: &'s Snapshot,
    tenant: &'s Tenant,
    subject: &Subject,
    inference: &[&'a str],
    administration: &[AccountAction<'a>],
    now: Timestamp,
) -> Option<Vec<Row<'s, 'a>>> {
    let holder = match subject {
        Subject::Principal(principal) => Holder::Account(tenant.account(principal)?),
        Subject::Group { issuer, value } => Holder::Group(group(tenant, issuer, value)?),
        Subject::Team(_) => return None,
    };
    let effective = Effective::of(tenant);
    let mut rows = Vec::new();
    for model in resolve::listed(snapshot, tenant).chain(resolve::unlisted(snapshot, tenant)) {
        rows.extend(holder.rows(&effective, inference, ("model", model.resource()), now));
    }
    let mut kinds: Vec<&'a str> = administration.iter().map(|(_, kind)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of_kind = administration.iter().filter(|(_, one)| *one == kind);
        let actions: Vec<&'a str> = of_kind.map(|(action, _)| *action).collect();
        for name in names(tenant, kind) {
            let resource = Resource::named(kind, &name);
            rows.extend(holder.rows(&effective, &actions, (kind, resource), now));
        }
    }
    Some(rows)
}

fn group<'s>(tenant: &'s Tenant, issuer: &Name, value: &str) -> Option<&'s Group> {
    let mut groups = tenant.groups.keys();
    groups.find(|(one, other)| one == issuer && **other == *value)
}

/// Groups that something is granted to, in order.
fn groups(tenant: &Tenant) -> Vec<&Group> {
    let granted = tenant.groups.iter().filter(|(_, grants)| !grants.is_empty());
    let mut groups: Vec<&Group> = granted.map(|(group, _)| group).collect();
    groups.sort();
    groups
}

/// Every thing of a type, and those that grants speak of by name.
fn names(tenant: &Tenant, kind: &str) -> Vec<String> {
    let of_kind = |one: &&ResourcePattern| one.kind.as_str() == kind && one.name.as_str() != "*";
    let grants = tenant.grants.values();
    let patterns = grants.flat_map(|held| held.grant.selector.resources.iter().filter(of_kind));
    let mut names: Vec<String> = patterns.map(|one| one.name.to_string()).collect();
    names.push("*".to_owned());
    names.sort_unstable();
    names.dedup();
    names
}
