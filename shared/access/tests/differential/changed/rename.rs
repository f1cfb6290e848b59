//! Other names for everything that has a name of the tenant's own: each letter becomes another one.

use crate::cases::{
    question::{About, Answer, Question, Thing},
    world::{
        Account, Audience, BUILT_IN_ROLES, Fallback, Grant, Model, Offer, PLATFORM, Provider, Role, Scope,
        Selector, Tags, Tenant, Test, World,
    },
};

/// The letters thirteen places on; stars, slashes and dashes stay, so that patterns stay patterns.
fn name(text: &(impl AsRef<str> + ?Sized)) -> String {
    let other = |letter: char| match letter {
        'a'..='z' => char::from((u8::try_from(letter).unwrap() - b'a' + 13) % 26 + b'a'),
        other => other,
    };
    text.as_ref().chars().map(other).collect()
}

fn names(texts: &[String]) -> Vec<String> {
    texts.iter().map(name).collect()
}

fn after_colon(text: &(impl AsRef<str> + ?Sized)) -> String {
    let (kind, rest) = text.as_ref().split_once(':').unwrap();
    format!("{kind}:{}", name(rest))
}

/// The operators' tenant keeps its name.
fn tenant_name(text: &(impl AsRef<str> + ?Sized)) -> String {
    match text.as_ref() {
        PLATFORM => PLATFORM.to_owned(),
        other => name(other),
    }
}

fn tags(tags: &Tags) -> Tags {
    tags.iter().map(|(key, value)| (name(key), name(value))).collect()
}

fn test(test: &Test) -> Test {
    Test {
        one_of: test.one_of,
        values: names(&test.values),
    }
}

fn tag_tests(tests: &[(String, Test)]) -> Vec<(String, Test)> {
    tests
        .iter()
        .map(|(key, values)| (name(key), test(values)))
        .collect()
}

fn selector(selector: &Selector) -> Selector {
    let resources = selector.resources.iter();
    Selector {
        resources: resources
            .map(|(kind, pattern)| (kind.clone(), name(pattern)))
            .collect(),
        families: names(&selector.families),
        environment: selector.environment.as_ref().map(test),
        tags: tag_tests(&selector.tags),
        match_tags: names(&selector.match_tags),
    }
}

fn role_name(text: &(impl AsRef<str> + ?Sized)) -> String {
    match BUILT_IN_ROLES.contains(&text.as_ref()) {
        true => text.as_ref().to_owned(),
        false => name(text),
    }
}

/// `jwt:okta`: the issuer has a name too.
fn method(text: &(impl AsRef<str> + ?Sized)) -> String {
    match text.as_ref().contains(':') {
        true => after_colon(text),
        false => text.as_ref().to_owned(),
    }
}

fn grant(grant: &Grant) -> Grant {
    Grant {
        subject: after_colon(&grant.subject),
        role: role_name(&grant.role),
        selector: selector(&grant.selector),
        methods: grant.methods.iter().map(method).collect(),
        ..grant.clone()
    }
}

fn groups(groups: &[(String, String)]) -> Vec<(String, String)> {
    groups
        .iter()
        .map(|(issuer, group)| (name(issuer), name(group)))
        .collect()
}

fn tenant(tenant: &Tenant) -> Tenant {
    let account = |one: &Account| Account {
        principal: after_colon(&one.principal),
        teams: names(&one.teams),
        tags: tags(&one.tags),
    };
    let role = |one: &Role| Role {
        name: role_name(&one.name),
        actions: one.actions.clone(),
    };
    let provider = |one: &Provider| Provider {
        name: name(&one.name),
        tags: tags(&one.tags),
        ..one.clone()
    };
    let model = |one: &Model| Model {
        id: name(&one.id),
        family: one.family.as_ref().map(name),
        environment: one.environment.as_ref().map(name),
        tags: tags(&one.tags),
    };
    let fallback = |one: &Fallback| Fallback {
        number: one.number,
        from: name(&one.from),
        to: name(&one.to),
        teams: names(&one.teams),
        groups: groups(&one.groups),
    };
    let aliases = tenant.aliases.iter();
    Tenant {
        name: tenant_name(&tenant.name),
        tags: tags(&tenant.tags),
        teams: names(&tenant.teams),
        accounts: tenant.accounts.iter().map(account).collect(),
        roles: tenant.roles.iter().map(role).collect(),
        providers: tenant.providers.iter().map(provider).collect(),
        models: tenant.models.iter().map(model).collect(),
        aliases: aliases
            .map(|(alias, target)| (name(alias), name(target)))
            .collect(),
        grants: tenant.grants.iter().map(grant).collect(),
        fallbacks: tenant.fallbacks.iter().map(fallback).collect(),
        offers: tenant.offers.iter().map(offer).collect(),
    }
}

fn offer(offer: &Offer) -> Offer {
    Offer {
        number: offer.number,
        to: match &offer.to {
            Audience::All => Audience::All,
            Audience::Named(to) => Audience::Named(to.iter().map(tenant_name).collect()),
            Audience::Tagged(tests) => Audience::Tagged(tag_tests(tests)),
        },
        models: selector(&offer.models),
    }
}

pub(super) fn world(world: &World) -> World {
    let scope = |one: &Scope| Scope {
        models: names(&one.models),
        environments: names(&one.environments),
        ..one.clone()
    };
    World {
        tenants: world.tenants.iter().map(tenant).collect(),
        scopes: world.scopes.iter().map(scope).collect(),
        about: world.about,
    }
}

pub(super) fn question(question: &Question) -> Question {
    let about = match &question.about {
        About::Model(requested, provider, another_will_do) => {
            About::Model(name(requested), provider.as_ref().map(name), *another_will_do)
        }
        About::Other(thing) => About::Other(Thing {
            kind: thing.kind.clone(),
            name: name(&thing.name),
            family: thing.family.as_ref().map(name),
            environment: thing.environment.as_ref().map(name),
            tags: tags(&thing.tags),
        }),
    };
    Question {
        tenant: tenant_name(&question.tenant),
        principal: after_colon(&question.principal),
        joins: names(&question.joins),
        groups: groups(&question.groups),
        issuer: question.issuer.as_ref().map(name),
        about,
        ..question.clone()
    }
}

pub(super) fn answer(answer: &Answer) -> Answer {
    match answer {
        Answer::Yes(served, instead) => Answer::Yes(name(served), instead.as_ref().map(name)),
        other => other.clone(),
    }
}
