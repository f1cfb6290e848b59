//! The part of the fold that is about providers, models, aliases and fallback rules.

use std::sync::Arc;

use super::Missing;
use crate::{
    event::Event,
    id::ModelId,
    log::Origin,
    model::{Model, Provider},
    snapshot::Tenant,
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
                self.catalogue.take();
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
            _ => return Err(Missing("tenant")),
        }
        Ok(())
    }

    /// Puts a model into the catalogue and under its bare name.
    pub(crate) fn restore_model(&mut self, model: Model) {
        self.catalogue.take();
        let same_name = self.bare_names.get_or_default(Arc::from(model.id.name()));
        if let Some(same_name) = same_name.filter(|all| !all.contains(&model.id)) {
            Arc::make_mut(same_name).push(model.id.clone());
        }
        self.models.insert(model.id.clone(), Arc::new(model));
    }

    fn delete_model(&mut self, id: &ModelId) -> Result<(), Missing> {
        self.catalogue.take();
        self.models.remove(id).ok_or(Missing("model"))?;
        if let Some(same_name) = self.bare_names.get_mut(id.name()) {
            Arc::make_mut(same_name).retain(|one| one != id);
        }
        Ok(())
    }
}
