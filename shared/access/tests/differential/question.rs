//! What is asked of a world: who, in which circumstances, what, of which thing.

use std::net::IpAddr;

use super::{
    random::Random,
    world::{
        ACTIONS, ALIASES, ENVIRONMENTS, FAMILIES, GROUPS, MODEL_NAMES, NEWCOMER, PRINCIPALS, PROVIDERS,
        TAG_KEYS, TAG_VALUES, TEAMS, Tags, World,
    },
};

#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) tenant: String,
    pub(crate) principal: String,
    /// The teams of a principal that is not recorded.
    pub(crate) joins: Vec<String>,
    /// Issuer and group.
    pub(crate) groups: Vec<(String, String)>,
    /// Which of the world's scopes narrow it: its credential's, and its token's.
    pub(crate) scopes: [Option<usize>; 2],
    pub(crate) action: String,
    pub(crate) about: About,
    /// Microseconds since the epoch.
    pub(crate) now: i64,
    pub(crate) method: String,
    pub(crate) issuer: Option<String>,
    /// When the token was issued, where it was one.
    pub(crate) issued: Option<i64>,
    pub(crate) client: Option<IpAddr>,
}

#[derive(Debug, Clone)]
pub(crate) enum About {
    /// A model as a client writes it, the provider that it names beside it, and whether another will do.
    Model(String, Option<String>, bool),
    /// Something else, and what is known of it.
    Other(Thing),
}

/// Whatever grants are about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thing {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) family: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) tags: Tags,
}

const CLIENTS: [&str; 6] = [
    "10.1.2.3",
    "10.1.2.4",
    "192.0.2.1",
    "2001:db8::1",
    "2001:db9::1",
    "::ffff:10.9.9.9",
];

impl Question {
    pub(crate) fn draw(random: &mut Random, world: &World) -> Self {
        let now = (world.about - 60) * 1_000_000 + i64::try_from(random.below(120_000_000)).unwrap();
        let (method, issuer) = match random.below(8) {
            0..4 => ("api_key", None),
            4 => ("jwt", Some("okta")),
            5 => ("jwt", Some("forge")),
            6 => ("oauth_token", Some("okta")),
            _ => ("turnpike_token", Some("turnpike")),
        };
        let newcomer = issuer.is_some() && random.one_in(5);
        let is_token = issuer.is_some();
        let carried = GROUPS.iter().filter(|_| is_token && random.one_in(2));
        let groups = carried.map(|(issuer, group)| ((*issuer).to_owned(), (*group).to_owned()));
        let groups = groups.collect();
        Self {
            tenant: random.text(&["acme", "acme", "bolt"]),
            principal: match newcomer {
                true => NEWCOMER.to_owned(),
                false => random.text(&PRINCIPALS),
            },
            joins: match newcomer {
                true => random.most(&TEAMS, 2),
                false => Vec::new(),
            },
            groups,
            scopes: [(); 2].map(|()| random.some(5, |random| random.below(world.scopes.len()))),
            action: random.text(&ACTIONS),
            about: about(random),
            now,
            method: method.to_owned(),
            issuer: issuer.map(str::to_owned),
            issued: is_token.then(|| now - 1_000_000 * i64::try_from(random.below(120)).unwrap()),
            client: random.some(2, |random| random.text(&CLIENTS).parse().unwrap()),
        }
    }
}

fn about(random: &mut Random) -> About {
    if random.one_in(5) {
        return About::Other(Thing {
            kind: "prompt".to_owned(),
            name: random.text(&["welcome", "wrap", "org/small"]),
            family: random.some(2, |random| random.text(&FAMILIES)),
            environment: random.some(2, |random| random.text(&ENVIRONMENTS)),
            tags: tags(random),
        });
    }
    let requested = match random.below(6) {
        0..3 => format!("{}/{}", random.pick(&PROVIDERS), random.pick(&MODEL_NAMES)),
        3 => random.text(&MODEL_NAMES),
        4 => random.text(&ALIASES),
        _ => random.text(&["open/unlisted", "shared/unlisted", "nobody/small", "unlisted"]),
    };
    let provider = random.some(6, |random| random.text(&PROVIDERS));
    About::Model(requested, provider, random.one_in(2))
}

fn tags(random: &mut Random) -> Tags {
    let keys: Vec<_> = TAG_KEYS.iter().filter(|_| random.one_in(2)).collect();
    let with_value = |key: &&str| ((*key).to_owned(), random.text(&TAG_VALUES));
    keys.into_iter().map(with_value).collect()
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is no such model.
    Unknown,
    /// There are several.
    Ambiguous,
    /// No: because something forbids it, nothing allows it, or the key or token is narrowed.
    No(Because),
    /// Yes; of a model which one, and in whose place.
    Yes(String, Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Because {
    Forbidden,
    NotAllowed,
    Narrowed,
}

impl Answer {
    pub(crate) fn is_yes(&self) -> bool {
        matches!(self, Self::Yes(..))
    }
}
