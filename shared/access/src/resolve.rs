//! From the model that a client wrote to the model that is judged and sent.
//!
//! A tenant's own models come first. What the operators offer is found where the tenant has no provider of that name,
//! so that in one tenant a provider's name always means one provider.

use std::sync::Arc;

use crate::{
    id::{ModelId, Name},
    model::{Catalogue, Model, Provider},
    offer::Offer,
    pattern::Resource,
    snapshot::{Snapshot, Tenant},
};

/// A model that exists for the tenant: listed in a catalogue, or of a provider whose catalogue is open.
#[derive(Debug, Clone)]
pub struct ResolvedModel<'s> {
    /// Its full name.
    pub id: ModelId,
    /// What is known of it, where it is listed.
    pub listed: Option<&'s Model>,
    /// Who serves it.
    pub provider: &'s Provider,
    /// Whose the provider is: the tenant itself, or the operators' tenant, which offers the model.
    pub owner: &'s Tenant,
}

impl<'s> ResolvedModel<'s> {
    /// What is judged.
    pub fn resource(&'s self) -> Resource<'s> {
        resource(self.id.as_str(), self.listed, self.provider)
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

fn resource<'a>(name: &'a str, listed: Option<&'a Model>, provider: &'a Provider) -> Resource<'a> {
    let profile = listed.map(|model| &model.profile);
    Resource {
        kind: "model",
        name,
        family: profile.and_then(|profile| profile.family.as_ref()),
        environment: profile.and_then(|profile| profile.environment.as_ref()),
        tags: profile.map(|profile| &profile.tags),
        inherited: Some(&provider.profile.tags),
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
/// the catalogue, or any bare name under the provider that the client named beside it; then the same among what is
/// offered.
pub fn resolve<'s>(
    snapshot: &'s Snapshot,
    tenant: &'s Tenant,
    requested: &str,
    provider: Option<&str>,
) -> Result<ResolvedModel<'s>, Unresolved> {
    if provider.is_none()
        && let Some(target) = tenant.alias(requested)
    {
        return by_id(snapshot, tenant, target).ok_or(Unresolved::Unknown);
    }
    match among(tenant, requested, provider) {
        Err(Unresolved::Unknown) => Offered::to(snapshot, tenant)
            .ok_or(Unresolved::Unknown)?
            .resolve(requested, provider),
        own => own,
    }
}

/// Finds a model by its full name, the tenant's own or an offered one.
pub fn by_id<'s>(snapshot: &'s Snapshot, tenant: &'s Tenant, id: &ModelId) -> Option<ResolvedModel<'s>> {
    own(tenant, id).or_else(|| Offered::to(snapshot, tenant)?.permitted(own(snapshot.platform()?, id)?))
}

/// A catalogue, as far as a tenant has a part in it.
pub(crate) enum Shelved<'s> {
    /// Its own.
    Own(&'s Tenant),
    /// The operators', of which it has what is offered to it.
    Offered(Offered<'s>),
}

impl<'s> Shelved<'s> {
    /// Whose catalogue it is.
    pub(crate) fn owner(&self) -> &'s Tenant {
        match self {
            Self::Own(tenant) => tenant,
            Self::Offered(offered) => offered.platform,
        }
    }

    /// What says which models of it there are for the tenant; none: all are.
    pub(crate) fn offers(&self) -> &[&'s Offer] {
        match self {
            Self::Own(_) => &[],
            Self::Offered(offered) => &offered.offers,
        }
    }

    /// A model of the catalogue, if it is there for the tenant.
    pub(crate) fn model(&self, model: &'s Model) -> Option<ResolvedModel<'s>> {
        let listed = listed_model(self.owner(), model)?;
        match self {
            Self::Own(_) => Some(listed),
            Self::Offered(offered) => offered.permitted(listed),
        }
    }

    /// A model that is known to be there for the tenant, and who serves it.
    pub(crate) fn served(&self, model: &'s Model, provider: &'s Provider) -> ResolvedModel<'s> {
        ResolvedModel {
            id: model.id.clone(),
            listed: Some(model),
            provider,
            owner: self.owner(),
        }
    }
}

/// The catalogues that a tenant has a part in: its own, and then what is offered to it.
pub(crate) fn shelved<'s>(snapshot: &'s Snapshot, tenant: &'s Tenant) -> impl Iterator<Item = Shelved<'s>> {
    let offered = Offered::to(snapshot, tenant).map(Shelved::Offered);
    [Shelved::Own(tenant)].into_iter().chain(offered)
}

/// The models of the catalogue, the tenant's own and then those that are offered, each in the order of their names.
pub(crate) fn listed<'s>(
    snapshot: &'s Snapshot,
    tenant: &'s Tenant,
) -> impl Iterator<Item = ResolvedModel<'s>> {
    shelved(snapshot, tenant).flat_map(|shelved| {
        let models = shelved.owner().shelf().models().iter();
        models.filter_map(move |model| shelved.model(model))
    })
}

