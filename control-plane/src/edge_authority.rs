//! The authority that signs edges' certificates: one for all control planes of a database, sealed before the store sees it.
//!
//! Edges hold the keyring as well, since it opens providers' secrets. What they do not hold is what the database keeps: no edge
//! can sign certificates for others.

use turnpike_runtime::{
    clock,
    enrolment::{Authority, AuthorityError},
    keyring::{Keyring, SealError, Sealed},
};

use crate::store::{EventStore, SealedKey, StoreError};

/// There is no authority to be had. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAuthority {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was sealed with another keyring.
    #[error(
        "the edges' authority in the database cannot be opened; the keyring must hold the key that it was sealed with: {0}"
    )]
    Authority(#[from] AuthorityError),
    /// What the store kept is no sealed key.
    #[error(transparent)]
    Sealing(#[from] SealError),
}

/// The authority that the store holds, or a fresh one if it holds none. However many control planes start at once, they end
/// up with the same one.
pub(crate) async fn load(store: &dyn EventStore, keyring: &Keyring) -> Result<Authority, NoAuthority> {
    let fresh = Authority::generate()?;
    let kept = store
        .first_edge_authority(&SealedKey {
            id: fresh.public_key().to_string(),
            sealed: fresh.seal(keyring)?.to_string().into_bytes(),
            public_key: fresh.public_key().to_string().into_bytes(),
            created: clock::now(),
        })
        .await?;
    let sealed: Sealed = String::from_utf8_lossy(&kept.sealed).parse()?;
    Ok(Authority::open(keyring, &sealed)?)
}
