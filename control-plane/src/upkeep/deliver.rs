//! Posting a new key where the tenant said, sealed so that nobody but the tenant can read it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_box::{PublicKey, aead::OsRng};
use serde_json::json;
use turnpike_access::{
    command::Command,
    credential::{Credential, HandOver},
    id::Timestamp,
    snapshot::Snapshot,
    tenant::Delivery,
};
use turnpike_runtime::secret::Secret;

use super::{NotDone, Upkeep};
use crate::{execute::ExecuteError, store::HeldKey};

/// Half a minute: about how often it can be somebody's turn.
const STEP: i64 = 30_000_000;

/// Whether a delivery is tried now: at once and a few times more, then at each doubling of its age, and every hour.
pub(super) fn is_turn(created: Timestamp, now: Timestamp) -> bool {
    let steps = now.as_micros().saturating_sub(created.as_micros()) / STEP;
    let steps = u64::try_from(steps).unwrap_or_default();
    steps < 4 || steps.is_power_of_two() || steps.is_multiple_of(120)
}

impl Upkeep {
    /// Posts a held key, if its tenant has a webhook, and forgets it when it was taken. Until then it can be picked up.
    pub(super) async fn deliver(
        &self,
        snapshot: &Snapshot,
        held: &HeldKey,
        credential: &Credential,
        key: &Secret,
    ) {
        let tenant = snapshot.tenant(held.tenant.as_str());
        let rotation = tenant.and_then(|tenant| tenant.settings().credentials.automatic_rotation.as_ref());
        let Some(Delivery::Webhook { url, public_key }) = rotation.map(|rotation| &rotation.delivery) else {
            return;
        };
        let Some(sealed) = seal(public_key, key) else {
            tracing::warn!(tenant = %held.tenant, "the webhook's public key is not an X25519 key; the new key is held");
            return;
        };
        let body = json!({
            "credential": credential.id,
            "tenant": held.tenant,
            "owner": credential.owner.to_string(),
            "sealed": sealed,
        });
        let id = credential.id;
        if let Err(error) = self.fetcher.post_json(url, body.to_string()).await {
            tracing::warn!(credential = %id, %error, "a new key was not delivered; it is held and tried again");
            return;
        }
        match self.delivered(held, credential).await {
            Ok(()) => tracing::info!(credential = %id, "a new key was delivered"),
            Err(error) => tracing::warn!(credential = %id, %error, "a delivered key is still held"),
        }
    }

    /// The event comes first: without it the key is posted once more, and so never handed over unheard of.
    async fn delivered(&self, held: &HeldKey, credential: &Credential) -> Result<(), NotDone> {
        let command = Command::HandOverCredential {
            id: credential.id,
            by: HandOver::Webhook,
            since: credential.secret_since(),
        };
        match self.execute(&held.tenant, command).await {
            // It was picked up, or taken from another control plane, while this one posted it.
            Ok(()) | Err(NotDone::Execute(ExecuteError::Refused(_))) => {}
            failed => return failed,
        }
        self.store.release_key(held.id).await?;
        Ok(())
    }
}

/// A libsodium sealed box (`crypto_box_seal`) in base64.
fn seal(public_key: &str, key: &Secret) -> Option<String> {
    let public_key = PublicKey::from_slice(&STANDARD.decode(public_key).ok()?).ok()?;
    let sealed = public_key.seal(&mut OsRng, key.expose().as_bytes()).ok()?;
    Some(STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ever_more_rarely_and_never_given_up() {
        let created = Timestamp::from_micros(0);
        let turns = (0..1_000).filter(|step| is_turn(created, created.plus_seconds(step * 30 + 1)));
        assert_eq!(
            turns.collect::<Vec<_>>(),
            [
                0, 1, 2, 3, 4, 8, 16, 32, 64, 120, 128, 240, 256, 360, 480, 512, 600, 720, 840, 960
            ]
        );
    }
}
