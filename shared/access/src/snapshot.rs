//! The whole access state at one position, immutable once shared.
//!
//! All tables are persistent: a copy shares what it did not change, so that one change among a million keys
//! costs microseconds and whoever holds the old snapshot is not disturbed. [`crate::fold`] is the only writer.

use std::sync::{Arc, OnceLock};

use crate::{
    alert::Alerts,
    audit::sink::Sinks,
    credential::Credential,
    edge::EdgeRecords,
    grant::Grant,
    id::{Id, ModelId, Name, Principal, Timestamp},
    issuer::{Issuer, Revocations, TokenKey},
    limit::HeldLimit,
    log::{Head, Position},
    model::{Fallback, Model, Provider},
    offer::Offer,
    request::HeldRequest,
    role::{self, Role},
    table::{Numbered, Table},
    tenant::TenantSettings,
};

mod credentials;
mod held;
mod shelf;

pub(crate) use credentials::{Credentials, Line};
pub(crate) use held::AccountSeat;
pub use held::{HeldAccount, HeldTeam};
pub(crate) use shelf::{Run, Shelf};

/// The whole access state at one position.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) head: Head,
    pub(crate) bootstrapped: bool,
    pub(crate) credentials: Credentials,
    pub(crate) tenants: Numbered<Name, Arc<Tenant>>,
    /// Which issuers have a URL as their `iss`: tenant and name, across tenants.
    pub(crate) issuers: Table<Arc<str>, Arc<Vec<(Name, Name)>>>,
    /// The keys of Turnpike's own tokens, the oldest first.
    pub(crate) token_keys: Arc<Vec<TokenKey>>,
    /// What was decided about edges.
    pub(crate) edges: EdgeRecords,
}

impl Snapshot {
    /// The last event that is folded in.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The position of the last event that is folded in.
    pub fn position(&self) -> Position {
        self.head.position
    }

    /// Whether the operators' tenant has had its first administrator.
    pub fn bootstrapped(&self) -> bool {
        self.bootstrapped
    }

    /// A credential by its public id, dead ones too.
    pub fn credential(&self, id: Id) -> Option<&Arc<Credential>> {
        self.credentials.get(id)
    }

    /// How many credentials there are, dead ones too.
    pub fn credential_count(&self) -> usize {
        self.credentials.len()
    }

    /// A tenant by its name.
    pub fn tenant(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants.get(name)
    }

    /// The operators' own tenant.
    pub(crate) fn platform(&self) -> Option<&Tenant> {
        self.tenants.get("platform").map(AsRef::as_ref)
    }

    /// The issuers that have this URL as their `iss`, each with its tenant.
    pub fn issuers_at(&self, url: &str) -> impl Iterator<Item = (&Arc<Tenant>, &Arc<Issuer>)> {
        let named = self.issuers.get(url).into_iter().flat_map(|all| all.iter());
        named.filter_map(|(tenant, issuer)| {
            let tenant = self.tenant(tenant.as_str())?;
            Some((tenant, tenant.issuer(issuer.as_str())?))
        })
    }

    /// Every issuer of every tenant, in no order.
    pub fn issuers(&self) -> impl Iterator<Item = (&Arc<Tenant>, &Arc<Issuer>)> {
        let named = self.issuers.values().flat_map(|all| all.iter());
        named.filter_map(|(tenant, issuer)| {
            let tenant = self.tenant(tenant.as_str())?;
            Some((tenant, tenant.issuer(issuer.as_str())?))
        })
    }

    /// The keys that verify Turnpike's own tokens, the oldest first; the last one signs.
    pub fn token_keys(&self) -> &[TokenKey] {
        &self.token_keys
    }

    /// What was decided about edges.
    pub fn edges(&self) -> &EdgeRecords {
        &self.edges
    }

    /// The one tenant beside the operators', where there is just one.
    pub fn only_tenant(&self) -> Option<&Arc<Tenant>> {
        let mut others = self
            .tenants
            .values()
            .filter(|tenant| tenant.name.as_str() != "platform");
        others.next().filter(|_| others.next().is_none())
    }

    /// Every tenant, in the order of their names.
    pub fn tenants(&self) -> Vec<&Arc<Tenant>> {
        sorted(self.tenants.values(), |tenant| &tenant.name)
    }
}

/// A group as a token carries it: the issuer that vouches for it, and its value.
pub type Group = (Name, Arc<str>);

