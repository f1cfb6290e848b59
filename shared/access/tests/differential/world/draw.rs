//! Draws a world.

use std::collections::BTreeMap;

use super::{
    super::{naive, random::Random},
    *,
};

const PATTERNS: [&str; 8] = [
    "*",
    "open/*",
    "*/small",
    "closed/large",
    "o*/*l*",
    "shared/*",
    "*/org/*",
    "*e*",
];
const OTHER_PATTERNS: [&str; 4] = ["*", "welcome", "w*", "*/small"];
const ACTION_PATTERNS: [&str; 7] = [
    "*",
    "inference.*",
    "*.chat",
    "inference.chat",
    "prompts.*",
    "*e*i*",
    "models.list",
];
const METHODS: [&str; 6] = [
    "api_key",
    "jwt",
    "jwt:okta",
    "oauth_token",
    "oauth_token:okta",
    "turnpike_token",
];
const NETWORKS: [&str; 6] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3/32",
    "2001:db8::/32",
    "0.0.0.0/0",
    "::/0",
];
/// Round hours, and those at which clocks change in some of the places.
const MOMENTS: [i64; 9] = [
    1_774_746_000, // 2026-03-29T01:00Z, Berlin
    1_792_890_000, // 2026-10-25T01:00Z, Berlin
    1_772_953_200, // 2026-03-08T07:00Z, New York
    1_793_512_800, // 2026-11-01T06:00Z, New York
    1_775_314_800, // 2026-04-04T15:00Z, Lord Howe
    1_791_041_400, // 2026-10-03T15:30Z, Lord Howe
    1_790_035_200, // 2026-09-22T00:00Z
    1_789_939_800, // 2026-09-20T21:30Z
    1_790_016_600, // 2026-09-21T18:50Z
];

pub(super) fn world(random: &mut Random) -> World {
    let about = match random.one_in(2) {
        true => *random.pick(&MOMENTS),
        false => 1_767_225_600 + 1_800 * i64::try_from(random.below(35_000)).unwrap(),
    };
    let mut world = World {
        tenants: [PLATFORM, "acme", "bolt"]
            .map(|name| catalogue(random, name))
            .into(),
        scopes: random.times(3, scope),
        about,
    };
    let count = random.below(4);
    world.tenants[0].offers = random.times(count, offer);
    for place in 1..world.tenants.len() {
        let names = names(random, &world, place);
        let (aliases, fallbacks) = names;
        world.tenants[place].aliases = aliases;
        world.tenants[place].fallbacks = fallbacks;
        let count = random.below(14);
        world.tenants[place].grants = random.times(count, |random| grant(random, about));
    }
    world
}

fn catalogue(random: &mut Random, name: &str) -> Tenant {
    let providers: Vec<Provider> = random
        .most(&PROVIDERS, 3)
        .into_iter()
        .map(|name| provider(random, name))
        .collect();
    let mut models = Vec::new();
    for provider in &providers {
        for model in MODEL_NAMES {
            if random.one_in(2) {
                models.push(self::model(random, format!("{}/{model}", provider.name)));
            }
        }
    }
    let accounts = PRINCIPALS.iter().map(|principal| Account {
        principal: (*principal).to_owned(),
        teams: random.most(&TEAMS, 2),
        tags: tags(random),
    });
    Tenant {
        name: name.to_owned(),
        accounts: accounts.collect(),
        tags: tags(random),
        teams: TEAMS.map(str::to_owned).into(),
        roles: OWN_ROLES.map(|name| role(random, name)).into(),
        providers,
        models,
        aliases: BTreeMap::new(),
        grants: Vec::new(),
        fallbacks: Vec::new(),
        offers: Vec::new(),
    }
}

fn role(random: &mut Random, name: &str) -> Role {
    let count = 1 + random.below(2);
    Role {
        name: name.to_owned(),
        actions: random.times(count, |random| random.text(&ACTION_PATTERNS)),
    }
}

fn provider(random: &mut Random, name: String) -> Provider {
    Provider {
        name,
        kind: random.text(&["openai", "openai", "azure-openai", "anthropic"]),
        open: random.one_in(2),
        tags: tags(random),
    }
}

fn model(random: &mut Random, id: String) -> Model {
    Model {
        id,
        family: random.some(2, |random| random.text(&FAMILIES)),
        environment: random.some(2, |random| random.text(&ENVIRONMENTS)),
        tags: tags(random),
    }
}

