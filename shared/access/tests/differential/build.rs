//! A snapshot of a world, made by commands and events; and what the core answers from it.

use std::sync::Arc;

use turnpike_access::{
    authenticate::Caller,
    choose::{Choice, ModelRequest, choose},
    command::Command,
    credential::{Credential, Scope},
    decide::{Reason, Request, decide},
    digest::Peppers,
    grant::{AuthMethod, Circumstances},
    id::{Id, Name, Principal, Timestamp},
    ledger::handle,
    listing::usable,
    log::{Origin, Recorded},
    pattern::Resource,
    resolve::Unresolved,
    snapshot::Snapshot,
    tenant::{AccountProfile, TenantSettings},
};

use super::{
    question::{About, Answer, Because, Question, Thing},
    random::Random,
    translate,
    world::{Account, PLATFORM, Tenant, World},
};

/// A world as the core has it.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) snapshot: Snapshot,
    scopes: Vec<Scope>,
}

/// Who asks, taken apart so that a caller can borrow from it.
struct Asking {
    principal: Principal,
    joins: Vec<Name>,
    groups: Vec<(Name, Arc<str>)>,
    credential: Option<Credential>,
    issuer: Option<Name>,
}

impl Built {
    /// Things are made in an order that is drawn, and some of them by detours: what was made and deleted again, or
    /// changed, leaves no trace.
    pub(crate) fn of(world: &World, random: &mut Random) -> Self {
        let mut built = Self {
            snapshot: Snapshot::default(),
            scopes: world.scopes.iter().map(translate::scope).collect(),
        };
        for tenant in &world.tenants {
            built.furnish(tenant, random);
        }
        for offer in &world.tenant(PLATFORM).offers {
            built.perform(PLATFORM, Command::CreateOffer(translate::offer(offer)));
        }
        for tenant in &world.tenants {
            built.entitle(tenant, random);
        }
        built
    }

    fn perform(&mut self, tenant: &str, command: Command) {
        let tenant: Name = tenant.parse().unwrap();
        let made = Timestamp::from_micros(1);
        let events = handle(&self.snapshot, &tenant, made, command).unwrap();
        for event in events {
            let encoded = event.encode().unwrap();
            let origin = Origin {
                time: made,
                tenant: tenant.clone(),
                actor: Arc::from("user:root"),
                correlation: Arc::from("test"),
            };
            let (kind, payload) = (encoded.kind, encoded.payload);
            let recorded = Recorded::after(self.snapshot.head(), origin, kind, encoded.version, payload);
            self.snapshot.fold(&recorded).unwrap();
        }
    }

    fn furnish(&mut self, tenant: &Tenant, random: &mut Random) {
        let settings = TenantSettings {
            tags: translate::tags(&tenant.tags),
            ..TenantSettings::default()
        };
        self.perform(&tenant.name, Command::CreateTenant(settings));
        for team in &tenant.teams {
            let name = team.parse().unwrap();
            let profile = Default::default();
            self.perform(&tenant.name, Command::CreateTeam { name, profile });
        }
        for account in &tenant.accounts {
            self.account(tenant, account, random);
        }
        for role in &tenant.roles {
            let to = translate::role(role);
            let mut from = to.clone();
            from.actions = vec!["*".parse().unwrap()];
            self.perform(&tenant.name, Command::CreateRole(from.clone()));
            self.perform(&tenant.name, Command::UpdateRole { from, to });
        }
        for provider in &tenant.providers {
            let name = provider.name.parse().unwrap();
            let profile = translate::provider(provider);
            self.perform(&tenant.name, Command::CreateProvider { name, profile });
        }
        for model in &tenant.models {
            let id = model.id.parse().unwrap();
            let profile = translate::model(model);
            self.perform(&tenant.name, Command::CreateModel { id, profile });
        }
    }

    /// By a detour: other tags and teams first.
    fn account(&mut self, tenant: &Tenant, account: &Account, random: &mut Random) {
        let principal: Principal = account.principal.parse().unwrap();
        let to = AccountProfile {
            tags: translate::tags(&account.tags),
            ..AccountProfile::default()
        };
        let detour = random.one_in(2);
        let from = match detour {
            true => AccountProfile::default(),
            false => to.clone(),
        };
        let create = Command::CreateAccount {
            principal: principal.clone(),
            profile: from.clone(),
            teams: match detour {
                true => tenant.teams.iter().map(|team| team.parse().unwrap()).collect(),
                false => account.teams.iter().map(|team| team.parse().unwrap()).collect(),
            },
        };
        self.perform(&tenant.name, create);
        if !detour {
            return;
        }
        for team in tenant.teams.iter().filter(|team| !account.teams.contains(team)) {
            let (team, principal) = (team.parse().unwrap(), principal.clone());
            self.perform(&tenant.name, Command::RemoveTeamMember { team, principal });
        }
        self.perform(&tenant.name, Command::UpdateAccount { principal, from, to });
    }

