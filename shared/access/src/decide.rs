//! The decision: may this caller do this to that, now? The only function that answers it.
//!
//! The edge enforces with it, the admin API is guarded by it, and explain, check and the list of models call it.

use std::sync::Arc;

use crate::{
    authenticate::Caller,
    credential::{Credential, Scope},
    grant::{Circumstances, ConditionMismatch, Effect, in_networks},
    id::{Id, Name},
    log::Position,
    pattern::{Glob, Resource, SelectorMismatch},
    snapshot::{HeldGrant, HeldTeam, Snapshot},
};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// A dotted verb: `inference.chat`.
    pub action: &'a str,
    /// What it is done to.
    pub resource: Resource<'a>,
    /// When, from where, and how the caller proved who it is.
    pub circumstances: Circumstances<'a>,
}

/// Why a decision is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A grant allows it, and none denies it.
    Granted,
    /// No grant allows it.
    NoGrant,
    /// A grant denies it.
    DeniedByGrant,
    /// A grant allows it, and the budget is spent.
    OverBudget,
    /// The credential is narrowed to other models.
    ScopeModel,
    /// The credential is narrowed to other actions.
    ScopeAction,
    /// The credential is narrowed to other environments.
    ScopeEnvironment,
    /// The credential is narrowed to other networks.
    ScopeNetwork,
}

impl Reason {
    /// One word for machines, as in audit records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::NoGrant => "no_grant",
            Self::DeniedByGrant => "denied_by_grant",
            Self::OverBudget => "over_budget",
            Self::ScopeModel => "scope_model",
            Self::ScopeAction => "scope_action",
            Self::ScopeEnvironment => "scope_environment",
            Self::ScopeNetwork => "scope_network",
        }
    }

    /// A sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Granted => "a grant allows it and none denies it",
            Self::NoGrant => "no grant allows it",
            Self::DeniedByGrant => "a grant denies it",
            Self::OverBudget => "a grant allows it, and the budget is spent",
            Self::ScopeModel => "the credential is narrowed to other models",
            Self::ScopeAction => "the credential is narrowed to other actions",
            Self::ScopeEnvironment => "the credential is narrowed to other environments",
            Self::ScopeNetwork => "the credential is narrowed to other networks",
        }
    }
}

/// The answer, and what made it.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'s> {
    /// Why; [`Reason::Granted`] is the only yes.
    pub reason: Reason,
    /// The grant that decided: the one that denies, else the first that allows.
    pub grant: Option<&'s HeldGrant>,
    /// The position of the snapshot that was looked at.
    pub position: Position,
}

impl Decision<'_> {
    /// Whether the answer is yes.
    pub fn allowed(&self) -> bool {
        self.reason == Reason::Granted
    }

    /// The id of the grant that decided.
    pub fn grant_id(&self) -> Option<Id> {
        self.grant.map(|held| held.grant.id)
    }
}

/// The first part of a grant that a request fails, in the order in which they are examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The role does not cover the action.
    Role,
    /// The selector does not cover the resource.
    Selector(SelectorMismatch),
    /// A condition does not hold.
    Condition(ConditionMismatch),
}

/// Decides. Nothing configured means no; a matching deny wins over every allow; a credential's scope only narrows.
pub fn decide<'s>(snapshot: &'s Snapshot, caller: &Caller<'s>, request: &Request<'_>) -> Decision<'s> {
    conclude(snapshot, caller, request, candidates(caller), |held| {
        examine(held, caller, request).is_ok()
    })
}

/// Decides by those of the grants that match. Callers may have left out what can't match.
fn conclude<'s>(
    snapshot: &'s Snapshot,
    caller: &Caller<'s>,
    request: &Request<'_>,
    grants: impl Iterator<Item = &'s HeldGrant>,
    matches: impl Fn(&HeldGrant) -> bool,
) -> Decision<'s> {
    let position = snapshot.position();
    let mut allowed_by = None;
    for held in grants {
        if allowed_by.is_some() && held.grant.effect == Effect::Allow {
            continue;
        }
        if !matches(held) {
            continue;
        }
        match held.grant.effect {
            Effect::Allow => allowed_by = Some(held),
            Effect::Deny => {
                return Decision {
                    reason: Reason::DeniedByGrant,
                    grant: Some(held),
                    position,
                };
            }
        }
    }
    let reason = match allowed_by {
        None => Reason::NoGrant,
        Some(_) => scopes(caller)
            .find_map(|scope| outside_scope(scope, request))
            .unwrap_or(Reason::Granted),
    };
    Decision {
        reason,
        grant: allowed_by,
        position,
    }
}

/// One action of one caller, to be decided about many resources: what does not depend on the resource is examined
/// once.
#[derive(Debug, Clone)]
pub(crate) struct Standing<'s, 'a> {
    action: &'a str,
    circumstances: Circumstances<'a>,
    grants: Vec<&'s HeldGrant>,
}

