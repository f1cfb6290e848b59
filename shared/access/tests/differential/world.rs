//! Tenants and everything that decisions look at, as plain data, drawn from a few names so that they often meet.

use std::collections::BTreeMap;

use super::random::Random;

mod draw;
mod hours;

pub(crate) use draw::grant as draw_grant;
pub(crate) use hours::Hours;

pub(crate) type Tags = BTreeMap<String, String>;

pub(crate) const PLATFORM: &str = "platform";
pub(crate) const TEAMS: [&str; 3] = ["payments", "search", "support"];
pub(crate) const PRINCIPALS: [&str; 4] = [
    "user:alice",
    "user:bob",
    "virtual-account:bot",
    "virtual-account:alice",
];
/// A user whom a token vouches for and who is not recorded.
pub(crate) const NEWCOMER: &str = "user:newcomer";
pub(crate) const PROVIDERS: [&str; 3] = ["open", "closed", "shared"];
pub(crate) const MODEL_NAMES: [&str; 3] = ["small", "large", "org/large"];
pub(crate) const ALIASES: [&str; 3] = ["best", "small", "gpt"];
pub(crate) const GROUPS: [(&str, &str); 3] = [("okta", "engineers"), ("okta", "a/b"), ("forge", "engineers")];
pub(crate) const ENVIRONMENTS: [&str; 2] = ["production", "staging"];
pub(crate) const FAMILIES: [&str; 2] = ["gpt", "claude"];
pub(crate) const TAG_KEYS: [&str; 2] = ["customer", "tier"];
pub(crate) const TAG_VALUES: [&str; 2] = ["a", "b"];
pub(crate) const ACTIONS: [&str; 5] = [
    "inference.chat",
    "inference.messages",
    "inference.embeddings",
    "models.list",
    "prompts.edit",
];
/// Roles of the tenants' own; the others are built in.
pub(crate) const OWN_ROLES: [&str; 2] = ["callers", "editors"];
pub(crate) const BUILT_IN_ROLES: [&str; 4] = ["admin", "developer", "viewer", "analyst"];

/// Everything.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// The operators' first.
    pub(crate) tenants: Vec<Tenant>,
    /// What credentials and tokens are narrowed to.
    pub(crate) scopes: Vec<Scope>,
    /// Seconds since the epoch, about which everything happens.
    pub(crate) about: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) tags: Tags,
    pub(crate) teams: Vec<String>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) roles: Vec<Role>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) models: Vec<Model>,
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) fallbacks: Vec<Fallback>,
    pub(crate) offers: Vec<Offer>,
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) principal: String,
    pub(crate) teams: Vec<String>,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) actions: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) name: String,
    /// `openai`, `azure-openai` or `anthropic`.
    pub(crate) kind: String,
    /// Whether unlisted models exist too.
    pub(crate) open: bool,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) family: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) tags: Tags,
}

/// The value is one of these, or none of them.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) one_of: bool,
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    /// Kind and pattern.
    pub(crate) resources: Vec<(String, String)>,
    pub(crate) families: Vec<String>,
    pub(crate) environment: Option<Test>,
    pub(crate) tags: Vec<(String, Test)>,
    pub(crate) match_tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) number: u128,
    pub(crate) subject: String,
    pub(crate) role: String,
    pub(crate) denies: bool,
    pub(crate) selector: Selector,
    /// `jwt`, or `jwt:okta`.
    pub(crate) methods: Vec<String>,
    pub(crate) token_age: Option<u32>,
    pub(crate) networks: Vec<String>,
    /// In microseconds since the epoch, as the next.
    pub(crate) not_before: Option<i64>,
    pub(crate) expires: Option<i64>,
    pub(crate) hours: Vec<Hours>,
}

#[derive(Debug, Clone)]
pub(crate) struct Fallback {
    pub(crate) number: u128,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) teams: Vec<String>,
    /// Issuer and group.
    pub(crate) groups: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) number: u128,
    pub(crate) to: Audience,
    pub(crate) models: Selector,
}

#[derive(Debug, Clone)]
pub(crate) enum Audience {
    All,
    Named(Vec<String>),
    Tagged(Vec<(String, Test)>),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) models: Vec<String>,
    pub(crate) actions: Vec<String>,
    pub(crate) environments: Vec<String>,
    pub(crate) networks: Vec<String>,
}

impl World {
    pub(crate) fn draw(random: &mut Random) -> Self {
        draw::world(random)
    }

    pub(crate) fn tenant(&self, name: &str) -> &Tenant {
        self.tenants.iter().find(|one| one.name == name).unwrap()
    }

    pub(crate) fn tenant_mut(&mut self, name: &str) -> &mut Tenant {
        self.tenants.iter_mut().find(|one| one.name == name).unwrap()
    }
}

impl Tenant {
    pub(crate) fn account(&self, principal: &str) -> Option<&Account> {
        self.accounts.iter().find(|one| one.principal == principal)
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|one| one.name == name)
    }

    pub(crate) fn model(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|one| one.id == id)
    }
}