    fn entitle(&mut self, tenant: &Tenant, random: &mut Random) {
        for (alias, target) in &tenant.aliases {
            let (alias, target) = (Arc::from(alias.as_str()), target.parse().unwrap());
            self.perform(&tenant.name, Command::SetAlias { alias, target });
        }
        for rule in &tenant.fallbacks {
            self.perform(&tenant.name, Command::CreateFallback(translate::fallback(rule)));
        }
        for grant in &tenant.grants {
            let grant = translate::grant(grant);
            if random.one_in(3) {
                let mut passing = grant.clone();
                passing.id = Id::from_random(u128::from(random.next()) << 64);
                let id = passing.id;
                self.perform(&tenant.name, Command::CreateGrant(passing));
                self.perform(&tenant.name, Command::CreateGrant(grant));
                self.perform(&tenant.name, Command::DeleteGrant { id });
            } else {
                self.perform(&tenant.name, Command::CreateGrant(grant));
            }
        }
    }

    /// What the core says.
    pub(crate) fn answer(&self, question: &Question) -> Answer {
        self.ask(question, |caller, circumstances| match &question.about {
            About::Other(thing) => self.about_thing(caller, &question.action, thing, circumstances),
            About::Model(requested, provider, accepts_fallback) => {
                let request = ModelRequest {
                    action: &question.action,
                    requested,
                    provider: provider.as_deref(),
                    circumstances,
                    accepts_fallback: *accepts_fallback,
                };
                told(choose(&self.snapshot, caller, &request))
            }
        })
    }

    /// The models that the core lists for whoever asks.
    pub(crate) fn listed(&self, question: &Question) -> Vec<String> {
        self.ask(question, |caller, circumstances| {
            let models = usable(&self.snapshot, caller, circumstances);
            models.map(|model| model.id.to_string()).collect()
        })
    }

    fn about_thing(
        &self,
        caller: &Caller<'_>,
        action: &str,
        thing: &Thing,
        circumstances: Circumstances<'_>,
    ) -> Answer {
        let read = |name: &Option<String>| name.as_ref().map(|name| name.parse::<Name>().unwrap());
        let (family, environment) = (read(&thing.family), read(&thing.environment));
        let tags = translate::tags(&thing.tags);
        let request = Request {
            action,
            resource: Resource {
                family: family.as_ref(),
                environment: environment.as_ref(),
                tags: Some(&tags),
                ..Resource::named(&thing.kind, &thing.name)
            },
            circumstances,
        };
        let reason = decide(&self.snapshot, caller, &request).reason;
        because(reason).map_or_else(|| Answer::Yes(thing.name.clone(), None), Answer::No)
    }

    fn ask<T>(&self, question: &Question, put: impl FnOnce(&Caller<'_>, Circumstances<'_>) -> T) -> T {
        let tenant = self.snapshot.tenant(&question.tenant).unwrap();
        let asking = self.asking(question, tenant.name());
        let method = AuthMethod::ALL
            .into_iter()
            .find(|one| one.as_str() == question.method)
            .unwrap();
        let caller = Caller {
            tenant,
            principal: &asking.principal,
            account: tenant.account(&asking.principal).map(AsRef::as_ref),
            joins: &asking.joins,
            credential: asking.credential.as_ref(),
            unnarrowed: None,
            scope: question.scopes[1].map(|scope| &self.scopes[scope]),
            groups: &asking.groups,
            method,
            token: None,
        };
        let circumstances = Circumstances {
            now: Timestamp::from_micros(question.now),
            method,
            issuer: asking.issuer.as_ref(),
            issued: question.issued.map(Timestamp::from_micros),
            client: question.client,
        };
        put(&caller, circumstances)
    }

    fn asking(&self, question: &Question, tenant: &Name) -> Asking {
        let principal: Principal = question.principal.parse().unwrap();
        let group = |(issuer, value): &(String, String)| (issuer.parse().unwrap(), Arc::from(value.as_str()));
        let credential = question.scopes[0].map(|scope| {
            let (id, made) = (Id::from_random(7), (Timestamp::default(), Arc::from("test")));
            let digest = Peppers::new([(1, [7; 32])]).digest(id, &"s".repeat(43)).unwrap();
            Credential {
                scope: Some(Box::new(self.scopes[scope].clone())),
                ..Credential::new(id, tenant.clone(), principal.clone(), digest, made)
            }
        });
        Asking {
            joins: question.joins.iter().map(|team| team.parse().unwrap()).collect(),
            groups: question.groups.iter().map(group).collect(),
            issuer: question.issuer.as_ref().map(|issuer| issuer.parse().unwrap()),
            principal,
            credential,
        }
    }
}

fn told(chosen: Result<Choice<'_>, Unresolved>) -> Answer {
    match chosen {
        Err(Unresolved::Unknown) => Answer::Unknown,
        Err(Unresolved::Ambiguous) => Answer::Ambiguous,
        Ok(choice) => match because(choice.decision.reason) {
            Some(because) => Answer::No(because),
            None => Answer::Yes(
                choice.model.id.to_string(),
                choice.fallback.map(|taken| taken.denied.to_string()),
            ),
        },
    }
}

fn because(reason: Reason) -> Option<Because> {
    match reason {
        Reason::Granted => None,
        // No world has limits: it would differ from the others.
        Reason::NoGrant | Reason::OverBudget => Some(Because::NotAllowed),
        Reason::DeniedByGrant => Some(Because::Forbidden),
        Reason::ScopeModel | Reason::ScopeAction | Reason::ScopeEnvironment | Reason::ScopeNetwork => {
            Some(Because::Narrowed)
        }
    }
}