/// What open catalogues do not list, under the name `PROVIDER/*`: the tenant's own and those that are offered.
pub(crate) fn unlisted<'s>(
    snapshot: &'s Snapshot,
    tenant: &'s Tenant,
) -> impl Iterator<Item = ResolvedModel<'s>> {
    let offered = Offered::to(snapshot, tenant).into_iter().flat_map(|offered| {
        let all = every_unlisted(offered.platform);
        all.filter_map(move |model| offered.permitted(model))
    });
    every_unlisted(tenant).chain(offered)
}

fn every_unlisted(tenant: &Tenant) -> impl Iterator<Item = ResolvedModel<'_>> {
    let open = |provider: &&Arc<Provider>| provider.profile.catalogue == Catalogue::Open;
    let providers = tenant.providers().into_iter().filter(open);
    providers.filter_map(move |provider| own(tenant, &ModelId::unlisted(&provider.name)))
}

/// What the operators offer to a tenant.
pub(crate) struct Offered<'s> {
    platform: &'s Tenant,
    tenant: &'s Tenant,
    offers: Vec<&'s Offer>,
}

impl<'s> Offered<'s> {
    /// `None` where there is nothing.
    fn to(snapshot: &'s Snapshot, tenant: &'s Tenant) -> Option<Self> {
        let platform = snapshot
            .platform()
            .filter(|platform| platform.name != tenant.name)?;
        let offers = platform.offers().iter().filter(|offer| offer.to.includes(tenant));
        let offers: Vec<_> = offers.collect();
        (!offers.is_empty()).then_some(Self {
            platform,
            tenant,
            offers,
        })
    }

    fn resolve(&self, requested: &str, provider: Option<&str>) -> Result<ResolvedModel<'s>, Unresolved> {
        match among(self.platform, requested, provider) {
            Ok(found) => self.permitted(found).ok_or(Unresolved::Unknown),
            // Of several with this bare name, one alone may be offered.
            Err(Unresolved::Ambiguous) => {
                let same_name = self.platform.bare_names.get(requested);
                let ids = same_name.into_iter().flat_map(|ids| ids.iter());
                let mut offered = ids.filter_map(|id| self.permitted(own(self.platform, id)?));
                match (offered.next(), offered.next()) {
                    (Some(only), None) => Ok(only),
                    (Some(_), Some(_)) => Err(Unresolved::Ambiguous),
                    (None, _) => Err(Unresolved::Unknown),
                }
            }
            Err(Unresolved::Unknown) => Err(Unresolved::Unknown),
        }
    }

    fn permitted(&self, model: ResolvedModel<'s>) -> Option<ResolvedModel<'s>> {
        let hidden = self.tenant.provider(model.id.provider()).is_some();
        let resource = resource(model.id.as_str(), model.listed, model.provider);
        let offered = self
            .offers
            .iter()
            .any(|offer| offer.covers(&resource, self.tenant));
        (offered && !hidden).then_some(model)
    }
}

/// Finds a model of a tenant by its full or bare name, leaving aliases aside.
fn among<'s>(
    tenant: &'s Tenant,
    requested: &str,
    provider: Option<&str>,
) -> Result<ResolvedModel<'s>, Unresolved> {
    if let Some(provider) = provider {
        return under(tenant, provider, requested).ok_or(Unresolved::Unknown);
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
        [only] => own(tenant, only).ok_or(Unresolved::Unknown),
        _ => Err(Unresolved::Ambiguous),
    }
}

fn own<'s>(tenant: &'s Tenant, id: &ModelId) -> Option<ResolvedModel<'s>> {
    let provider = tenant.provider(id.provider())?;
    let listed = tenant.model(id.as_str()).map(AsRef::as_ref);
    let exists = listed.is_some() || provider.profile.catalogue == Catalogue::Open;
    exists.then(|| ResolvedModel {
        id: id.clone(),
        listed,
        provider,
        owner: tenant,
    })
}

fn listed_model<'s>(tenant: &'s Tenant, model: &'s Model) -> Option<ResolvedModel<'s>> {
    Some(ResolvedModel {
        id: model.id.clone(),
        listed: Some(model),
        provider: tenant.provider(model.id.provider())?,
        owner: tenant,
    })
}

fn under<'s>(tenant: &'s Tenant, provider: &str, name: &str) -> Option<ResolvedModel<'s>> {
    let provider = tenant.provider(provider)?;
    own(tenant, &ModelId::new(&provider.name, name).ok()?)
}
