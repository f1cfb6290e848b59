//! Commands about providers, models, aliases and fallback rules.

use super::{Handled, Refusal, change, check_tags, check_text, exists, in_use, label, not_found};
use crate::{
    command::Command,
    event::Event,
    grant::Subject,
    id::{ModelId, Name},
    model::{ModelProfile, ProviderProfile},
    resolve,
    snapshot::{Snapshot, Tenant},
};

pub(super) fn handle(snapshot: &Snapshot, tenant: &Tenant, command: Command) -> Handled {
    match command {
        Command::CreateProvider { name, profile } => match tenant.provider(name.as_str()) {
            Some(_) => Err(exists("provider", name)),
            None => Ok(vec![Event::ProviderCreated {
                name,
                profile: checked_provider(profile)?,
            }]),
        },
        Command::UpdateProvider { name, from, to } => {
            let held = tenant
                .provider(name.as_str())
                .ok_or_else(|| not_found("provider", &name))?;
            let to = checked_provider(to)?;
            change(&held.profile, &from, &to, || Event::ProviderUpdated {
                name: name.clone(),
                profile: to.clone(),
            })
        }
        Command::DeleteProvider { name } => delete_provider(tenant, name),
        Command::CreateModel { id, profile } => {
            tenant
                .provider(id.provider())
                .ok_or_else(|| not_found("provider", id.provider()))?;
            if tenant.model(id.as_str()).is_some() {
                return Err(exists("model", id));
            }
            check_model(&profile)?;
            Ok(vec![Event::ModelCreated { id, profile }])
        }
        Command::UpdateModel { id, from, to } => {
            let held = tenant.model(id.as_str()).ok_or_else(|| not_found("model", &id))?;
            check_model(&to)?;
            change(&held.profile, &from, &to, || Event::ModelUpdated {
                id: id.clone(),
                profile: to.clone(),
            })
        }
        Command::DeleteModel { id } => delete_model(tenant, id),
        names => on_names(snapshot, tenant, names),
    }
}

fn on_names(snapshot: &Snapshot, tenant: &Tenant, command: Command) -> Handled {
    match command {
        Command::SetAlias { alias, target } => {
            label(&alias, "alias")?;
            existing(snapshot, tenant, &target)?;
            let same = tenant.alias(&alias) == Some(&target);
            Ok(if same {
                Vec::new()
            } else {
                vec![Event::AliasSet { alias, target }]
            })
        }
        Command::DeleteAlias { alias } => match tenant.alias(&alias) {
            Some(_) => Ok(vec![Event::AliasDeleted { alias }]),
            None => Err(not_found("alias", alias)),
        },
        Command::CreateFallback(rule) => {
            if tenant.fallbacks().iter().any(|one| one.id == rule.id) {
                return Err(exists("fallback", rule.id));
            }
            existing(snapshot, tenant, &rule.to)?;
            if rule
                .groups
                .iter()
                .any(|one| !matches!(one, Subject::Group { .. }))
            {
                return Err(Refusal::Invalid(
                    "write a fallback's groups as group:ISSUER/VALUE".to_owned(),
                ));
            }
            match rule
                .teams
                .iter()
                .find(|team| tenant.team(team.as_str()).is_none())
            {
                Some(missing) => Err(not_found("team", missing)),
                None => Ok(vec![Event::FallbackCreated(rule)]),
            }
        }
        Command::DeleteFallback { id } => match tenant.fallbacks().iter().any(|rule| rule.id == id) {
            true => Ok(vec![Event::FallbackDeleted { id }]),
            false => Err(not_found("fallback", id)),
        },
        _ => Err(Refusal::Invalid("not a command within a tenant".to_owned())),
    }
}

fn existing(snapshot: &Snapshot, tenant: &Tenant, id: &ModelId) -> Result<(), Refusal> {
    resolve::by_id(snapshot, tenant, id)
        .map(|_| ())
        .ok_or_else(|| not_found("model", id))
}

fn delete_provider(tenant: &Tenant, name: Name) -> Handled {
    tenant
        .provider(name.as_str())
        .ok_or_else(|| not_found("provider", &name))?;
    let of_provider = |id: &ModelId| id.provider() == name.as_str();
    let models = tenant
        .models()
        .into_iter()
        .map(|model| &model.id)
        .filter(|id| of_provider(id));
    in_use("provider", &name, "models", models)?;
    let aliases = tenant
        .aliases()
        .into_iter()
        .filter(|(_, target)| of_provider(target))
        .map(|(alias, _)| alias);
    in_use("provider", &name, "aliases", aliases)?;
    let rules = tenant
        .fallbacks()
        .iter()
        .filter(|rule| of_provider(&rule.to))
        .map(|rule| rule.id);
    in_use("provider", &name, "fallback rules", rules)?;
    Ok(vec![Event::ProviderDeleted { name }])
}

fn delete_model(tenant: &Tenant, id: ModelId) -> Handled {
    tenant.model(id.as_str()).ok_or_else(|| not_found("model", &id))?;
    let aliases = tenant
        .aliases()
        .into_iter()
        .filter(|(_, target)| **target == id)
        .map(|(alias, _)| alias);
    in_use("model", &id, "aliases", aliases)?;
    let rules = tenant
        .fallbacks()
        .iter()
        .filter(|rule| rule.to == id)
        .map(|rule| rule.id);
    in_use("model", &id, "fallback rules", rules)?;
    Ok(vec![Event::ModelDeleted { id }])
}

/// The form of the URL is checked here, so that no edge ever meets one that it can't use.
fn checked_provider(mut profile: ProviderProfile) -> Result<ProviderProfile, Refusal> {
    let url = profile.base_url.trim_end_matches('/');
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    let valid = url.len() <= 512
        && url.bytes().all(|b| b.is_ascii_graphic())
        && !url.contains(['?', '#', '\\'])
        && authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'));
    if !valid {
        return Err(Refusal::Invalid(format!(
            "{:?} is not a usable base URL: write http(s)://host[:port][/path] without user, query or fragment",
            profile.base_url.chars().take(80).collect::<String>()
        )));
    }
    if let Some(version) = &profile.api_version {
        label(version, "api-version")?;
    }
    check_tags(&profile.tags)?;
    profile.base_url = url.into();
    Ok(profile)
}

fn check_model(profile: &ModelProfile) -> Result<(), Refusal> {
    check_text(profile.upstream_name.as_ref(), "upstream name")?;
    check_tags(&profile.tags)
}
