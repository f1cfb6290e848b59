//! Access beside its use: who was given what by which grant, whether anybody needed it, and what could go.
//!
//! Recorded requests are judged again by the state as it is, as [`crate::policy::replay`] judges them: the grant that lets
//! one through is in use. Changes in the administration are in the log: whoever made one used those of their grants that
//! cover it. Reading the administration leaves no record, so that nothing is ever concluded from its absence. What is
//! denied is not taken off: [`crate::effective`] tells that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    audit::AuditRecord,
    authenticate::Caller,
    decide::candidates,
    grant::{AuthMethod, Effect, Subject},
    id::{Id, Name, Principal, Timestamp},
    log::Recorded,
    pattern::Glob,
    recall::Recalled,
    role::Role,
    snapshot::{HeldGrant, Snapshot, Tenant},
};

mod propose;
mod row;

pub use propose::Proposal;
pub use row::{Finding, Row};

/// The most actions that are remembered of somebody's use of a grant.
const ACTIONS: usize = 100;
/// Actions on models that are not judged one by one: what is recorded of a list is not what it showed.
const LISTS: &str = "models";
/// How actions end that change nothing.
const HARMLESS: [&str; 6] = [".read", ".list", ".explain", ".check", ".request", ".verify"];
/// What whoever caused an event was allowed to do, and the kinds of such events.
const CHANGES: [(&str, &[&str]); 29] = [
    ("access.approve", &["access.approved", "access.refused"]),
    ("access.request", &["access.requested", "access.withdrawn"]),
    ("users.write", ACCOUNTS),
    ("virtual-accounts.write", ACCOUNTS),
    ("aliases.write", &["alias.deleted", "alias.set"]),
    (
        "credentials.rotate",
        &["credential.handed_over", "credential.rotated"],
    ),
    ("credentials.write", &["credential.issued"]),
    ("credentials.narrow", &["credential.narrowed"]),
    (
        "credentials.suspend",
        &["credential.resumed", "credential.suspended"],
    ),
    ("credentials.revoke", &["credential.revoked"]),
    ("fallbacks.write", &["fallback.created", "fallback.deleted"]),
    (
        "grants.write",
        &["grant.created", "grant.deleted", "grant.updated"],
    ),
    (
        "issuers.write",
        &["issuer.created", "issuer.deleted", "issuer.updated"],
    ),
    (
        "models.write",
        &["model.created", "model.deleted", "model.updated"],
    ),
    (
        "limits.write",
        &["limit.created", "limit.deleted", "limit.updated"],
    ),
    ("limits.write", &["limit.spent"]),
    ("offers.write", &["offer.created", "offer.deleted"]),
    (
        "providers.write",
        &["provider.created", "provider.deleted", "provider.updated"],
    ),
    ("roles.write", &["role.created", "role.deleted", "role.updated"]),
    ("teams.write", &["team.created", "team.deleted", "team.updated"]),
    ("teams.write", &["team.member_added", "team.member_removed"]),
    ("tenants.update", &["tenant.updated"]),
    (
        "tenants.write",
        &["tenant.created", "tenant.deleted", "tenant.updated"],
    ),
    ("tokens.revoke", &["token.revoked"]),
    ("token-keys.write", &["token_key.added", "token_key.removed"]),
    ("alerts.write", ALERTS),
    ("audit-sinks.write", &["audit.sink_deleted", "audit.sink_set"]),
    ("edges.write", EDGES),
    ("credentials.suspend", &["credential.warned"]),
];
const ACCOUNTS: &[&str] = &["account.created", "account.deleted", "account.updated"];
const ALERTS: &[&str] = &[
    "alert.acknowledged",
    "alert.destination_deleted",
    "alert.destination_set",
    "alert.raised",
    "alert.resolved",
    "alert.rule_deleted",
    "alert.rule_set",
    "alert.silenced",
];
const EDGES: &[&str] = &[
    "edge.drained",
    "edge.enrolled",
    "edge.forgotten",
    "edge.invited",
    "edge.resumed",
    "edge.revoked",
];

/// What a grant was used for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// Requests that it let through, and changes that it allowed.
    pub times: u64,
    /// The last of them.
    pub last: Option<Timestamp>,
    /// What was done: so many at most.
    pub actions: BTreeSet<Arc<str>>,
    /// Whether more than those was done.
    pub more: bool,
}

impl Use {
    fn note(&mut self, action: &Arc<str>, time: Timestamp) {
        self.times += 1;
        self.last = self.last.max(Some(time));
        match self.actions.contains(action) || self.actions.len() < ACTIONS {
            true => _ = self.actions.insert(action.clone()),
            false => self.more = true,
        }
    }

    fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.last = self.last.max(other.last);
        self.actions.extend(other.actions.iter().cloned());
        self.more |= other.more;
    }
}

/// The grants of a tenant, and what they were used for since a moment.
#[derive(Debug, Clone)]
pub struct Review {
    snapshot: Arc<Snapshot>,
    tenant: Name,
    since: Timestamp,
    now: Timestamp,
    /// Every action of the administration.
    administration: Vec<Arc<str>>,
    uses: BTreeMap<Id, BTreeMap<Principal, Use>>,
    /// Records and events that were looked at.
    pub seen: u64,
    everybody: Vec<Subject>,
}

