//! Making keys: the only place where a full key exists, for as long as it takes to answer.

use std::sync::Arc;

use turnpike_access::{
    credential::{Credential, KeyKind, SECRET_LENGTH, write_key},
    digest::KeyDigest,
    id::{Id, Name, Principal, Timestamp},
};
use turnpike_runtime::{random, secret::Secret};

use super::Administration;
use crate::{execute::ExecuteError, rpc::status::Failure};

impl Administration {
    /// A key with a new secret, and the digest that is kept of it.
    pub(super) fn new_secret(&self, owner: &Principal, id: Id) -> Result<(Secret, KeyDigest), Failure> {
        let secret = random::secret_base62(SECRET_LENGTH);
        let digest = self.peppers.digest(id, secret.expose()).ok_or_else(|| {
            Failure::Execute(ExecuteError::Unavailable(
                "the keyring has no key for digests".to_owned(),
            ))
        })?;
        let key = write_key(KeyKind::of(owner), id, secret.expose());
        Ok((Secret::new(key), digest))
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
}
