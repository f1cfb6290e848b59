//! What a plan would widen or narrow: who gains or loses which action on which model, enumerated by the one decision
//! function over everybody, every model and every action, before and after.
//!
//! Models are the tenant's own and those that are offered to it, and `PROVIDER/*` for what an open catalogue does not list.
//! Everybody is every account, and whoever carries a group that something is granted to. They are judged as of now, by key
//! (groups by token), and besides in each way that a grant of theirs asks for: by another method, from one of its networks.
//! What a single credential is narrowed to is not looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    authenticate::Caller,
    choose::INFERENCE_ACTIONS,
    decide::{Standing, candidates},
    grant::{AuthMethod, Circumstances, MethodRule},
    id::{ModelId, Name, Principal, Timestamp},
    pattern::Resource,
    resolve::{self, ResolvedModel},
    snapshot::{Group, HeldGrant, Snapshot, Tenant},
};

/// The most ways in which one of them is judged.
const WAYS_LIMIT: usize = 16;

/// A comparison of two states.
#[derive(Debug, Clone)]
pub struct Survey {
    before: Arc<Snapshot>,
    after: Arc<Snapshot>,
    tenant: Name,
    now: Timestamp,
    others: Vec<(Arc<str>, Arc<str>)>,
    everybody: Vec<Who>,
    models: Vec<ModelId>,
}

/// One of everybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Account(Principal),
    Group(Group),
}

/// Somebody gains, or loses, the same on several models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `user:bob` or `group:okta/engineers`.
    pub who: String,
    /// Gains rather than loses.
    pub gains: bool,
    /// Which actions.
    pub actions: Vec<Arc<str>>,
    /// On which models; empty where the actions are not about models.
    pub models: Vec<Arc<str>>,
    /// In which way alone: `by jwt:okta`, `from 10.0.0.0`; absent: in the usual one.
    pub way: Option<String>,
}

/// A way of calling.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    rule: MethodRule,
    client: Option<IpAddr>,
}

/// By action, the models that it is allowed on, by their number; number 0 for what is not about models.
type Answers<'a> = BTreeMap<&'a str, Arc<Vec<usize>>>;

impl Survey {
    /// Compares two states of a tenant. `others` are the actions that are not about models, with the type of what they are
    /// done to.
    pub fn new(
        (before, after): (Arc<Snapshot>, Arc<Snapshot>),
        tenant: Name,
        now: Timestamp,
        others: Vec<(Arc<str>, Arc<str>)>,
    ) -> Self {
        let (mut everybody, mut models) = (BTreeSet::new(), BTreeSet::new());
        for snapshot in [&before, &after] {
            if let Some(tenant) = snapshot.tenant(tenant.as_str()) {
                let accounts = tenant.accounts().into_iter();
                everybody.extend(accounts.map(|held| Who::Account(held.account.principal.clone())));
                everybody.extend(tenant.groups.keys().cloned().map(Who::Group));
                let listed = resolve::listed(snapshot, tenant);
                let known = listed.chain(resolve::unlisted(snapshot, tenant));
                models.extend(known.map(|model| model.id));
            }
        }
        Self {
            before,
            after,
            tenant,
            now,
            others,
            everybody: everybody.into_iter().collect(),
            models: models.into_iter().collect(),
        }
    }

    /// How many there are to look at.
    pub fn everybody(&self) -> usize {
        self.everybody.len()
    }

    /// How many models each is judged on.
    pub fn models(&self) -> usize {
        self.models.len()
    }

    /// What changes for some of everybody: those from a place on, at most so many.
    pub fn part(&self, from: usize, most: usize) -> Vec<Change> {
        let sides = [&self.before, &self.after].map(|snapshot| {
            let tenant = snapshot.tenant(self.tenant.as_str())?;
            Some(Side::new(snapshot, tenant, &self.models))
        });
        let some = self.everybody.iter().skip(from).take(most);
        some.flat_map(|who| self.of(who, &sides)).collect()
    }