impl Review {
    /// Nothing looked at yet. Grants that were made after `since` are too young to be judged by their use.
    pub fn new(
        snapshot: Arc<Snapshot>,
        tenant: Name,
        (since, now): (Timestamp, Timestamp),
        administration: Vec<Arc<str>>,
    ) -> Self {
        let everybody = snapshot.tenant(tenant.as_str()).map(|held| everybody(held));
        Self {
            everybody: everybody.unwrap_or_default(),
            // What a grant was used for has nothing to do with what is spent by now.
            snapshot: Arc::new(snapshot.with_nothing_spent()),
            tenant,
            since,
            now,
            administration,
            uses: BTreeMap::new(),
            seen: 0,
        }
    }

    /// The kinds of events that tell of changes.
    pub fn kinds() -> Vec<&'static str> {
        let all: BTreeSet<_> = CHANGES
            .iter()
            .flat_map(|(_, kinds)| kinds.iter().copied())
            .collect();
        all.into_iter().collect()
    }

    /// How many accounts and groups there are.
    pub fn everybody(&self) -> usize {
        self.everybody.len()
    }

    /// Looks at a recorded request.
    pub fn take(&mut self, record: &AuditRecord) {
        self.seen += 1;
        let Some(asked) = Recalled::asking(record) else {
            return;
        };
        if let Some(grant) = asked.allowing(&self.snapshot) {
            let (action, time) = asked.asked();
            self.note(grant, asked.principal(), action, time);
        }
    }

    /// Looks at an event of the tenant's log. What the system did by itself, or operators of another tenant, used nothing.
    pub fn see(&mut self, event: &Recorded) {
        self.seen += 1;
        let Ok(actor) = event.origin.actor.parse::<Principal>() else {
            return;
        };
        let caused = CHANGES.iter().filter(|(_, kinds)| kinds.contains(&&*event.kind));
        let actions: Vec<Arc<str>> = caused.map(|(action, _)| Arc::from(*action)).collect();
        for (grant, action) in self.allowing(&actor, &actions) {
            self.note(grant, &actor, &action, event.origin.time);
        }
    }

    /// The grants by which an account may have done something in the administration. The log has no groups: where none of
    /// its own grants covers it, any group's may have.
    fn allowing(&self, actor: &Principal, actions: &[Arc<str>]) -> Vec<(Id, Arc<str>)> {
        let Some(tenant) = self.held() else {
            return Vec::new();
        };
        let by = |held: &HeldGrant| {
            let covered = actions.iter().find(|action| held.role.covers(action));
            let allows = held.grant.effect == Effect::Allow;
            Some((held.grant.id, covered.filter(|_| allows)?.clone()))
        };
        let caller = tenant
            .account(actor)
            .map(|held| Caller::of(tenant, held, AuthMethod::ApiKey));
        let own: Vec<_> = caller.iter().flat_map(candidates).filter_map(by).collect();
        if !own.is_empty() {
            return own;
        }
        let groups = tenant.groups.values().flat_map(|grants| grants.iter());
        groups.filter_map(|held| by(held)).collect()
    }

    fn note(&mut self, grant: Id, principal: &Principal, action: &Arc<str>, time: Timestamp) {
        let by = self.uses.entry(grant).or_default();
        by.entry(principal.clone()).or_default().note(action, time);
    }

    fn held(&self) -> Option<&Tenant> {
        self.snapshot.tenant(self.tenant.as_str()).map(AsRef::as_ref)
    }

    /// What anybody used a grant for.
    fn used(&self, grant: Id) -> Use {
        let mut all = Use::default();
        let each = self.uses.get(&grant).into_iter().flat_map(BTreeMap::values);
        each.for_each(|one| all.add(one));
        all
    }

    /// Whether whatever a pattern allows leaves a record when it is done.
    fn is_recorded(&self, pattern: &Glob) -> bool {
        let domain = |action: &str| action.split_once('.').map(|(domain, _)| domain.to_owned());
        let of_administration = |own: &String| {
            let mut actions = self.administration.iter();
            own == LISTS || actions.any(|action| domain(action).as_ref() == Some(own))
        };
        let own = domain(pattern.as_str());
        own.is_some_and(|own| !own.contains('*') && !of_administration(&own))
    }

    /// Whether a role covers something that changes the administration.
    fn is_privileged(&self, role: &Role) -> bool {
        let changes = |action: &&Arc<str>| !HARMLESS.iter().any(|end| action.ends_with(end));
        let mut actions = self.administration.iter().filter(changes);
        actions.any(|action| role.covers(action))
    }

    /// Whether nobody used a grant, though it has been there for long enough, and its use would show. What operators do in
    /// other tenants is in those tenants' logs.
    fn is_unused(&self, held: &HeldGrant) -> bool {
        let privileged = self.is_privileged(&held.role);
        let shows = match privileged {
            true => self.tenant != Name::platform(),
            false => held.role.actions.iter().any(|pattern| self.is_recorded(pattern)),
        };
        let allows = held.grant.effect == Effect::Allow;
        allows && shows && held.created < self.since && self.used(held.grant.id).times == 0
    }
}

fn everybody(tenant: &Tenant) -> Vec<Subject> {
    let accounts = tenant.accounts().into_iter();
    let accounts = accounts.map(|held| Subject::Principal(held.account.principal.clone()));
    let granted = tenant.groups.iter().filter(|(_, grants)| !grants.is_empty());
    let mut groups: Vec<Subject> = granted.map(|(group, _)| group.into()).collect();
    groups.sort();
    accounts.chain(groups).collect()
}
