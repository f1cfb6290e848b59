//! Effective access: who may do something, and what somebody may do, where no request is at hand.
//!
//! Only a request tells how its caller proved who it is, how old its token is, where it comes from and at which hour of
//! the week: access that hangs on these is told with what it hangs on. Everything else is judged by the parts that
//! [`crate::decide`] judges with. A key may open less than its owner has; keys are not looked at here.

use crate::{
    authenticate::Caller,
    decide::candidates,
    grant::{AuthMethod, Circumstances, Conditions, Effect, Subject},
    id::Timestamp,
    pattern::{Resource, SelectorMismatch, Tags},
    snapshot::{Group, HeldAccount, HeldGrant, HeldTeam, Tenant},
};

mod list;
mod since;

pub use list::{AccountAction, Row, granted, what, who};
pub use since::{Given, Givers};

/// What is asked of many.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// A dotted verb: `inference.chat`.
    pub action: &'a str,
    /// What it is done to.
    pub resource: Resource<'a>,
    /// The moment that is judged.
    pub now: Timestamp,
}

/// A grant, and what of the request it depends on; nothing where it counts for every request.
#[derive(Debug, Clone)]
pub struct Bearing<'s> {
    /// The grant.
    pub held: &'s HeldGrant,
    /// Sentences without an end, all of which must hold: `from 10.0.0.0/8`.
    pub conditions: Vec<String>,
}

/// That somebody may do something, by what, and under which conditions.
#[derive(Debug, Clone)]
pub struct Access<'s> {
    /// The grants that allow it, those that count for every request first.
    pub allows: Vec<Bearing<'s>>,
    /// The grants that take it away from some requests.
    pub unless: Vec<Bearing<'s>>,
}

impl<'s> Access<'s> {
    /// Whether it depends on the request.
    pub fn is_conditional(&self) -> bool {
        let always = self.allows.iter().any(|one| one.conditions.is_empty());
        !always || !self.unless.is_empty()
    }

    /// Whether the same grants lead to it.
    fn is_like(&self, other: &Self) -> bool {
        let same = |ours: &[Bearing<'s>], theirs: &[Bearing<'s>]| {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(one, other)| {
                    one.held.grant.id == other.held.grant.id && one.conditions == other.conditions
                })
        };
        same(&self.allows, &other.allows) && same(&self.unless, &other.unless)
    }
}

/// The access that there is in a tenant.
#[derive(Debug)]
pub struct Effective<'s> {
    tenant: &'s Tenant,
    /// Whoever's token carries the group is denied what these deny.
    denials: Vec<(&'s Group, &'s HeldGrant)>,
}

impl<'s> Effective<'s> {
    /// That of a tenant as it is in its snapshot.
    pub fn of(tenant: &'s Tenant) -> Self {
        let grants = tenant.groups.iter();
        let each = grants.flat_map(|(group, grants)| grants.iter().map(move |held| (group, held.as_ref())));
        let mut denials: Vec<_> = each
            .filter(|(_, held)| held.grant.effect == Effect::Deny)
            .collect();
        denials.sort_by_key(|(group, held)| (*group, held.grant.id));
        Self { tenant, denials }
    }

    /// Whether and how an account may do something. Nobody may in a suspended tenant, and deactivated accounts may
    /// nothing.
    pub fn account(&self, held: &'s HeldAccount, asked: &Asked<'_>) -> Option<Access<'s>> {
        if self.tenant.settings().suspended || held.account.profile.deactivated {
            return None;
        }
        let caller = Caller::of(self.tenant, held, AuthMethod::ApiKey);
        let access = weigh(candidates(&caller), caller.tags(), asked)?;
        Some(self.but_for_groups(access, caller.tags(), None, asked))
    }

    /// Whether and how the members of a team may do something, whoever they are: what is granted to their account, or
    /// denied to it, comes on top.
    pub fn team(&self, held: &'s HeldTeam, asked: &Asked<'_>) -> Option<Access<'s>> {
        if self.tenant.settings().suspended {
            return None;
        }
        let access = weigh(held.grants.iter().map(AsRef::as_ref), None, asked)?;
        Some(self.but_for_groups(access, None, None, asked))
    }

    /// Whether and how tokens that carry a group may do something, whoever they are of: what is granted to their
    /// account, or denied to it, comes on top.
    pub fn group(&self, group: &'s Group, asked: &Asked<'_>) -> Option<Access<'s>> {
        if self.tenant.settings().suspended {
            return None;
        }
        let grants = self.tenant.groups.get(group)?;
        let access = weigh(grants.iter().map(AsRef::as_ref), None, asked)?;
        Some(self.but_for_groups(access, None, Some(group), asked))
    }

    /// A token may carry a group that is denied it.
    fn but_for_groups(
        &self,
        mut access: Access<'s>,
        tags: Option<&Tags>,
        own: Option<&Group>,
        asked: &Asked<'_>,
    ) -> Access<'s> {
        for (group, held) in self.denials.iter().filter(|(group, _)| Some(*group) != own) {
            if let Some(mut conditions) = bearing(held, tags, asked) {
                let (issuer, value) = group;
                conditions.insert(0, format!("with a token that carries group:{issuer}/{value}"));
                access.unless.push(Bearing { held, conditions });
            }
        }
        access
    }
}