/// Everything of one tenant but its credentials, which are found by id across tenants.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub(crate) name: Name,
    pub(crate) settings: TenantSettings,
    pub(crate) created: Timestamp,
    pub(crate) accounts: Numbered<Principal, AccountSeat>,
    /// Credentials of accounts that were deleted: dead, but they go with the tenant.
    pub(crate) retired: Table<Id, ()>,
    pub(crate) teams: Numbered<Name, Arc<HeldTeam>>,
    pub(crate) groups: Table<Group, Arc<Vec<Arc<HeldGrant>>>>,
    pub(crate) grants: Table<Id, Arc<HeldGrant>>,
    pub(crate) roles: Table<Name, Arc<Role>>,
    pub(crate) providers: Table<Name, Arc<Provider>>,
    pub(crate) models: Table<ModelId, Arc<Model>>,
    /// The models in order, once somebody asked for them; whoever changes a model empties it.
    pub(crate) shelf: OnceLock<Arc<Shelf>>,
    /// Which catalogue models have a bare name.
    pub(crate) bare_names: Table<Arc<str>, Arc<Vec<ModelId>>>,
    pub(crate) aliases: Table<Arc<str>, ModelId>,
    pub(crate) fallbacks: Arc<Vec<Fallback>>,
    pub(crate) limits: Arc<Vec<HeldLimit>>,
    /// What it offers to others, of the operators' tenant alone.
    pub(crate) offers: Arc<Vec<Offer>>,
    pub(crate) issuers: Table<Name, Arc<Issuer>>,
    pub(crate) revocations: Table<Name, Arc<Revocations>>,
    /// Which users have an e-mail address.
    pub(crate) emails: Table<Arc<str>, Arc<Vec<Principal>>>,
    /// Which accounts are who at an issuer.
    pub(crate) subjects: Table<Arc<str>, Arc<Vec<Principal>>>,
    /// What each principal has asked for, the oldest first.
    pub(crate) access_requests: Table<Principal, Arc<Vec<HeldRequest>>>,
    /// What is open, and what is silenced.
    pub(crate) alerts: Arc<Alerts>,
    /// Where its audit is sent on to.
    pub(crate) sinks: Arc<Sinks>,
}

/// A grant with its role looked up.
#[derive(Debug, Clone)]
pub struct HeldGrant {
    /// The grant.
    pub grant: Grant,
    /// The role that it names, as it is now.
    pub role: Arc<Role>,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub created_by: Arc<str>,
}

