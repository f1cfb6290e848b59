//! The secrets that come with a policy: compared with those that are held, and sealed where they are others.

use std::{collections::BTreeMap, sync::Arc};

use subtle::ConstantTimeEq as _;
use turnpike_access::{
    id::Name,
    issuer::Verification,
    policy::{
        Secret,
        plan::{GivenSecret, Secrets},
    },
    snapshot::Tenant,
};
use turnpike_proto::{ConversionError, admin::WantedPolicy};
use turnpike_runtime::{keyring::Sealed, token::issuer_purpose};

use super::{super::Administration, Asked};
use crate::rpc::status::Failure;

impl Administration {
    /// What the secrets that were sent mean for a tenant.
    pub(super) fn given_secrets(&self, tenant: &Tenant, wanted: &WantedPolicy) -> Result<Secrets, Failure> {
        let mut secrets = Secrets::default();
        for entry in wanted.policy.providers.iter().flatten() {
            let held = tenant.provider(entry.name.as_str());
            let held = held.and_then(|held| held.profile.sealed_secret.as_ref());
            let purpose = format!("provider:{}/{}", tenant.name(), entry.name);
            if let Some(given) = self.given(&entry.secret, &wanted.secrets, held, &purpose)? {
                secrets.providers.insert(entry.name.clone(), given);
            }
        }
        for entry in wanted.policy.issuers.iter().flatten() {
            let held = tenant.issuer(entry.name.as_str());
            let held = held.and_then(|held| match &held.profile.verification {
                Verification::Introspection { sealed_secret, .. } => Some(sealed_secret),
                _ => None,
            });
            let purpose = issuer_purpose(tenant.name(), &entry.name);
            if let Some(given) = self.given(&entry.secret, &wanted.secrets, held, &purpose)? {
                secrets.issuers.insert(entry.name.clone(), given);
            }
        }
        Ok(secrets)
    }

    fn given(
        &self,
        secret: &Secret,
        sent: &BTreeMap<String, String>,
        held: Option<&Arc<str>>,
        purpose: &str,
    ) -> Result<Option<GivenSecret>, Failure> {
        let Secret::FromEnv(variable) = secret else {
            return Ok(None);
        };
        let Some(value) = sent.get(variable.as_ref()) else {
            return Ok(None);
        };
        if value.is_empty() {
            return Err(ConversionError::new(variable.as_ref(), "the secret is empty").into());
        }
        // One that does not open any more is another.
        let opened = held.and_then(|held| self.keyring.open(purpose, &held.parse::<Sealed>().ok()?).ok());
        let same = opened.is_some_and(|opened| bool::from(opened.expose().ct_eq(value.as_bytes())));
        Ok(Some(match same {
            true => GivenSecret::Same,
            false => GivenSecret::Other(self.keyring.seal(purpose, value.as_bytes())?.to_string().into()),
        }))
    }
}

impl Asked {
    /// A plan may be looked at without secrets, and not be carried out.
    pub(super) fn has_every_secret(&self) -> Result<(), Failure> {
        let providers = self
            .policy
            .providers
            .iter()
            .flatten()
            .map(|one| (&one.name, &one.secret));
        let issuers = self
            .policy
            .issuers
            .iter()
            .flatten()
            .map(|one| (&one.name, &one.secret));
        missing(providers, &self.secrets.providers)?;
        missing(issuers, &self.secrets.issuers)
    }
}

fn missing<'a>(
    mut all: impl Iterator<Item = (&'a Name, &'a Secret)>,
    given: &BTreeMap<Name, GivenSecret>,
) -> Result<(), Failure> {
    let absent = all.find_map(|(name, secret)| match secret {
        Secret::FromEnv(variable) if !given.contains_key(name) => Some(variable),
        _ => None,
    });
    match absent {
        Some(variable) => Err(ConversionError::new(variable.as_ref(), "the secret was not sent").into()),
        None => Ok(()),
    }
}