    fn of(&self, who: &Who, sides: &[Option<Side<'_>>; 2]) -> Vec<Change> {
        let group = match who {
            Who::Group(group) => std::slice::from_ref(group),
            Who::Account(_) => &[],
        };
        let callers = sides.each_ref().map(|side| side.as_ref()?.caller(who, group));
        let [before, after] = &callers;
        let untouched = match (before, after, &sides[0], &sides[1]) {
            (Some(before), Some(after), Some(was), Some(is)) => {
                was.same_models(is) && same_grants(before, after)
            }
            _ => false,
        };
        if untouched {
            return Vec::new();
        }
        let mut told = BTreeSet::new();
        let mut changes = Vec::new();
        for (nth, way) in ways(who, &callers).into_iter().enumerate() {
            let answers = [0, 1].map(|at| match (sides.get(at), callers.get(at)) {
                (Some(Some(side)), Some(Some(caller))) => self.answers(side, caller, &way),
                _ => BTreeMap::new(),
            });
            let [before, after] = &answers;
            let label = (nth > 0).then(|| way.to_string());
            for (gains, from, to) in [(true, before, after), (false, after, before)] {
                changes.extend(self.differences(who, gains, (from, to), &mut told, label.as_ref()));
            }
        }
        changes
    }

    /// For each action the models, by their number, that it is allowed on; for other actions number 0.
    fn answers<'a>(&'a self, side: &Side<'_>, caller: &Caller<'_>, way: &Way) -> Answers<'a> {
        let token = way.rule.method != AuthMethod::ApiKey;
        let circumstances = Circumstances {
            now: self.now,
            method: way.rule.method,
            issuer: way.rule.issuer.as_ref(),
            issued: token.then_some(self.now),
            client: way.client,
        };
        let mut seen: Vec<(Standing<'_, '_>, Arc<Vec<usize>>)> = Vec::new();
        let mut answers = BTreeMap::new();
        for action in INFERENCE_ACTIONS {
            let standing = Standing::of(caller, action, circumstances);
            if standing.is_hopeless(caller) {
                continue;
            }
            let like = seen.iter().find(|(one, _)| one.is_like(&standing));
            let allowed = match like {
                Some((_, allowed)) => allowed.clone(),
                None => {
                    let allowed = Arc::new(side.allowed(&standing, caller));
                    seen.push((standing, allowed.clone()));
                    allowed
                }
            };
            answers.insert(action, allowed);
        }
        for (action, kind) in &self.others {
            let standing = Standing::of(caller, action, circumstances);
            let decision = || standing.decide(side.snapshot, caller, Resource::named(kind, ""));
            if !standing.is_hopeless(caller) && decision().allowed() {
                answers.insert(action, Arc::new(vec![0]));
            }
        }
        answers
    }

    /// What is allowed on one side alone, and was not told of another way; actions on the same models together.
    fn differences<'a>(
        &'a self,
        who: &Who,
        gains: bool,
        (from, to): (&Answers<'a>, &Answers<'a>),
        told: &mut BTreeSet<(&'a str, usize, bool)>,
        way: Option<&String>,
    ) -> Vec<Change> {
        let mut together: BTreeMap<(bool, Vec<usize>), Vec<Arc<str>>> = BTreeMap::new();
        for (action, models) in to {
            let before = from.get(action);
            let new = |model: &&usize| before.is_none_or(|before| before.binary_search(model).is_err());
            let new = models.iter().filter(new).copied();
            let untold: Vec<usize> = new
                .filter(|model| told.insert((*action, *model, gains)))
                .collect();
            if !untold.is_empty() {
                let about_models = INFERENCE_ACTIONS.contains(action);
                together
                    .entry((about_models, untold))
                    .or_default()
                    .push(Arc::from(*action));
            }
        }
        let named = |numbers: Vec<usize>| {
            numbers
                .into_iter()
                .filter_map(|at| Some(self.models.get(at)?.shared()))
        };
        let change = |((about_models, numbers), actions)| Change {
            who: who.to_string(),
            gains,
            actions,
            models: if about_models {
                named(numbers).collect()
            } else {
                Vec::new()
            },
            way: way.cloned(),
        };
        together.into_iter().map(change).collect()
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(principal) => principal.fmt(f),
            Self::Group((issuer, value)) => write!(f, "group:{issuer}/{value}"),
        }
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "by {}", self.rule)?;
        self.client.map_or(Ok(()), |client| write!(f, " from {client}"))
    }
}

