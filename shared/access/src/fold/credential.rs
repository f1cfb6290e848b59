//! The part of the fold that is about what becomes of a credential.

use super::Missing;
use crate::{
    credential::{Credential, CredentialStatus, PreviousVersion, Suspension},
    digest::KeyDigest,
    event::Event,
    id::Timestamp,
    log::Origin,
    snapshot::Snapshot,
};

impl Snapshot {
    pub(super) fn apply_to_credential(&mut self, origin: &Origin, event: Event) -> Result<(), Missing> {
        match event {
            Event::CredentialRotated {
                id,
                digest,
                previous_until,
                reason: _,
            } => {
                self.change_credential(origin, id, |held| {
                    rotate(held, digest, previous_until, origin.time);
                })?;
            }
            Event::CredentialSuspended { id, reason } => {
                self.change_credential(origin, id, |held| {
                    held.status = CredentialStatus::Suspended;
                    held.suspension = Some(Box::new(Suspension {
                        reason,
                        resumed: None,
                    }));
                })?;
            }
            Event::CredentialResumed { id, .. } => {
                self.change_credential(origin, id, |held| {
                    held.status = CredentialStatus::Active;
                    if let Some(suspension) = &mut held.suspension {
                        suspension.resumed = Some(origin.time);
                    }
                })?;
            }
            Event::CredentialRevoked { id, reason } => {
                let at = origin.time;
                self.change_credential(origin, id, |held| {
                    held.status = CredentialStatus::Revoked { at, reason };
                })?;
            }
            Event::CredentialNarrowed {
                id, scope, expires, ..
            } => {
                self.change_credential(origin, id, |held| {
                    (held.scope, held.expires) = (scope, expires);
                })?;
            }
            Event::CredentialWarned { id, warning, .. } => {
                self.change_credential(origin, id, |held| {
                    if !held.warnings.contains(&warning) {
                        held.warnings.push(warning);
                    }
                })?;
            }
            Event::CredentialHandedOver { id, .. } => {
                self.change_credential(origin, id, |held| held.handed_over = true)?;
            }
            _ => return Err(Missing("credential")),
        }
        Ok(())
    }
}

fn rotate(held: &mut Credential, digest: KeyDigest, previous_until: Timestamp, time: Timestamp) {
    let digest = std::mem::replace(&mut held.digest, digest);
    held.previous = Some(Box::new(PreviousVersion {
        digest,
        until: previous_until,
    }));
    held.rotated = Some(time);
    held.warnings.clear();
    held.handed_over = false;
}
