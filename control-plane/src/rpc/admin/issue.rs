//! Making keys for whoever asks: the full key exists for as long as it takes to answer.

use std::sync::Arc;

use turnpike_access::{
    command::Command,
    credential::{Credential, HandOver},
    digest::KeyDigest,
    id::{Id, Name, Principal, Timestamp},
    ledger::Refusal,
};
use turnpike_proto::admin::Write;
use turnpike_runtime::{random, secret::Secret};

use super::{
    Administration,
    call::{Call, Written},
};
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

    /// Takes the held key of a credential. It is the event in the log that hands it over: whoever comes second finds none.
    pub(super) async fn take_held(
        &self,
        call: &Call,
        credential: &Credential,
    ) -> Result<Option<(Secret, Written)>, Failure> {
        for held in self.events.held_keys(Some(credential.id)).await? {
            let current = key::open(&self.keyring, &self.peppers, &held, credential)?;
            let Some(key) = current else { continue };
            let command = Command::HandOverCredential {
                id: credential.id,
                by: HandOver::PickUp,
                since: credential.secret_since(),
            };
            let written = match call.write(vec![command], Write::default()).await {
                Err(Failure::Execute(ExecuteError::Refused(Refusal::Changed))) => return Ok(None),
                written => written?,
            };
            if let Err(error) = self.events.release_key(held.id).await {
                tracing::warn!(credential = %credential.id, %error, "a key that was picked up is still held, for nobody");
            }
            return Ok(Some((key, written)));
        }
        Ok(None)
    }
}
