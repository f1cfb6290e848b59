//! Making full keys, and holding one, sealed, for whoever it is for.
//!
//! A key that Turnpike makes by itself has nobody to be shown to yet. It is held before its digest is in the log, so that
//! no crash loses it; whether a held key is the credential's is told by the digest alone.

use turnpike_access::{
    credential::{Credential, KeyKind, PresentedKey, SECRET_LENGTH, write_key},
    digest::{KeyDigest, Peppers},
    id::{Id, Name, Principal, Timestamp},
};
use turnpike_runtime::{
    keyring::{Keyring, SealError, Sealed},
    random,
    secret::Secret,
};

use crate::store::HeldKey;

/// A key with a new secret, and the digest that is kept of it; `None` where the keyring has no pepper.
pub(crate) fn generate(peppers: &Peppers, owner: &Principal, id: Id) -> Option<(Secret, KeyDigest)> {
    let secret = random::secret_base62(SECRET_LENGTH);
    let digest = peppers.digest(id, secret.expose())?;
    let key = write_key(KeyKind::of(owner), id, secret.expose());
    Some((Secret::new(key), digest))
}

/// The key, sealed for being held. It opens as nothing else, nor for another credential.
pub(crate) fn seal(
    keyring: &Keyring,
    held: &Credential,
    key: &Secret,
    now: Timestamp,
) -> Result<HeldKey, SealError> {
    let sealed = keyring.seal(&purpose(&held.tenant, held.id), key.expose().as_bytes())?;
    Ok(HeldKey {
        id: random::id(),
        tenant: held.tenant.clone(),
        credential: held.id,
        sealed: sealed.to_string(),
        created: now,
    })
}

/// The held key in full, if it is the one that the credential has now.
pub(crate) fn open(
    keyring: &Keyring,
    peppers: &Peppers,
    held: &HeldKey,
    credential: &Credential,
) -> Result<Option<Secret>, SealError> {
    let sealed: Sealed = held.sealed.parse()?;
    let opened = keyring.open(&purpose(&held.tenant, held.credential), &sealed)?;
    let key = opened.to_text().ok_or(SealError::Damaged)?;
    let current = PresentedKey::parse(key.expose())
        .is_ok_and(|presented| peppers.verify(&credential.digest, &presented));
    Ok(current.then_some(key))
}

fn purpose(tenant: &Name, credential: Id) -> String {
    format!("held-key/{tenant}/{credential}")
}
