//! The decision a second time, from the design's words alone: it reads the world as it is written, looks nothing up, and
//! shares no line with the core.

use std::net::IpAddr;

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};

use super::{
    question::{About, Answer, Because, Question, Thing},
    world::{
        Audience, Fallback, Grant, Hours, Model, PLATFORM, Provider, Scope, Selector, Tags, Tenant, Test,
        World,
    },
};

/// The answer to a question.
pub(crate) fn answer(world: &World, question: &Question) -> Answer {
    let thing = match judged(world, question) {
        Ok(thing) => thing,
        Err(answer) => return answer,
    };
    let asked = decided(world, question, &thing);
    if asked.is_yes() || !matches!(question.about, About::Model(_, _, true)) {
        return asked;
    }
    let rules = &world.tenant(&question.tenant).fallbacks;
    let mut substitutes = rules
        .iter()
        .filter(|rule| stands_in(world, question, rule, &thing.name));
    let served =
        substitutes.find(|rule| decided(world, question, &model(world, question, &rule.to)).is_yes());
    match served {
        Some(rule) => Answer::Yes(rule.to.clone(), Some(thing.name)),
        None => asked,
    }
}

/// The thing that a question is about, leaving substitutes aside.
pub(crate) fn judged(world: &World, question: &Question) -> Result<Thing, Answer> {
    match &question.about {
        About::Other(thing) => Ok(thing.clone()),
        About::Model(requested, provider, _) => {
            let id = meant(world, question, requested, provider.as_deref())?;
            Ok(model(world, question, &id))
        }
    }
}

// --- Names ---

/// The model that a client's words mean: an alias, a full name, or a bare name that is unique; the tenant's own models
/// go before those that it is offered.
fn meant(
    world: &World,
    question: &Question,
    requested: &str,
    provider: Option<&str>,
) -> Result<String, Answer> {
    let tenant = world.tenant(&question.tenant);
    let there = |id: &str| existing(world, tenant, id).is_some();
    if let Some(provider) = provider {
        let id = format!("{provider}/{requested}");
        return if there(&id) { Ok(id) } else { Err(Answer::Unknown) };
    }
    if let Some(target) = tenant.aliases.get(requested) {
        return if there(target) {
            Ok(target.clone())
        } else {
            Err(Answer::Unknown)
        };
    }
    if there(requested) {
        return Ok(requested.to_owned());
    }
    let called_so = |model: &&Model| model.id.split_once('/').unwrap().1 == requested;
    let own: Vec<&Model> = tenant.models.iter().filter(called_so).collect();
    let offered = world.tenant(PLATFORM).models.iter().filter(called_so);
    let from_platform =
        |model: &&Model| existing(world, tenant, &model.id).is_some_and(|owner| owner.name == PLATFORM);
    let offered: Vec<&Model> = offered.filter(from_platform).collect();
    let found = if own.is_empty() { offered } else { own };
    match found.as_slice() {
        [] => Err(Answer::Unknown),
        [only] => Ok(only.id.clone()),
        _ => Err(Answer::Ambiguous),
    }
}

/// Whose a model is that exists for a tenant: its own, or the operators'.
pub(crate) fn existing<'w>(world: &'w World, tenant: &'w Tenant, id: &str) -> Option<&'w Tenant> {
    let serves = |of: &Tenant| {
        let provider = id.split_once('/').and_then(|(provider, _)| of.provider(provider));
        provider.is_some_and(|provider| provider.open || of.model(id).is_some())
    };
    if serves(tenant) {
        return Some(tenant);
    }
    let platform = world.tenant(PLATFORM);
    let hidden = id
        .split_once('/')
        .is_some_and(|(provider, _)| tenant.provider(provider).is_some());
    let thing = described(platform, id);
    let offered = platform.offers.iter().any(|offer| {
        let meant = match &offer.to {
            Audience::All => true,
            Audience::Named(names) => names.contains(&tenant.name),
            Audience::Tagged(tests) => tests.iter().all(|(key, test)| passes(test, tenant.tags.get(key))),
        };
        meant && covers(&offer.models, &thing, Some(&tenant.tags))
    });
    (serves(platform) && offered && !hidden).then_some(platform)
}

