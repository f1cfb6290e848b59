//! A small universe of names, and the random choices that build values in it.
//!
//! It is small on purpose: among a handful of names, a grant often meets its request and a deletion something to delete.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use ipnet::IpNet;
use proptest::test_runner::Config as ProptestConfig;
use turnpike_access::{
    credential::{KeyKind, Scope, write_key},
    digest::Peppers,
    grant::{AuthMethod, Circumstances, Conditions, Subject},
    id::{Id, ModelId, Name, Principal, Timestamp},
    pattern::{Glob, ResourcePattern, Selector, SetOperator, SetTest, TagTest, Tags},
    tenant::AccountProfile,
};

pub(crate) const TENANTS: [&str; 2] = ["acme", "bolt"];
pub(crate) const TEAMS: [&str; 3] = ["payments", "search", "support"];
pub(crate) const PRINCIPALS: [&str; 4] = [
    "user:alice",
    "user:bob",
    "virtual-account:bot",
    "virtual-account:alice",
];
pub(crate) const ROLES: [&str; 4] = ["developer", "viewer", "callers", "editors"];
/// The first has an open catalogue, the second a closed one, in the prelude.
pub(crate) const PROVIDERS: [&str; 2] = ["open", "closed"];
pub(crate) const MODELS: [&str; 5] = [
    "open/small",
    "open/large",
    "closed/small",
    "closed/large",
    "open/org/large",
];
pub(crate) const ISSUERS: [&str; 2] = ["okta", "forge"];
pub(crate) const ISSUER_URLS: [&str; 2] = ["https://okta.example", "https://forge.example"];
const EMAILS: [&str; 2] = ["alice@acme.example", "Bob@acme.example"];
pub(crate) const ALIASES: [&str; 3] = ["best", "small", "open"];
pub(crate) const ACTIONS: [&str; 4] = [
    "inference.chat",
    "inference.embeddings",
    "models.list",
    "prompts.edit",
];
pub(crate) const GROUPS: [(&str, &str); 2] = [("okta", "engineers"), ("okta", "a/b")];
const PATTERNS: [&str; 7] = [
    "*",
    "open/*",
    "*/small",
    "closed/large",
    "o*/*l*",
    "open",
    "*/org/*",
];
const METHODS: [&str; 4] = ["api_key", "jwt", "jwt:okta", "turnpike_token"];
/// Everything happens about a quarter past two on a Monday.
const SCHEDULES: [&str; 4] = [
    "mon-fri 14:00-15:00 UTC",
    "mon 14:13-14:14 UTC",
    "mon,sun 14:14-24:00 UTC",
    "tue 14:00-15:00 UTC",
];
const NETWORKS: [&str; 4] = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0"];
const CLIENTS: [&str; 4] = ["10.1.2.3", "192.0.2.1", "2001:db8::1", "::ffff:10.9.9.9"];
/// Everything in these tests happens within seconds of this moment.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
const SECRET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde";

/// The seconds over which histories, conditions and requests spread.
pub(crate) const SPAN: usize = 60;

/// Draws values from random bytes; when they run out, everything is the first of its kind.
pub(crate) struct Dice<'b>(std::slice::Iter<'b, u8>);

