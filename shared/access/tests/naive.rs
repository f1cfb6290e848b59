//! The decision a second time, from the design's words alone: slow and plain, sharing nothing with the first but types.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use turnpike_access::{
    credential::Scope,
    decide::Request,
    grant::{Conditions, Effect, Grant, MethodRule, Subject},
    id::{Name, Principal, Timestamp},
    pattern::{Selector, SetOperator, SetTest},
    schedule::Schedule,
    snapshot::Tenant,
};

/// Who asks: the facts that the design names, without what the snapshot has looked up for speed.
pub(crate) struct Facts<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) principal: &'a Principal,
    pub(crate) groups: &'a [(Name, Arc<str>)],
    pub(crate) scope: Option<&'a Scope>,
}

/// Whether the answer is yes.
pub(crate) fn allowed(facts: &Facts<'_>, request: &Request<'_>) -> bool {
    let matching: Vec<Effect> = facts
        .tenant
        .grants()
        .into_iter()
        .filter(|held| speaks_of(facts, &held.grant.subject) && matches(facts, &held.grant, request))
        .map(|held| held.grant.effect)
        .collect();
    !matching.contains(&Effect::Deny)
        && matching.contains(&Effect::Allow)
        && facts.scope.is_none_or(|scope| within(scope, request))
}

fn speaks_of(facts: &Facts<'_>, subject: &Subject) -> bool {
    match subject {
        Subject::Principal(principal) => principal == facts.principal,
        Subject::Team(team) => {
            let held = facts.tenant.account(facts.principal).unwrap();
            held.account.teams.contains(team)
        }
        Subject::Group { issuer, value } => facts.groups.contains(&(issuer.clone(), value.clone())),
    }
}

fn matches(facts: &Facts<'_>, grant: &Grant, request: &Request<'_>) -> bool {
    let role = facts.tenant.role(grant.role.as_str()).unwrap();
    role.actions
        .iter()
        .any(|pattern| glob(pattern.as_str().as_bytes(), request.action.as_bytes()))
        && covers(facts, &grant.selector, request)
        && hold(&grant.conditions, request)
}

fn covers(facts: &Facts<'_>, selector: &Selector, request: &Request<'_>) -> bool {
    let resource = &request.resource;
    let mut all = resource.inherited.cloned().unwrap_or_default();
    all.extend(resource.tags.cloned().unwrap_or_default());
    let tag = |key: &str| all.get(key).map(AsRef::as_ref);
    let own = &facts
        .tenant
        .account(facts.principal)
        .unwrap()
        .account
        .profile
        .tags;
    let same = |key: &Arc<str>| own.contains_key(key) && own.get(key).map(AsRef::as_ref) == tag(key);
    let named = selector.resources.is_empty()
        || selector.resources.iter().any(|one| {
            one.kind.as_str() == resource.kind && glob(one.name.as_str().as_bytes(), resource.name.as_bytes())
        });
    let family = selector.families.is_empty()
        || resource
            .family
            .is_some_and(|family| selector.families.contains(family));
    let environment = selector
        .environment
        .as_ref()
        .is_none_or(|test| passes(test, resource.environment.map(Name::as_str)));
    named
        && family
        && environment
        && selector.tags.iter().all(|one| passes(&one.test, tag(&one.key)))
        && selector.match_tags.iter().all(same)
}

fn passes(test: &SetTest, value: Option<&str>) -> bool {
    let among = test.values.iter().any(|one| Some(one.as_ref()) == value);
    match test.operator {
        SetOperator::In => among,
        SetOperator::NotIn => !among,
    }
}

fn hold(conditions: &Conditions, request: &Request<'_>) -> bool {
    let circumstances = &request.circumstances;
    let method = |rule: &MethodRule| {
        rule.method == circumstances.method
            && rule
                .issuer
                .iter()
                .all(|issuer| circumstances.issuer == Some(issuer))
    };
    let young = |age: u32| match circumstances.issued {
        Some(issued) => circumstances.now.as_micros() - issued.as_micros() < i64::from(age) * 1_000_000,
        None => false,
    };
    (conditions.methods.is_empty() || conditions.methods.iter().any(method))
        && conditions.max_token_age_seconds.is_none_or(young)
        && anywhere_or_inside(&conditions.networks, circumstances.client)
        && conditions.not_before.is_none_or(|from| circumstances.now >= from)
        && conditions.expires.is_none_or(|end| circumstances.now < end)
        && (conditions.schedules.is_empty()
            || conditions
                .schedules
                .iter()
                .any(|one| open(one, circumstances.now)))
}

/// By the text alone, as everything in these tests happens in one minute of a Monday in UTC.
fn open(schedule: &Schedule, now: Timestamp) -> bool {
    let text = schedule.to_string();
    let second = now.as_micros() / 1_000_000 % 86_400;
    let (days, times) = text.strip_suffix(" UTC").unwrap().split_once(' ').unwrap();
    let (from, until) = times.split_once('-').unwrap();
    let clock = format!("{:02}:{:02}", second / 3600, second / 60 % 60);
    days.starts_with("mon") && from <= clock.as_str() && clock.as_str() < until
}

fn within(scope: &Scope, request: &Request<'_>) -> bool {
    let resource = &request.resource;
    let models = scope.models.is_empty()
        || (resource.kind == "model"
            && scope
                .models
                .iter()
                .any(|one| glob(one.as_str().as_bytes(), resource.name.as_bytes())));
    let actions = scope.actions.is_empty()
        || scope
            .actions
            .iter()
            .any(|one| glob(one.as_str().as_bytes(), request.action.as_bytes()));
    let environments = scope.environments.is_empty()
        || resource
            .environment
            .is_some_and(|one| scope.environments.contains(one));
    models && actions && environments && anywhere_or_inside(&scope.networks, request.circumstances.client)
}

fn anywhere_or_inside(networks: &[IpNet], client: Option<IpAddr>) -> bool {
    networks.is_empty() || client.is_some_and(|client| networks.iter().any(|net| inside(net, client)))
}

/// Bit by bit; an IPv4 address in IPv6 clothes is the IPv4 address.
fn inside(net: &IpNet, client: IpAddr) -> bool {
    let bits = |address: IpAddr| -> Vec<bool> {
        let octets = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6
                .to_ipv4_mapped()
                .map_or(v6.octets().to_vec(), |v4| v4.octets().to_vec()),
        };
        octets
            .iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1))
            .collect()
    };
    let (network, client) = (bits(net.network()), bits(client));
    let length = usize::from(net.prefix_len());
    network.len() == client.len() && network[..length] == client[..length]
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) if glob(rest, text) => true,
        ([b'*', ..], [_, rest @ ..]) => glob(pattern, rest),
        ([one, pattern @ ..], [other, text @ ..]) => one == other && glob(pattern, text),
        _ => false,
    }
}