fn model(world: &World, question: &Question, id: &str) -> Thing {
    let owner = existing(world, world.tenant(&question.tenant), id);
    owner.map_or_else(Thing::default, |owner| described(owner, id))
}

fn described(owner: &Tenant, id: &str) -> Thing {
    let listed = owner.model(id);
    let provider = id
        .split_once('/')
        .and_then(|(provider, _)| owner.provider(provider));
    let mut tags: Tags = provider.map(|provider| provider.tags.clone()).unwrap_or_default();
    tags.extend(listed.map(|model| model.tags.clone()).unwrap_or_default());
    Thing {
        kind: "model".to_owned(),
        name: id.to_owned(),
        family: listed.and_then(|model| model.family.clone()),
        environment: listed.and_then(|model| model.environment.clone()),
        tags,
    }
}

// --- Substitutes ---

fn stands_in(world: &World, question: &Question, rule: &Fallback, denied: &str) -> bool {
    let tenant = world.tenant(&question.tenant);
    let teams = teams(world, question);
    let people = (rule.teams.is_empty() && rule.groups.is_empty())
        || rule.teams.iter().any(|team| teams.contains(team))
        || rule.groups.iter().any(|group| question.groups.contains(group));
    let there = existing(world, tenant, &rule.to);
    let provider = there.and_then(|owner| owner.provider(rule.to.split_once('/')?.0));
    let speaks = |provider: &Provider| match (provider.kind.as_str(), question.action.as_str()) {
        ("anthropic", action) => action == "inference.messages",
        (_, action) => action != "inference.messages",
    };
    glob(&rule.from, denied) && rule.to != denied && people && provider.is_some_and(speaks)
}

// --- The decision ---

fn decided(world: &World, question: &Question, thing: &Thing) -> Answer {
    let tenant = world.tenant(&question.tenant);
    let matching = |grant: &&Grant| {
        speaks_of(world, question, &grant.subject)
            && may(tenant, &grant.role, &question.action)
            && covers(&grant.selector, thing, own_tags(world, question))
            && holds(grant, question)
    };
    let matching: Vec<&Grant> = tenant.grants.iter().filter(matching).collect();
    let narrowing = question
        .scopes
        .iter()
        .flatten()
        .map(|scope| &world.scopes[*scope]);
    if matching.iter().any(|grant| grant.denies) {
        Answer::No(Because::Forbidden)
    } else if matching.is_empty() {
        Answer::No(Because::NotAllowed)
    } else if narrowing.clone().any(|scope| !within(scope, question, thing)) {
        Answer::No(Because::Narrowed)
    } else {
        Answer::Yes(thing.name.clone(), None)
    }
}

fn teams(world: &World, question: &Question) -> Vec<String> {
    let account = world.tenant(&question.tenant).account(&question.principal);
    account.map_or(question.joins.clone(), |account| account.teams.clone())
}

fn own_tags<'w>(world: &'w World, question: &Question) -> Option<&'w Tags> {
    let account = world.tenant(&question.tenant).account(&question.principal);
    account.map(|account| &account.tags)
}

fn speaks_of(world: &World, question: &Question, subject: &str) -> bool {
    let teams = teams(world, question)
        .into_iter()
        .map(|team| format!("team:{team}"));
    let groups = question.groups.iter();
    let mut groups = groups.map(|(issuer, group)| format!("group:{issuer}/{group}"));
    let recorded = own_tags(world, question).is_some() && subject == question.principal;
    recorded || teams.into_iter().any(|team| team == subject) || groups.any(|group| group == subject)
}

/// The built-in roles as far as these actions go, as they are documented.
fn may(tenant: &Tenant, role: &str, action: &str) -> bool {
    match role {
        "admin" => true,
        "developer" => action.starts_with("inference.") || action == "models.list",
        "viewer" | "analyst" => action == "models.list",
        own => {
            let role = tenant.roles.iter().find(|one| one.name == own).unwrap();
            role.actions.iter().any(|pattern| glob(pattern, action))
        }
    }
}