impl<'b> Dice<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes.iter())
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % end
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == chances - 1
    }

    pub(crate) fn pick<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len())]
    }

    pub(crate) fn named<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self, choices: &[&str]) -> T {
        self.pick(choices).parse().unwrap()
    }

    fn some<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(3).then(|| draw(self))
    }

    fn few<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = [0, 0, 0, 1, 2][self.below(5)];
        (0..count).map(|_| draw(self)).collect()
    }

    pub(crate) fn moment(&mut self) -> Timestamp {
        START.plus_seconds(i64::try_from(self.below(SPAN)).unwrap())
    }

    /// One of the few ids that credentials, grants and rules have, those of a tenant apart from the others'.
    pub(crate) fn id(&mut self, tenant: &Name) -> Id {
        let of = u128::from(tenant.as_str() == TENANTS[1]);
        Id::from_random(2 * u128::try_from(self.below(6)).unwrap() + of)
    }

    fn glob(&mut self) -> Glob {
        self.named(&PATTERNS)
    }

    fn set(&mut self, values: &[&str]) -> SetTest {
        SetTest {
            operator: [SetOperator::In, SetOperator::NotIn][self.below(2)],
            values: vec![Arc::from(self.pick(values))],
        }
    }

    pub(crate) fn subject(&mut self) -> Subject {
        match self.below(4) {
            0 | 1 => Subject::Principal(self.named(&PRINCIPALS)),
            2 => Subject::Team(self.named(&TEAMS)),
            _ => {
                let (issuer, value) = GROUPS[self.below(2)];
                format!("group:{issuer}/{value}").parse().unwrap()
            }
        }
    }

    pub(crate) fn selector(&mut self) -> Selector {
        Selector {
            resources: self.few(|dice| ResourcePattern {
                kind: dice.named(&["model", "model", "team"]),
                name: dice.glob(),
            }),
            families: self.few(|dice| dice.named(&["gpt", "claude"])),
            environment: self.some(|dice| dice.set(&["production", "staging"])),
            tags: self.few(|dice| TagTest {
                key: Arc::from("customer"),
                test: dice.set(&["a", "b"]),
            }),
            match_tags: self.some(|_| Arc::from("customer")).into_iter().collect(),
        }
    }

    pub(crate) fn conditions(&mut self) -> Conditions {
        Conditions {
            methods: self.few(|dice| dice.named(&METHODS)),
            max_token_age_seconds: self.some(|dice| u32::try_from(dice.below(SPAN)).unwrap()),
            networks: self.few(Self::network),
            not_before: self.some(Self::moment),
            expires: self.some(|dice| dice.moment().plus_seconds(20)),
            schedules: self.few(|dice| dice.named(&SCHEDULES)),
        }
    }

    fn network(&mut self) -> IpNet {
        self.named(&NETWORKS)
    }

    pub(crate) fn scope(&mut self) -> Option<Scope> {
        self.some(|dice| Scope {
            models: dice.few(Self::glob),
            actions: dice.few(|dice| dice.named(&["inference.*", "*", "inference.chat"])),
            environments: dice.few(|dice| dice.named(&["production", "staging"])),
            networks: dice.few(Self::network),
        })
    }

    pub(crate) fn profile(&mut self) -> AccountProfile {
        AccountProfile {
            deactivated: self.one_in(3),
            email: self.some(|dice| Arc::from(dice.pick(&EMAILS))),
            subjects: self.few(|dice| Arc::from(dice.pick(&["okta/1", "okta/2", "forge/1"]))),
            tags: self.tags(),
            owner: self.some(|dice| Arc::new(dice.named(&["user:alice", "team:payments", "user:gone"]))),
            ..AccountProfile::default()
        }
    }

    pub(crate) fn tags(&mut self) -> Tags {
        self.some(|dice| BTreeMap::from([(Arc::from("customer"), Arc::from(dice.pick(&["a", "b"])))]))
            .unwrap_or_default()
    }

    pub(crate) fn teams(&mut self) -> Vec<Name> {
        self.few(|dice| dice.named(&TEAMS))
    }

    pub(crate) fn circumstances(&mut self) -> Circumstances<'static> {
        static NAMES: LazyLock<[Name; 2]> = LazyLock::new(|| ISSUERS.map(|name| name.parse().unwrap()));
        let by_key = Circumstances {
            now: self.moment(),
            method: AuthMethod::ApiKey,
            issuer: None,
            issued: None,
            client: self
                .below(5)
                .checked_sub(1)
                .map(|one| CLIENTS[one].parse().unwrap()),
        };
        match self.below(3) {
            0 => by_key,
            one => Circumstances {
                method: AuthMethod::Jwt,
                issuer: Some(&NAMES[one - 1]),
                issued: Some(self.moment()),
                ..by_key
            },
        }
    }
}

/// Few random cases, so that the tests stay quick; `PROPTEST_CASES` asks for more.
pub(crate) fn cases() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: if asked { usual.cases } else { 64 },
        failure_persistence: None,
        ..usual
    }
}

/// The pepper of these tests.
pub(crate) fn peppers() -> Peppers {
    Peppers::new([(1, [7; 32])])
}

/// The secret of a credential: the same for its id and generation every time.
pub(crate) fn secret(id: Id, generation: usize) -> String {
    let last = id.as_str().chars().next().unwrap();
    format!("{SECRET}{last}{generation}")
}

/// A credential's full key.
pub(crate) fn key(owner: &Principal, id: Id, generation: usize) -> String {
    write_key(KeyKind::of(owner), id, &secret(id, generation))
}

/// A model's name, parsed.
pub(crate) fn model(text: &str) -> ModelId {
    text.parse().unwrap()
}
