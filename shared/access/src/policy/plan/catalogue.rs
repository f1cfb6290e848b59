//! Issuers, providers, models, aliases and fallback rules.

use std::collections::BTreeSet;

use super::{Draft, Phase, Verb, change, secret};
use crate::{
    command::Command,
    id::Id,
    issuer::{Issuer, Verification},
    ledger::Refusal,
    model::{Fallback, Model, Provider, ProviderProfile},
    policy::{FallbackEntry, IssuerEntry, ModelEntry, ProviderEntry},
};

impl Draft<'_, '_> {
    pub(super) fn catalogue(&mut self) -> Result<(), Refusal> {
        let policy = self.wanted.policy;
        for entry in policy.issuers.iter().flatten() {
            self.issuer(entry)?;
        }
        for entry in policy.providers.iter().flatten() {
            self.provider(entry)?;
        }
        policy.models.iter().flatten().for_each(|entry| self.model(entry));
        self.aliases();
        if let Some(rules) = &policy.fallbacks {
            self.fallbacks(rules);
        }
        self.catalogue_left_over();
        if let Some(entries) = &policy.issuers {
            self.issuers_left_over(entries);
        }
        Ok(())
    }

    fn issuer(&mut self, entry: &IssuerEntry) -> Result<(), Refusal> {
        let IssuerEntry {
            name,
            profile,
            secret,
        } = entry;
        let held = self.tenant.issuer(name.as_str());
        let sealed = held.and_then(|held| match &held.profile.verification {
            Verification::Introspection { sealed_secret, .. } => Some(sealed_secret),
            _ => None,
        });
        let given = self.wanted.secrets.issuers.get(name);
        let (sealed, note) = secret::wanted("issuer", name, secret, given, sealed)?;
        self.notes.extend(note);
        let mut to = profile.clone();
        if let Verification::Introspection { sealed_secret, .. } = &mut to.verification {
            *sealed_secret = sealed.unwrap_or_default();
        }
        let name = name.clone();
        match held.map(|held| held.profile.clone()) {
            None => {
                let details = change::of(&to);
                let step = (Verb::Create, "issuer", name.clone());
                self.step(
                    Phase::Issuers,
                    step,
                    details,
                    Command::CreateIssuer { name, profile: to },
                );
            }
            Some(from) if from != to => {
                let details = change::between(&from, &to);
                let step = (Verb::Update, "issuer", name.clone());
                self.step(
                    Phase::Issuers,
                    step,
                    details,
                    Command::UpdateIssuer { name, from, to },
                );
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn provider(&mut self, entry: &ProviderEntry) -> Result<(), Refusal> {
        let ProviderEntry {
            name,
            profile,
            secret,
        } = entry;
        let held = self
            .tenant
            .provider(name.as_str())
            .map(|held| held.profile.clone());
        let given = self.wanted.secrets.providers.get(name);
        let before = held.as_ref().and_then(|held| held.sealed_secret.as_ref());
        let (sealed_secret, note) = secret::wanted("provider", name, secret, given, before)?;
        self.notes.extend(note);
        let to = ProviderProfile {
            sealed_secret,
            ..profile.clone()
        };
        let name = name.clone();
        match held {
            None => {
                let details = change::of(&to);
                let step = (Verb::Create, "provider", name.clone());
                self.step(
                    Phase::Providers,
                    step,
                    details,
                    Command::CreateProvider { name, profile: to },
                );
            }
            Some(from) if from != to => {
                let details = change::between(&from, &to);
                let step = (Verb::Update, "provider", name.clone());
                self.step(
                    Phase::Providers,
                    step,
                    details,
                    Command::UpdateProvider { name, from, to },
                );
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn model(&mut self, entry: &ModelEntry) {
        let ModelEntry { name, profile } = entry;
        let (id, to) = (name.clone(), profile.clone());
        match self.tenant.model(name.as_str()).map(|held| held.profile.clone()) {
            None => {
                let details = change::of(&to);
                let command = Command::CreateModel { id, profile: to };
                self.step(Phase::Models, (Verb::Create, "model", name), details, command);
            }
            Some(from) if from != to => {
                let details = change::between(&from, &to);
                let command = Command::UpdateModel { id, from, to };
                self.step(Phase::Models, (Verb::Update, "model", name), details, command);
            }
            Some(_) => {}
        }
    }

    fn aliases(&mut self) {
        for (alias, target) in self.wanted.policy.aliases.iter().flatten() {
            let command = Command::SetAlias {
                alias: alias.clone(),
                target: target.clone(),
            };
            match self.tenant.alias(alias) {
                None => {
                    let details = vec![format!("target: {target}")];
                    self.step(Phase::Aliases, (Verb::Create, "alias", alias), details, command);
                }
                Some(before) if before != target => {
                    let details = vec![format!("target: {before} -> {target}")];
                    self.step(Phase::Aliases, (Verb::Update, "alias", alias), details, command);
                }
                Some(_) => {}
            }
        }
    }

    /// Rules are tried in their order, and a new one comes after the others. What stands in the right order stays; from
    /// the first that does not, they are made anew.
    fn fallbacks(&mut self, rules: &[FallbackEntry]) {
        let tenant = self.tenant;
        let held = tenant.fallbacks();
        let mut left = rules.iter().map(|entry| &entry.rule).peekable();
        let mut stays = BTreeSet::new();
        for rule in held {
            if left.next_if(|wanted| same(wanted, rule)).is_some() {
                stays.insert(rule.id);
            }
        }
        for rule in left {
            let id = (self.ids)();
            let rule = Fallback { id, ..rule.clone() };
            let (details, name) = (told(&rule), named(&rule));
            self.step(
                Phase::Fallbacks,
                (Verb::Create, "fallback", name),
                details,
                Command::CreateFallback(rule),
            );
        }
        for rule in held.iter().filter(|rule| !stays.contains(&rule.id)) {
            let (details, name) = (told(rule), named(rule));
            let command = Command::DeleteFallback { id: rule.id };
            match rules.iter().any(|entry| same(&entry.rule, rule)) {
                // It was made anew at its place.
                true => self.step(
                    Phase::FallbacksEnd,
                    (Verb::Delete, "fallback", name),
                    details,
                    command,
                ),
                false => self.left_over(Phase::FallbacksEnd, ("fallback", name), details, command),
            }
        }
    }

    fn catalogue_left_over(&mut self) {
        let (tenant, policy) = (self.tenant, self.wanted.policy);
        if let Some(wanted) = &policy.aliases {
            let held = tenant.aliases().into_iter();
            for (alias, target) in held.filter(|(alias, _)| !wanted.contains_key(*alias)) {
                let command = Command::DeleteAlias { alias: alias.clone() };
                let details = vec![format!("target: {target}")];
                self.left_over(Phase::AliasesEnd, ("alias", alias), details, command);
            }
        }
        if let Some(entries) = &policy.models {
            let wanted: BTreeSet<_> = entries.iter().map(|entry| &entry.name).collect();
            for Model { id, profile, .. } in tenant.models().into_iter().map(AsRef::as_ref) {
                if !wanted.contains(id) {
                    let command = Command::DeleteModel { id: id.clone() };
                    self.left_over(Phase::ModelsEnd, ("model", id), change::of(profile), command);
                }
            }
        }
        if let Some(entries) = &policy.providers {
            let wanted: BTreeSet<_> = entries.iter().map(|entry| &entry.name).collect();
            for Provider { name, profile, .. } in tenant.providers().into_iter().map(AsRef::as_ref) {
                if !wanted.contains(name) {
                    let command = Command::DeleteProvider { name: name.clone() };
                    self.left_over(
                        Phase::ProvidersEnd,
                        ("provider", name),
                        change::of(profile),
                        command,
                    );
                }
            }
        }
    }

    fn issuers_left_over(&mut self, entries: &[IssuerEntry]) {
        let wanted: BTreeSet<_> = entries.iter().map(|entry| &entry.name).collect();
        let tenant = self.tenant;
        for Issuer { name, profile, .. } in tenant.issuers().into_iter().map(AsRef::as_ref) {
            if !wanted.contains(name) {
                let command = Command::DeleteIssuer { name: name.clone() };
                self.left_over(Phase::IssuersEnd, ("issuer", name), change::of(profile), command);
            }
        }
    }
}

/// Whether two rules say the same; their ids say nothing.
fn same(one: &Fallback, other: &Fallback) -> bool {
    let of = |rule: &Fallback| Fallback {
        id: Id::from_random(0),
        ..rule.clone()
    };
    of(one) == of(other)
}

fn named(rule: &Fallback) -> String {
    format!("from {} to {}", rule.from, rule.to)
}

fn told(rule: &Fallback) -> Vec<String> {
    let all = change::of(rule).into_iter();
    all.filter(|field| !field.starts_with("id: ")).collect()
}
