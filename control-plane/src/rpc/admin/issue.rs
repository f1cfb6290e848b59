//! Making keys for whoever asks: the full key exists for as long as it takes to answer.

use std::sync::Arc;

use turnpike_access::{
    credential::Credential,
    digest::KeyDigest,
    id::{Id, Name, Principal, Timestamp},
};
use turnpike_runtime::{random, secret::Secret};

use super::Administration;
use crate::{execute::ExecuteError, key, rpc::status::Failure};

impl Administration {
    /// A key with a new secret, and the digest that is kept of it.
    pub(super) fn new_secret(&self, owner: &Principal, id: Id) -> Result<(Secret, KeyDigest), Failure> {
        key::generate(&self.peppers, owner, id).ok_or_else(|| {
            Failure::Execute(ExecuteError::Unavailable(
                "the keyring has no key for digests".to_owned(),
            ))
        })
    }

    /// A new credential that is narrowed to nothing and never expires, with its full key.
    pub(super) fn new_credential(
        &self,
        tenant: &Name,
        owner: Principal,
        created_by: Arc<str>,
        now: Timestamp,
    ) -> Result<(Secret, Credential), Failure> {
        let id = random::id();
        let (key, digest) = self.new_secret(&owner, id)?;
        let credential = Credential::new(id, tenant.clone(), owner, digest, (now, created_by));
        Ok((key, credential))
    }

    /// Takes the held key of a credential: whoever comes second finds none.
    pub(super) async fn take_held(&self, credential: &Credential) -> Result<Option<Secret>, Failure> {
        for held in self.events.held_keys(Some(credential.id)).await? {
            let current = key::open(&self.keyring, &self.peppers, &held, credential)?;
            if let Some(key) = current
                && self.events.release_key(held.id).await?
            {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}
