//! Keys that are held: those that go to a webhook are sent on, those that nobody will take are forgotten.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use turnpike_access::{
    credential::{Credential, CredentialStatus},
    id::Timestamp,
    snapshot::Snapshot,
};
use turnpike_runtime::secret::Secret;

use super::{NotDone, Upkeep, deliver::is_turn};
use crate::{key, store::HeldKey};

/// How long a held key may be no credential's, in seconds: its rotation may be about to be committed.
const GRACE: i64 = 600;
/// Webhooks that are called at once.
const AT_ONCE: usize = 8;

/// What is to become of a held key.
enum Fate {
    /// Nobody will take it.
    Forgotten,
    /// It waits. The keyring that opens it may be missing, and come back.
    Kept,
    /// It is the credential's.
    Wanted(Arc<Credential>, Secret),
}

impl Upkeep {
    /// Goes through the held keys.
    pub(super) async fn sweep(&self, now: Timestamp) {
        if let Err(error) = self.try_sweep(now).await {
            tracing::warn!(%error, "held keys could not be looked through; it is tried again");
        }
    }

    async fn try_sweep(&self, now: Timestamp) -> Result<(), NotDone> {
        let all = self.store.held_keys(None).await?;
        // Read after the list: what is held was held before its digest was recorded.
        let snapshot = &self.executor.snapshot();
        let mut wanted = Vec::new();
        for held in all {
            match self.fate(snapshot, &held) {
                Fate::Forgotten if now >= held.created.plus_seconds(GRACE) => {
                    self.store.release_key(held.id).await?;
                }
                Fate::Wanted(credential, key) if is_turn(held.created, now) => {
                    wanted.push((held, credential, key));
                }
                _ => {}
            }
        }
        stream::iter(wanted)
            .for_each_concurrent(AT_ONCE, async |(held, credential, key)| {
                self.deliver(snapshot, &held, &credential, &key).await;
            })
            .await;
        Ok(())
    }

    fn fate(&self, snapshot: &Snapshot, held: &HeldKey) -> Fate {
        let credential = snapshot.credential(held.credential);
        let is_dead = |one: &Credential| matches!(one.status, CredentialStatus::Revoked { .. });
        let Some(credential) = credential.filter(|one| !is_dead(one) && !one.handed_over) else {
            return Fate::Forgotten;
        };
        match key::open(&self.keyring, &self.peppers, held, credential) {
            Ok(Some(key)) => Fate::Wanted(credential.clone(), key),
            Ok(None) => Fate::Forgotten,
            Err(_) => Fate::Kept,
        }
    }
}