fn covers(selector: &Selector, thing: &Thing, own: Option<&Tags>) -> bool {
    let Selector {
        resources,
        families,
        environment,
        tags,
        match_tags,
    } = selector;
    let named = |(kind, pattern): &(String, String)| *kind == thing.kind && glob(pattern, &thing.name);
    let same = |key: &String| {
        let (own, other) = (own.and_then(|tags| tags.get(key)), thing.tags.get(key));
        own.is_some() && own == other
    };
    (resources.is_empty() || resources.iter().any(named))
        && (families.is_empty() || thing.family.as_ref().is_some_and(|one| families.contains(one)))
        && environment
            .iter()
            .all(|test| passes(test, thing.environment.as_ref()))
        && tags.iter().all(|(key, test)| passes(test, thing.tags.get(key)))
        && match_tags.iter().all(same)
}

fn passes(test: &Test, value: Option<&String>) -> bool {
    let among = value.is_some_and(|value| test.values.contains(value));
    among == test.one_of
}

fn holds(grant: &Grant, question: &Question) -> bool {
    let method = |rule: &String| match rule.split_once(':') {
        Some((method, issuer)) => *method == question.method && question.issuer.as_deref() == Some(issuer),
        None => *rule == question.method,
    };
    let young = |age: &u32| {
        let issued = question.issued;
        issued.is_some_and(|issued| question.now - issued < i64::from(*age) * 1_000_000)
    };
    (grant.methods.is_empty() || grant.methods.iter().any(method))
        && grant.token_age.iter().all(young)
        && from_one_of(&grant.networks, question.client)
        && grant.not_before.iter().all(|from| question.now >= *from)
        && grant.expires.iter().all(|end| question.now < *end)
        && (grant.hours.is_empty() || grant.hours.iter().any(|hours| open(hours, question.now)))
}

/// By what a calendar and a clock of the place show.
fn open(hours: &Hours, now: i64) -> bool {
    let moment = Timestamp::from_second(now.div_euclid(1_000_000)).unwrap();
    let shown = moment.to_zoned(TimeZone::get(&hours.zone).unwrap());
    let minute = i64::from(shown.hour()) * 60 + i64::from(shown.minute());
    let on = |day: Weekday| hours.days[usize::try_from(day.to_monday_zero_offset()).unwrap()];
    let (today, yesterday) = (shown.weekday(), shown.yesterday().unwrap().weekday());
    match hours.from < hours.until {
        true => on(today) && minute >= hours.from && minute < hours.until,
        false => (on(today) && minute >= hours.from) || (on(yesterday) && minute < hours.until),
    }
}

fn within(scope: &Scope, question: &Question, thing: &Thing) -> bool {
    let Scope {
        models,
        actions,
        environments,
        networks,
    } = scope;
    let model = |pattern: &String| thing.kind == "model" && glob(pattern, &thing.name);
    (models.is_empty() || models.iter().any(model))
        && (actions.is_empty() || actions.iter().any(|one| glob(one, &question.action)))
        && (environments.is_empty() || thing.environment.iter().any(|one| environments.contains(one)))
        && from_one_of(networks, question.client)
}

fn from_one_of(networks: &[String], client: Option<IpAddr>) -> bool {
    networks.is_empty() || client.is_some_and(|client| networks.iter().any(|network| inside(network, client)))
}

/// Bit by bit; an IPv4 address in IPv6 clothes is the IPv4 address.
fn inside(network: &str, client: IpAddr) -> bool {
    let (base, length) = network.split_once('/').unwrap();
    let bits = |address: IpAddr| -> String {
        let octets = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6
                .to_ipv4_mapped()
                .map_or(v6.octets().to_vec(), |v4| v4.octets().to_vec()),
        };
        octets.iter().map(|octet| format!("{octet:08b}")).collect()
    };
    let (base, client, length) = (
        bits(base.parse().unwrap()),
        bits(client),
        length.parse::<usize>().unwrap(),
    );
    base.len() == client.len() && base[..length] == client[..length]
}

/// A star stands for any run of characters, an empty one too.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(place, _)| place).chain([rest.len()]);
            ends.into_iter().any(|place| glob(after, &rest[place..]))
        }),
    }
}
