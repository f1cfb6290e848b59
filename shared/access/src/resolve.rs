//! From the model that a client wrote to the model that is judged and sent.

use crate::{
    id::{ModelId, Name},
    model::{Catalogue, Model, Provider},
    pattern::Resource,
    snapshot::Tenant,
};

/// A model of the tenant: listed in its catalogue, or of a provider whose catalogue is open.
#[derive(Debug, Clone)]
pub struct ResolvedModel<'s> {
    /// Its full name.
    pub id: ModelId,
    /// What is known of it, where it is listed.
    pub listed: Option<&'s Model>,
    /// Who serves it.
    pub provider: &'s Provider,
}

impl<'s> ResolvedModel<'s> {
    /// What is judged.
    pub fn resource(&'s self) -> Resource<'s> {
        let profile = self.listed.map(|model| &model.profile);
        Resource {
            kind: "model",
            name: self.id.as_str(),
            family: profile.and_then(|profile| profile.family.as_ref()),
            environment: profile.and_then(|profile| profile.environment.as_ref()),
            tags: profile.map(|profile| &profile.tags),
            inherited: Some(&self.provider.profile.tags),
        }
    }

    /// The name that the provider knows it by.
    pub fn upstream_name(&self) -> &str {
        let listed = self
            .listed
            .and_then(|model| model.profile.upstream_name.as_deref());
        listed.unwrap_or_else(|| self.id.name())
    }

    /// Its environment, where it has one.
    pub fn environment(&self) -> Option<&'s Name> {
        self.listed.and_then(|model| model.profile.environment.as_ref())
    }
}

/// The client's words name no model of the tenant, or more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved {
    /// There is none.
    Unknown,
    /// A bare name that several providers have.
    Ambiguous,
}

/// Finds the model that `requested` means in a tenant: an alias; `provider/name`; a bare name that is unique in
/// the catalogue, or any bare name under the provider that the client named beside it.
pub fn resolve<'s>(
    tenant: &'s Tenant,
    requested: &str,
    provider: Option<&str>,
) -> Result<ResolvedModel<'s>, Unresolved> {
    if let Some(provider) = provider {
        return under(tenant, provider, requested).ok_or(Unresolved::Unknown);
    }
    if let Some(target) = tenant.alias(requested) {
        return by_id(tenant, target).ok_or(Unresolved::Unknown);
    }
    // Listed by its full name, the usual case: nothing is allocated.
    if let Some(listed) = tenant.model(requested) {
        return listed_model(tenant, listed).ok_or(Unresolved::Unknown);
    }
    if let Some((provider, name)) = requested.split_once('/')
        && let Some(found) = under(tenant, provider, name)
    {
        return Ok(found);
    }
    let same_name = tenant
        .bare_names
        .get(requested)
        .map(|ids| ids.as_slice())
        .unwrap_or_default();
    match same_name {
        [] => Err(Unresolved::Unknown),
        [only] => by_id(tenant, only).ok_or(Unresolved::Unknown),
        _ => Err(Unresolved::Ambiguous),
    }
}

/// Finds a model by its full name.
pub fn by_id<'s>(tenant: &'s Tenant, id: &ModelId) -> Option<ResolvedModel<'s>> {
    let provider = tenant.provider(id.provider())?;
    let listed = tenant.model(id.as_str()).map(AsRef::as_ref);
    let exists = listed.is_some() || provider.profile.catalogue == Catalogue::Open;
    exists.then(|| ResolvedModel {
        id: id.clone(),
        listed,
        provider,
    })
}

/// A model of the catalogue, with its provider.
pub(crate) fn listed_model<'s>(tenant: &'s Tenant, model: &'s Model) -> Option<ResolvedModel<'s>> {
    Some(ResolvedModel {
        id: model.id.clone(),
        listed: Some(model),
        provider: tenant.provider(model.id.provider())?,
    })
}

fn under<'s>(tenant: &'s Tenant, provider: &str, name: &str) -> Option<ResolvedModel<'s>> {
    let provider = tenant.provider(provider)?;
    by_id(tenant, &ModelId::new(&provider.name, name).ok()?)
}