impl<'s, 'a> Standing<'s, 'a> {
    pub(crate) fn of(caller: &Caller<'s>, action: &'a str, circumstances: Circumstances<'a>) -> Self {
        let counts = |held: &&HeldGrant| {
            held.role.covers(action) && held.grant.conditions.hold(&circumstances).is_ok()
        };
        Self {
            action,
            circumstances,
            grants: candidates(caller).filter(counts).collect(),
        }
    }

    /// The grants that count.
    pub(crate) fn grants(&self) -> &[&'s HeldGrant] {
        &self.grants
    }

    /// With those of the grants alone that may match what it is asked about then.
    pub(crate) fn only(&self, may_match: impl Fn(usize) -> bool) -> Self {
        let numbered = self.grants.iter().enumerate();
        let left = numbered.filter(|(number, _)| may_match(*number));
        Self {
            grants: left.map(|(_, held)| *held).collect(),
            ..*self
        }
    }

    /// Whether nothing can be allowed.
    pub(crate) fn is_hopeless(&self, caller: &Caller<'s>) -> bool {
        let outside = scopes(caller).any(|scope| !permits(scope, self.action));
        outside || !self.grants.iter().any(|held| held.grant.effect == Effect::Allow)
    }

    /// Whether the other, neither being hopeless, allows what this one allows.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = |(one, other): (&&HeldGrant, &&HeldGrant)| std::ptr::eq(*one, *other);
        self.grants.len() == other.grants.len() && self.grants.iter().zip(&other.grants).all(same)
    }

    /// What [`decide`] says.
    pub(crate) fn decide(
        &self,
        snapshot: &'s Snapshot,
        caller: &Caller<'s>,
        resource: Resource<'_>,
    ) -> Decision<'s> {
        let request = Request {
            action: self.action,
            resource,
            circumstances: self.circumstances,
        };
        let tags = caller.tags();
        conclude(snapshot, caller, &request, self.grants.iter().copied(), |held| {
            held.grant.selector.covers(&resource, tags).is_ok()
        })
    }
}

/// The grants that speak of the caller: its own, those of its teams, those of the groups that its token carries.
pub(crate) fn candidates<'s>(caller: &Caller<'s>) -> impl Iterator<Item = &'s HeldGrant> {
    let tenant = caller.tenant;
    let teams = teams_of(caller);
    let group = |group: &'s (Name, Arc<str>)| tenant.groups.get(group);
    let own = caller.account.into_iter().flat_map(|held| held.grants.iter());
    own.chain(teams.flat_map(|held| held.grants.iter()))
        .chain(
            caller
                .groups
                .iter()
                .filter_map(group)
                .flat_map(|grants| grants.iter()),
        )
        .map(AsRef::as_ref)
}

/// The teams that speak of the caller, as far as they exist. Those of an account are found by their numbers.
fn teams_of<'s>(caller: &Caller<'s>) -> impl Iterator<Item = &'s HeldTeam> {
    let tenant = caller.tenant;
    let numbers = caller
        .account
        .into_iter()
        .flat_map(|held| held.team_numbers.iter());
    let joins = match caller.account {
        Some(_) => &[],
        None => caller.joins,
    };
    numbers
        .filter_map(|number| tenant.teams.at(number))
        .chain(joins.iter().filter_map(|name| tenant.teams.get(name)))
        .map(AsRef::as_ref)
}

/// Whether a grant matches a request, or what it fails first.
pub(crate) fn examine(held: &HeldGrant, caller: &Caller<'_>, request: &Request<'_>) -> Result<(), Mismatch> {
    if !held.role.covers(request.action) {
        return Err(Mismatch::Role);
    }
    held.grant
        .selector
        .covers(&request.resource, caller.tags())
        .map_err(Mismatch::Selector)?;
    held.grant
        .conditions
        .hold(&request.circumstances)
        .map_err(Mismatch::Condition)
}

/// What the credential is narrowed to.
pub(crate) fn scopes<'s>(caller: &Caller<'s>) -> impl Iterator<Item = &'s Scope> {
    let unnarrowed = |held: &Credential| caller.unnarrowed.is_some_and(|known| std::ptr::eq(known, held));
    let narrowing = caller.credential.filter(|held| !unnarrowed(held));
    let own = narrowing.and_then(|held| held.scope.as_deref());
    own.into_iter().chain(caller.scope)
}

fn permits(scope: &Scope, action: &str) -> bool {
    scope.actions.is_empty() || scope.actions.iter().any(|pattern| pattern.matches(action))
}

fn outside_scope(scope: &Scope, request: &Request<'_>) -> Option<Reason> {
    let Scope {
        models,
        actions: _,
        environments,
        networks,
    } = scope;
    let Request {
        action,
        resource,
        circumstances,
    } = request;
    if !permits(scope, action) {
        return Some(Reason::ScopeAction);
    }
    let named = |pattern: &Glob| resource.kind == "model" && pattern.matches(resource.name);
    if !models.is_empty() && !models.iter().any(named) {
        return Some(Reason::ScopeModel);
    }
    if !environments.is_empty() && !resource.environment.is_some_and(|one| environments.contains(one)) {
        return Some(Reason::ScopeEnvironment);
    }
    (!in_networks(networks, circumstances.client)).then_some(Reason::ScopeNetwork)
}