impl Tenant {
    pub(crate) fn new(name: Name, settings: TenantSettings, created: Timestamp) -> Self {
        Self {
            name,
            settings,
            created,
            accounts: Numbered::default(),
            retired: Table::default(),
            teams: Numbered::default(),
            groups: Table::default(),
            grants: Table::default(),
            roles: Table::default(),
            providers: Table::default(),
            models: Table::default(),
            shelf: OnceLock::new(),
            bare_names: Table::default(),
            aliases: Table::default(),
            fallbacks: Arc::default(),
            limits: Arc::default(),
            offers: Arc::default(),
            issuers: Table::default(),
            revocations: Table::default(),
            emails: Table::default(),
            subjects: Table::default(),
            access_requests: Table::default(),
            alerts: Arc::default(),
            sinks: Arc::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What it chose about itself.
    pub fn settings(&self) -> &TenantSettings {
        &self.settings
    }

    /// When it was made.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// A user or virtual account.
    pub fn account(&self, principal: &Principal) -> Option<&Arc<HeldAccount>> {
        self.accounts.get(principal)
    }

    /// Every user and virtual account, in order.
    pub fn accounts(&self) -> Vec<&Arc<HeldAccount>> {
        sorted(self.accounts.values(), |held| &held.account.principal)
    }

    /// A team.
    pub fn team(&self, name: &str) -> Option<&Arc<HeldTeam>> {
        self.teams.get(name)
    }

    /// Every team, in order.
    pub fn teams(&self) -> Vec<&Arc<HeldTeam>> {
        sorted(self.teams.values(), |held| &held.team.name)
    }

    /// A grant.
    pub fn grant(&self, id: Id) -> Option<&Arc<HeldGrant>> {
        self.grants.get(&id)
    }

    /// Every grant, the oldest first.
    pub fn grants(&self) -> Vec<&Arc<HeldGrant>> {
        let mut all: Vec<_> = self.grants.values().collect();
        all.sort_by_key(|held| (held.created, held.grant.id));
        all
    }

    /// A role, the tenant's own or a built-in one.
    pub fn role(&self, name: &str) -> Option<Arc<Role>> {
        self.roles
            .get(name)
            .cloned()
            .or_else(|| role::shared_built_in(name))
    }

    /// The built-in roles and then the tenant's own, in order.
    pub fn roles(&self) -> Vec<Arc<Role>> {
        let built_in = role::BUILT_IN
            .iter()
            .filter_map(|(name, ..)| role::shared_built_in(name));
        built_in
            .chain(
                sorted(self.roles.values(), |role| &role.name)
                    .into_iter()
                    .cloned(),
            )
            .collect()
    }

    /// A provider.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    /// Every provider, in order.
    pub fn providers(&self) -> Vec<&Arc<Provider>> {
        sorted(self.providers.values(), |provider| &provider.name)
    }

    /// A model of the catalogue by its full name.
    pub fn model(&self, id: &str) -> Option<&Arc<Model>> {
        self.models.get(id)
    }

    /// Every model of the catalogue, in order.
    pub fn models(&self) -> Vec<&Arc<Model>> {
        self.shelf().models().iter().collect()
    }

    /// Every model of the catalogue, in order; they are put in order once for each change.
    pub(crate) fn shelf(&self) -> &Shelf {
        self.shelf
            .get_or_init(|| Arc::new(Shelf::of(self.models.values().cloned().collect())))
    }

    /// What an alias means.
    pub fn alias(&self, alias: &str) -> Option<&ModelId> {
        self.aliases.get(alias)
    }

    /// Every alias with its target, in order.
    pub fn aliases(&self) -> Vec<(&Arc<str>, &ModelId)> {
        let mut all: Vec<_> = self.aliases.iter().collect();
        all.sort();
        all
    }

    /// An issuer that the tenant trusts.
    pub fn issuer(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.issuers.get(name)
    }

    /// Every issuer, in order.
    pub fn issuers(&self) -> Vec<&Arc<Issuer>> {
        sorted(self.issuers.values(), |issuer| &issuer.name)
    }

    /// The dead tokens of an issuer; of Turnpike's own under [`crate::issuer::OWN`].
    pub fn revocations(&self, issuer: &str) -> Option<&Arc<Revocations>> {
        self.revocations.get(issuer)
    }

    /// The one user who has an e-mail address, in lower case. An address of several names none of them.
    pub fn by_email(&self, email: &str) -> Option<&Principal> {
        only(self.emails.get(email))
    }

    /// The one account that is `ISSUER/SUBJECT`.
    pub fn by_subject(&self, subject: &str) -> Option<&Principal> {
        only(self.subjects.get(subject))
    }

    /// What a principal has asked for, the oldest first; of decided requests the newest.
    pub fn access_requests_of(&self, principal: &Principal) -> &[HeldRequest] {
        self.access_requests
            .get(principal)
            .map_or(&[], |held| held.as_slice())
    }

    /// Everything that was asked for, the oldest first.
    pub fn access_requests(&self) -> Vec<&HeldRequest> {
        let mut all: Vec<_> = self.access_requests.values().flat_map(|of| of.iter()).collect();
        all.sort_by_key(|held| (held.asked, held.request.id));
        all
    }

    /// A request for access by its id.
    pub fn access_request(&self, id: Id) -> Option<&HeldRequest> {
        let mut all = self.access_requests.values().flat_map(|of| of.iter());
        all.find(|held| held.request.id == id)
    }

    /// Where its audit is sent on to.
    pub fn sinks(&self) -> &Sinks {
        &self.sinks
    }

    /// What is open of its alerts, and what is silenced.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// The fallback rules, in the order in which they are tried.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// What it offers to other tenants, the oldest first; only the operators' tenant does.
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }
}

fn only(all: Option<&Arc<Vec<Principal>>>) -> Option<&Principal> {
    match all.map(|all| all.as_slice()) {
        Some([one]) => Some(one),
        _ => None,
    }
}

fn sorted<'a, T, K: Ord>(all: impl Iterator<Item = &'a Arc<T>>, key: impl Fn(&'a T) -> K) -> Vec<&'a Arc<T>> {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|one| key(one));
    all
}