/// The rules of the decision, applied to grants that count for some requests and not for others. `None`: never allowed.
fn weigh<'s>(
    grants: impl Iterator<Item = &'s HeldGrant>,
    tags: Option<&Tags>,
    asked: &Asked<'_>,
) -> Option<Access<'s>> {
    let (mut allows, mut unless) = (Vec::new(), Vec::new());
    for held in grants {
        let Some(conditions) = bearing(held, tags, asked) else {
            continue;
        };
        match held.grant.effect {
            Effect::Deny if conditions.is_empty() => return None,
            Effect::Deny => unless.push(Bearing { held, conditions }),
            Effect::Allow => allows.push(Bearing { held, conditions }),
        }
    }
    allows.sort_by_key(|one| !one.conditions.is_empty());
    (!allows.is_empty()).then_some(Access { allows, unless })
}

/// On what of the request it depends whether a grant matches; `None` where it matches no request at that moment. Tags are
/// those of the caller's account; `None` where it is not known who calls.
fn bearing(held: &HeldGrant, tags: Option<&Tags>, asked: &Asked<'_>) -> Option<Vec<String>> {
    let Asked {
        action,
        resource,
        now,
    } = asked;
    let selector = &held.grant.selector;
    let mut conditions = match held
        .role
        .covers(action)
        .then(|| selector.covers(resource, tags))?
    {
        Ok(()) => Vec::new(),
        Err(SelectorMismatch::CallerTagMissing(_)) if tags.is_none() => {
            let known = |key: &std::sync::Arc<str>| {
                Some(format!(
                    "with an account whose tag {key} is {}",
                    resource.tag(key)?
                ))
            };
            selector
                .match_tags
                .iter()
                .map(known)
                .collect::<Option<Vec<_>>>()?
        }
        Err(_) => return None,
    };
    within_time(&held.grant.conditions, *now).then_some(())?;
    conditions.extend(of_the_request(&held.grant.conditions));
    Some(conditions)
}

fn within_time(conditions: &Conditions, now: Timestamp) -> bool {
    let Conditions {
        not_before, expires, ..
    } = conditions;
    let timed = Conditions {
        not_before: *not_before,
        expires: *expires,
        ..Conditions::default()
    };
    let any = Circumstances {
        now,
        method: AuthMethod::ApiKey,
        issuer: None,
        issued: None,
        client: None,
    };
    timed.hold(&any).is_ok()
}

/// What conditions ask of the request, in words.
pub fn of_the_request(conditions: &Conditions) -> Vec<String> {
    let Conditions {
        methods,
        max_token_age_seconds,
        networks,
        schedules,
        not_before: _,
        expires: _,
    } = conditions;
    let mut told = Vec::new();
    let mut tell = |lead: &str, values: Vec<String>| {
        if !values.is_empty() {
            told.push(format!("{lead} {}", values.join(" or ")));
        }
    };
    tell("by", methods.iter().map(ToString::to_string).collect());
    let age = max_token_age_seconds.iter();
    tell(
        "with a token of at most",
        age.map(|seconds| format!("{seconds} seconds")).collect(),
    );
    tell("from", networks.iter().map(ToString::to_string).collect());
    tell("at", schedules.iter().map(ToString::to_string).collect());
    told
}

impl From<&Group> for Subject {
    fn from((issuer, value): &Group) -> Self {
        Self::Group {
            issuer: issuer.clone(),
            value: value.clone(),
        }
    }
}
