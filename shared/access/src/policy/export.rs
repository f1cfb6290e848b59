//! A tenant's whole access state as a policy.

use crate::{
    id::{Id, Name, Principal},
    issuer::{IssuerProfile, Verification},
    limit::Limit,
    model::{Fallback, ProviderProfile},
    offer::Offer,
    role,
    snapshot::{HeldAccount, HeldGrant, HeldTeam, Tenant},
};

use super::{
    AccountEntry, ApiVersion, FallbackEntry, GrantEntry, IssuerEntry, ModelEntry, OfferEntry, Policy,
    ProviderEntry, Secret, TeamEntry,
};

impl Policy {
    /// What a policy would say to have a tenant as it is. Credentials are no part of it, and of secrets only that they
    /// exist.
    pub fn of(tenant: &Tenant) -> Self {
        let accounts = tenant.accounts();
        let of_kind = |user: bool| {
            let these = accounts.iter().filter(|held| user == is_user(held));
            Some(these.map(|held| account(held)).collect())
        };
        let teams = tenant.teams();
        let models = tenant.models();
        let own_roles = tenant.roles().into_iter();
        let own_roles = own_roles.filter(|role| role::built_in(role.name.as_str()).is_none());
        Self {
            api_version: ApiVersion::V1,
            tenant: Some(tenant.settings().clone()),
            teams: Some(teams.into_iter().map(|held| team(held, &accounts)).collect()),
            users: of_kind(true),
            virtual_accounts: of_kind(false),
            roles: Some(own_roles.map(|role| role.as_ref().clone()).collect()),
            issuers: Some(
                tenant
                    .issuers()
                    .into_iter()
                    .map(|held| issuer(&held.name, &held.profile))
                    .collect(),
            ),
            providers: Some(
                tenant
                    .providers()
                    .into_iter()
                    .map(|held| provider(&held.name, &held.profile))
                    .collect(),
            ),
            models: Some(
                models
                    .into_iter()
                    .map(|model| ModelEntry {
                        name: model.id.clone(),
                        profile: model.profile.clone(),
                    })
                    .collect(),
            ),
            aliases: Some(
                tenant
                    .aliases()
                    .into_iter()
                    .map(|(alias, target)| (alias.clone(), target.clone()))
                    .collect(),
            ),
            fallbacks: Some(tenant.fallbacks().iter().map(FallbackEntry::of).collect()),
            grants: Some(
                tenant
                    .grants()
                    .into_iter()
                    .map(|held| GrantEntry::of(held))
                    .collect(),
            ),
            offers: (*tenant.name() == Name::platform())
                .then(|| tenant.offers().iter().map(OfferEntry::of).collect()),
            limits: Some(limits(tenant)),
            tests: Vec::new(),
        }
    }
}

impl GrantEntry {
    /// A grant that is held, by its id.
    pub fn of(held: &HeldGrant) -> Self {
        Self {
            id: Some(held.grant.id),
            grant: held.grant.clone(),
        }
    }
}

impl FallbackEntry {
    /// A rule that is held, by what it says.
    pub fn of(rule: &Fallback) -> Self {
        Self {
            rule: Fallback {
                id: Id::from_random(0),
                ..rule.clone()
            },
        }
    }
}

impl OfferEntry {
    /// An offer that is held, by what it says.
    pub fn of(offer: &Offer) -> Self {
        Self {
            offer: Offer {
                id: Id::from_random(0),
                ..offer.clone()
            },
        }
    }
}

/// By name, so that the text is the same for the same limits.
fn limits(tenant: &Tenant) -> Vec<Limit> {
    let mut limits: Vec<_> = tenant.limits().iter().map(|held| held.limit.clone()).collect();
    limits.sort_by(|one, other| one.name.cmp(&other.name));
    limits
}

fn is_user(held: &HeldAccount) -> bool {
    matches!(held.account.principal, Principal::User(_))
}

fn account(held: &HeldAccount) -> AccountEntry {
    AccountEntry {
        name: held.account.principal.name().clone(),
        profile: held.account.profile.clone(),
    }
}

fn team(held: &HeldTeam, accounts: &[&std::sync::Arc<HeldAccount>]) -> TeamEntry {
    let name = &held.team.name;
    let members = accounts.iter().filter(|held| held.account.teams.contains(name));
    TeamEntry {
        name: name.clone(),
        profile: held.team.profile.clone(),
        members: Some(members.map(|held| held.account.principal.clone()).collect()),
    }
}

fn provider(name: &Name, profile: &ProviderProfile) -> ProviderEntry {
    let secret = match profile.sealed_secret {
        Some(_) => Secret::Held,
        None => Secret::None,
    };
    ProviderEntry {
        name: name.clone(),
        profile: ProviderProfile {
            sealed_secret: None,
            ..profile.clone()
        },
        secret,
    }
}

fn issuer(name: &Name, profile: &IssuerProfile) -> IssuerEntry {
    let mut profile = profile.clone();
    let secret = match &mut profile.verification {
        Verification::Introspection { sealed_secret, .. } => {
            *sealed_secret = std::sync::Arc::default();
            Secret::Held
        }
        Verification::Discovery {} | Verification::Jwks { .. } | Verification::Keys { .. } => Secret::None,
    };
    IssuerEntry {
        name: name.clone(),
        profile,
        secret,
    }
}
