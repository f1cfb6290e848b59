//! Keys that turned up in the open: which are genuine, and what is done about them.

use std::{collections::BTreeSet, sync::Arc};

use turnpike_access::{
    command::Command,
    credential::{Credential, CredentialStatus, PresentedKey},
    digest::Peppers,
    id::Timestamp,
    leak::{Version, keys, trace},
    snapshot::Snapshot,
};

/// Why a credential was revoked, for those who ask later.
const REASON: &str = "reported as leaked";

/// A key whose secret is, or was, a credential's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Genuine<'s> {
    pub(crate) credential: &'s Credential,
    pub(crate) version: Version,
}

impl Genuine<'_> {
    /// What ends it. Nothing where it is over already; where the secret works no more, as then anybody who kept an old
    /// key could end a new one; and for a decoy, which opens nothing and must go on looking as if it did.
    pub(crate) fn revocation(&self) -> Option<Command> {
        let Self { credential, version } = self;
        let over = matches!(credential.status, CredentialStatus::Revoked { .. });
        let live = !over && *version != Version::Past && credential.decoy.is_none();
        live.then(|| Command::RevokeCredential {
            id: credential.id,
            reason: Arc::from(REASON),
        })
    }
}

/// The different keys in a text, in their order.
pub(crate) fn distinct(text: &[u8]) -> Vec<PresentedKey<'_>> {
    let mut seen = BTreeSet::new();
    let found = keys(text).filter(|found| seen.insert(text.get(found.start..found.end)));
    found.map(|found| found.key).collect()
}

/// Whose key it is, if its secret is genuine.
pub(crate) fn genuine<'s>(
    snapshot: &'s Snapshot,
    key: &PresentedKey<'_>,
    peppers: &Peppers,
    now: Timestamp,
) -> Option<Genuine<'s>> {
    trace(snapshot, key, peppers, now).map(|(credential, version)| Genuine { credential, version })
}