/// One of the two states.
struct Side<'s> {
    snapshot: &'s Snapshot,
    tenant: &'s Tenant,
    models: Vec<Option<ResolvedModel<'s>>>,
    /// Whoever carries a group and has nothing else.
    anybody: Principal,
}

impl<'s> Side<'s> {
    fn new(snapshot: &'s Snapshot, tenant: &'s Tenant, models: &[ModelId]) -> Self {
        Self {
            snapshot,
            tenant,
            models: models
                .iter()
                .map(|id| resolve::by_id(snapshot, tenant, id))
                .collect(),
            anybody: Principal::User(Name::platform()),
        }
    }

    fn caller<'c>(&'c self, who: &'c Who, groups: &'c [Group]) -> Option<Caller<'c>> {
        let tenant = self.tenant;
        if tenant.settings().suspended {
            return None;
        }
        match who {
            Who::Account(principal) => {
                let held = tenant.account(principal)?;
                let alive = !held.account.profile.deactivated;
                alive.then(|| Caller::of(tenant, held, AuthMethod::ApiKey))
            }
            Who::Group(_) => Some(Caller {
                groups,
                ..Caller::unrecorded(tenant, &self.anybody, &[], AuthMethod::Jwt)
            }),
        }
    }

    /// Whether every model is the very same in both states.
    fn same_models(&self, other: &Self) -> bool {
        let same = |(one, other): (&Option<ResolvedModel<'_>>, &Option<ResolvedModel<'_>>)| match (one, other)
        {
            (Some(one), Some(other)) => {
                let listed = one.listed.map(std::ptr::from_ref) == other.listed.map(std::ptr::from_ref);
                listed && std::ptr::eq(one.provider, other.provider)
            }
            (None, None) => true,
            _ => false,
        };
        self.models.iter().zip(&other.models).all(same)
    }

    fn allowed(&self, standing: &Standing<'_, '_>, caller: &Caller<'_>) -> Vec<usize> {
        let models = self.models.iter().enumerate();
        let allowed =
            |model: &ResolvedModel<'_>| standing.decide(self.snapshot, caller, model.resource()).allowed();
        models
            .filter(|(_, model)| model.as_ref().is_some_and(allowed))
            .map(|(at, _)| at)
            .collect()
    }
}

/// Whether the very same grants speak of both, and they are the very same accounts.
fn same_grants(one: &Caller<'_>, other: &Caller<'_>) -> bool {
    let same = |(one, other): (&HeldGrant, &HeldGrant)| std::ptr::eq(one, other);
    one.tags() == other.tags()
        && candidates(one).count() == candidates(other).count()
        && candidates(one).zip(candidates(other)).all(same)
}

/// The usual way, and those that a grant of theirs asks for.
fn ways(who: &Who, callers: &[Option<Caller<'_>>; 2]) -> Vec<Way> {
    let usual = match who {
        Who::Account(_) => AuthMethod::ApiKey.into(),
        Who::Group((issuer, _)) => MethodRule {
            method: AuthMethod::Jwt,
            issuer: Some(issuer.clone()),
        },
    };
    let (mut rules, mut clients) = (vec![usual], vec![None]);
    for held in callers.iter().flatten().flat_map(candidates) {
        for rule in &held.grant.conditions.methods {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
        for network in &held.grant.conditions.networks {
            if !clients.contains(&Some(network.addr())) {
                clients.push(Some(network.addr()));
            }
        }
    }
    let ways = clients.iter().flat_map(|client| {
        rules.iter().map(|rule| Way {
            rule: rule.clone(),
            client: *client,
        })
    });
    ways.take(WAYS_LIMIT).collect()
}
