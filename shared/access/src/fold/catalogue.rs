//! The part of the fold that is about providers, models, aliases, fallback rules and offers.

use std::sync::Arc;

use super::Missing;
use crate::{
    event::Event,
    id::{ModelId, Name},
    log::Origin,
    model::{Model, Provider},
    offer::Audience,
    snapshot::{Snapshot, Tenant},
};

impl Tenant {
    pub(super) fn apply_to_catalogue(&mut self, origin: &Origin, event: Event) -> Result<(), Missing> {
        match event {
            Event::ProviderCreated { name, profile } => {
                self.set_provider(Provider {
                    name,
                    profile,
                    created: origin.time,
                    revision: 1,
                });
            }
            Event::ProviderUpdated { name, profile } => {
                let held = self
                    .providers
                    .get_mut(&name)
                    .map(Arc::make_mut)
                    .ok_or(Missing("provider"))?;
                held.profile = profile;
                held.revision += 1;
            }
            Event::ProviderDeleted { name } => {
                self.providers.remove(&name).ok_or(Missing("provider"))?;
            }
            Event::ModelCreated { id, profile } => {
                self.restore_model(Model {
                    id,
                    profile,
                    created: origin.time,
                });
            }
            Event::ModelUpdated { id, profile } => {
                self.shelf.take();
                self.models
                    .get_mut(&id)
                    .map(Arc::make_mut)
                    .ok_or(Missing("model"))?
                    .profile = profile;
            }
            Event::ModelDeleted { id } => self.delete_model(&id)?,
            Event::AliasSet { alias, target } => {
                self.aliases.insert(alias, target);
            }
            Event::AliasDeleted { alias } => {
                self.aliases.remove(&alias).ok_or(Missing("alias"))?;
            }
            Event::FallbackCreated(rule) => Arc::make_mut(&mut self.fallbacks).push(rule),
            Event::FallbackDeleted { id } => Arc::make_mut(&mut self.fallbacks).retain(|rule| rule.id != id),
            Event::OfferCreated(offer) => Arc::make_mut(&mut self.offers).push(offer),
            Event::OfferDeleted { id } => Arc::make_mut(&mut self.offers).retain(|offer| offer.id != id),
            _ => return Err(Missing("tenant")),
        }
        Ok(())
    }

    /// Puts a model into the catalogue and under its bare name.
    pub(crate) fn restore_model(&mut self, model: Model) {
        self.shelf.take();
        let same_name = self.bare_names.get_or_default(Arc::from(model.id.name()));
        if let Some(same_name) = same_name.filter(|all| !all.contains(&model.id)) {
            Arc::make_mut(same_name).push(model.id.clone());
        }
        self.models.insert(model.id.clone(), Arc::new(model));
    }

    fn delete_model(&mut self, id: &ModelId) -> Result<(), Missing> {
        self.shelf.take();
        self.models.remove(id).ok_or(Missing("model"))?;
        if let Some(same_name) = self.bare_names.get_mut(id.name()) {
            Arc::make_mut(same_name).retain(|one| one != id);
        }
        Ok(())
    }
}

impl Snapshot {
    /// Whoever gets the name of a deleted tenant next is offered nothing by it.
    pub(super) fn forget_offers_to(&mut self, name: &Name) {
        let named = |audience: &Audience| matches!(audience, Audience::Named(names) if names.contains(name));
        let platform = self.tenants.get_mut(&Name::platform());
        let Some(platform) = platform.filter(|platform| platform.offers.iter().any(|one| named(&one.to)))
        else {
            return;
        };
        Arc::make_mut(&mut platform.offers).retain_mut(|offer| match &mut offer.to {
            Audience::Named(names) => {
                names.retain(|one| one != name);
                !names.is_empty()
            }
            Audience::All {} | Audience::Tagged(_) => true,
        });
    }
}