/// What is called what, and what stands in for what: only what exists for the tenant.
fn names(random: &mut Random, world: &World, place: usize) -> (BTreeMap<String, String>, Vec<Fallback>) {
    let tenant = &world.tenants[place];
    let all = PROVIDERS
        .iter()
        .flat_map(|provider| MODEL_NAMES.map(|name| format!("{provider}/{name}")));
    let there: Vec<String> = all
        .filter(|id| naive::existing(world, tenant, id).is_some())
        .collect();
    if there.is_empty() {
        return (BTreeMap::new(), Vec::new());
    }
    let aliases = random.most(&ALIASES, 2).into_iter();
    let aliases = aliases
        .map(|alias| (alias, random.pick(&there).clone()))
        .collect();
    let count = random.below(4);
    let fallbacks = random.times(count, |random| Fallback {
        number: u128::from(random.next()),
        from: random.text(&PATTERNS),
        to: random.pick(&there).clone(),
        teams: random.few(|random| random.text(&TEAMS)),
        groups: random.few(group),
    });
    (aliases, fallbacks)
}

fn group(random: &mut Random) -> (String, String) {
    let (issuer, group) = random.pick(&GROUPS);
    ((*issuer).to_owned(), (*group).to_owned())
}

pub(crate) fn grant(random: &mut Random, about: i64) -> Grant {
    let subject = match random.below(5) {
        0 | 1 => random.text(&PRINCIPALS),
        2 | 3 => format!("team:{}", random.text(&TEAMS)),
        _ => {
            let (issuer, group) = group(random);
            format!("group:{issuer}/{group}")
        }
    };
    let role = match random.below(5) {
        0 => random.text(&BUILT_IN_ROLES),
        1 | 2 => "developer".to_owned(),
        _ => random.text(&OWN_ROLES),
    };
    let unconditional = random.one_in(3);
    let moment = |random: &mut Random, seconds: i64| {
        let minute = i64::try_from(random.below(121)).unwrap() - 60;
        (about + minute + seconds) * 1_000_000
    };
    let bare = Grant {
        number: u128::from(random.next()),
        subject,
        role,
        denies: random.one_in(4),
        selector: selector(random),
        methods: Vec::new(),
        token_age: None,
        networks: Vec::new(),
        not_before: None,
        expires: None,
        hours: Vec::new(),
    };
    if unconditional {
        return bare;
    }
    Grant {
        methods: random.few(|random| random.text(&METHODS)),
        token_age: random.some(5, |random| u32::try_from(random.below(120)).unwrap()),
        networks: random.few(network),
        not_before: random.some(4, |random| moment(random, -20)),
        expires: random.some(4, |random| moment(random, 20)),
        hours: random.few(Hours::draw),
        ..bare
    }
}

fn selector(random: &mut Random) -> Selector {
    if random.one_in(4) {
        return Selector::default();
    }
    Selector {
        resources: random.few(|random| match random.one_in(4) {
            true => ("prompt".to_owned(), random.text(&OTHER_PATTERNS)),
            false => ("model".to_owned(), random.text(&PATTERNS)),
        }),
        families: random.few(|random| random.text(&FAMILIES)),
        environment: random.some(4, |random| test(random, &ENVIRONMENTS)),
        tags: random.some(3, tag_test).into_iter().collect(),
        match_tags: random
            .some(4, |random| random.text(&TAG_KEYS))
            .into_iter()
            .collect(),
    }
}

fn test(random: &mut Random, values: &[&str]) -> Test {
    let count = 1 + random.below(2);
    Test {
        one_of: random.one_in(2),
        values: random.times(count, |random| random.text(values)),
    }
}

fn tag_test(random: &mut Random) -> (String, Test) {
    (random.text(&TAG_KEYS), test(random, &TAG_VALUES))
}

fn offer(random: &mut Random) -> Offer {
    let to = match random.below(3) {
        0 => Audience::All,
        1 => Audience::Named(vec![random.text(&["acme", "bolt"])]),
        _ => Audience::Tagged(vec![tag_test(random)]),
    };
    let mut models = selector(random);
    models.resources.retain(|(kind, _)| kind == "model");
    Offer {
        number: u128::from(random.next()),
        to,
        models,
    }
}

fn scope(random: &mut Random) -> Scope {
    Scope {
        models: random.few(|random| random.text(&PATTERNS)),
        actions: random.few(|random| random.text(&ACTION_PATTERNS)),
        environments: random.few(|random| random.text(&ENVIRONMENTS)),
        networks: random.few(network),
    }
}

fn network(random: &mut Random) -> String {
    random.text(&NETWORKS)
}

fn tags(random: &mut Random) -> Tags {
    let keys = TAG_KEYS.iter().filter(|_| random.one_in(2));
    let keys: Vec<_> = keys.collect();
    let with_value = |key: &&str| ((*key).to_owned(), random.text(&TAG_VALUES));
    keys.into_iter().map(with_value).collect()
}
