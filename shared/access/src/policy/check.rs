//! What a policy may not say twice, and the joining of several files.

use std::{collections::BTreeSet, fmt::Display};

use serde::Serialize;

use super::{Policy, test::Question, test::Test};

/// Something stands twice, in one file or in two, or a test asks nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Doubled(String);

impl Policy {
    /// Adds what another file says.
    ///
    /// # Errors
    /// If both speak of the tenant, or of the same thing.
    pub fn join(&mut self, other: Self) -> Result<(), Doubled> {
        let Self {
            api_version: _,
            tenant,
            teams,
            users,
            virtual_accounts,
            roles,
            issuers,
            providers,
            models,
            aliases,
            fallbacks,
            grants,
            offers,
            limits,
            tests,
        } = other;
        if self.tenant.is_some() && tenant.is_some() {
            return Err(Doubled("the section `tenant` stands in two files".to_owned()));
        }
        self.tenant = self.tenant.take().or(tenant);
        append(&mut self.teams, teams);
        append(&mut self.users, users);
        append(&mut self.virtual_accounts, virtual_accounts);
        append(&mut self.roles, roles);
        append(&mut self.issuers, issuers);
        append(&mut self.providers, providers);
        append(&mut self.models, models);
        for (alias, target) in aliases.iter().flatten() {
            let all = self.aliases.get_or_insert_default();
            if all.insert(alias.clone(), target.clone()).is_some() {
                return Err(doubled("alias", alias));
            }
        }
        if aliases.is_some() {
            self.aliases.get_or_insert_default();
        }
        append(&mut self.fallbacks, fallbacks);
        append(&mut self.grants, grants);
        append(&mut self.offers, offers);
        append(&mut self.limits, limits);
        self.tests.extend(tests);
        self.check()
    }

    /// Whether everything stands once, and every test asks something.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), Doubled> {
        once("team", self.teams.iter().flatten().map(|one| &one.name))?;
        for team in self.teams.iter().flatten() {
            let members = team.members.iter().flatten();
            once("member", members).map_err(|Doubled(why)| Doubled(format!("team {}: {why}", team.name)))?;
        }
        once("user", self.users.iter().flatten().map(|one| &one.name))?;
        once(
            "virtual account",
            self.virtual_accounts.iter().flatten().map(|one| &one.name),
        )?;
        once("role", self.roles.iter().flatten().map(|one| &one.name))?;
        once("issuer", self.issuers.iter().flatten().map(|one| &one.name))?;
        once("provider", self.providers.iter().flatten().map(|one| &one.name))?;
        once("model", self.models.iter().flatten().map(|one| &one.name))?;
        let grants = || self.grants.iter().flatten();
        once("grant", grants().filter_map(|one| one.id))?;
        let nameless = grants().filter(|one| one.id.is_none());
        once("the grant", nameless.map(|one| said(&one.grant)))?;
        let rules = self.fallbacks.iter().flatten();
        once("the fallback rule", rules.map(|one| said(&one.rule)))?;
        let offers = self.offers.iter().flatten();
        once("the offer", offers.map(|one| said(&one.offer)))?;
        once("limit", self.limits.iter().flatten().map(|one| &one.name))?;
        self.tests.iter().try_for_each(asks_something)
    }
}

fn append<T>(all: &mut Option<Vec<T>>, more: Option<Vec<T>>) {
    if let Some(more) = more {
        all.get_or_insert_default().extend(more);
    }
}

fn once<N: Ord + Display>(what: &str, names: impl Iterator<Item = N>) -> Result<(), Doubled> {
    let mut seen = BTreeSet::new();
    for name in names {
        let text = name.to_string();
        if !seen.insert(name) {
            return Err(doubled(what, &text));
        }
    }
    Ok(())
}

/// What a thing without a name is known by.
pub(super) fn said(thing: &impl Serialize) -> String {
    serde_json::to_string(thing).unwrap_or_default()
}

fn doubled(what: &str, name: &(impl Display + ?Sized)) -> Doubled {
    Doubled(format!("{what} {name} stands twice"))
}

fn asks_something(test: &Test) -> Result<(), Doubled> {
    let (Test::May(Question {
        model,
        resource,
        served,
        ..
    })
    | Test::MayNot(Question {
        model,
        resource,
        served,
        ..
    })) = test;
    match (model, resource, served) {
        (Some(_), None, _) | (None, Some(_), None) => Ok(()),
        (None, Some(_), Some(_)) => Err(Doubled("a test with `served` is about a model".to_owned())),
        _ => Err(Doubled(
            "a test asks about a model or about a resource, one of them".to_owned(),
        )),
    }
}
