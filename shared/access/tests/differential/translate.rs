//! The core's values from the world's texts.

use std::sync::Arc;

use turnpike_access::{
    credential::Scope,
    grant::{Conditions, Effect, Grant, Subject},
    id::{Id, Timestamp},
    model::{Catalogue, Fallback, ModelProfile, ProviderKind, ProviderProfile},
    offer::{Audience, Offer},
    pattern::{ResourcePattern, Selector, SetOperator, SetTest, TagTest, Tags},
    role::Role,
};

use super::world;

fn read<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn all<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[String]) -> Vec<T> {
    texts.iter().map(|text| read(text)).collect()
}

pub(super) fn tags(tags: &world::Tags) -> Tags {
    let pairs = tags.iter();
    pairs
        .map(|(key, value)| (Arc::from(key.as_str()), Arc::from(value.as_str())))
        .collect()
}

fn test(test: &world::Test) -> SetTest {
    SetTest {
        operator: match test.one_of {
            true => SetOperator::In,
            false => SetOperator::NotIn,
        },
        values: test
            .values
            .iter()
            .map(|value| Arc::from(value.as_str()))
            .collect(),
    }
}

fn tag_test((key, values): &(String, world::Test)) -> TagTest {
    TagTest {
        key: Arc::from(key.as_str()),
        test: test(values),
    }
}

fn selector(selector: &world::Selector) -> Selector {
    let resource = |(kind, name): &(String, String)| ResourcePattern {
        kind: read(kind),
        name: read(name),
    };
    Selector {
        resources: selector.resources.iter().map(resource).collect(),
        families: all(&selector.families),
        environment: selector.environment.as_ref().map(test),
        tags: selector.tags.iter().map(tag_test).collect(),
        match_tags: selector
            .match_tags
            .iter()
            .map(|key| Arc::from(key.as_str()))
            .collect(),
    }
}

pub(super) fn grant(grant: &world::Grant) -> Grant {
    Grant {
        id: Id::from_random(grant.number),
        subject: read(&grant.subject),
        role: read(&grant.role),
        effect: match grant.denies {
            true => Effect::Deny,
            false => Effect::Allow,
        },
        selector: selector(&grant.selector),
        conditions: Conditions {
            methods: all(&grant.methods),
            max_token_age_seconds: grant.token_age,
            networks: all(&grant.networks),
            not_before: grant.not_before.map(Timestamp::from_micros),
            expires: grant.expires.map(Timestamp::from_micros),
            schedules: grant.hours.iter().map(|hours| read(&hours.text)).collect(),
        },
        reason: None,
        owner: None,
    }
}

pub(super) fn role(role: &world::Role) -> Role {
    Role {
        name: read(&role.name),
        actions: all(&role.actions),
        description: None,
    }
}

pub(super) fn provider(provider: &world::Provider) -> ProviderProfile {
    let kind: ProviderKind = read(&provider.kind);
    ProviderProfile {
        kind,
        base_url: Arc::from("https://models.example/v1"),
        sealed_secret: None,
        api_version: (kind == ProviderKind::AzureOpenai).then(|| Arc::from("2026-01-01")),
        catalogue: match provider.open {
            true => Catalogue::Open,
            false => Catalogue::Closed,
        },
        tags: tags(&provider.tags),
        identity: None,
    }
}

pub(super) fn model(model: &world::Model) -> ModelProfile {
    ModelProfile {
        family: model.family.as_deref().map(read),
        environment: model.environment.as_deref().map(read),
        tags: tags(&model.tags),
        ..ModelProfile::default()
    }
}

pub(super) fn fallback(rule: &world::Fallback) -> Fallback {
    let group = |(issuer, value): &(String, String)| Subject::Group {
        issuer: read(issuer),
        value: Arc::from(value.as_str()),
    };
    Fallback {
        id: Id::from_random(rule.number),
        from: read(&rule.from),
        to: read(&rule.to),
        teams: all(&rule.teams),
        groups: rule.groups.iter().map(group).collect(),
        over_budget: false,
    }
}

pub(super) fn offer(offer: &world::Offer) -> Offer {
    Offer {
        id: Id::from_random(offer.number),
        to: match &offer.to {
            world::Audience::All => Audience::All {},
            world::Audience::Named(names) => Audience::Named(all(names)),
            world::Audience::Tagged(tests) => Audience::Tagged(tests.iter().map(tag_test).collect()),
        },
        models: selector(&offer.models),
        reason: None,
    }
}

pub(super) fn scope(scope: &world::Scope) -> Scope {
    Scope {
        models: all(&scope.models),
        actions: all(&scope.actions),
        environments: all(&scope.environments),
        networks: all(&scope.networks),
    }
}
