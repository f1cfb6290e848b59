//! The part of the fold that is about what becomes of a credential.

use super::Missing;
use crate::{
    credential::{CredentialStatus, PreviousVersion, Suspension},
    event::Event,
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
            } => {
                let held = self.credential_mut(origin, id)?;
                let digest = std::mem::replace(&mut held.digest, digest);
                held.previous = Some(Box::new(PreviousVersion {
                    digest,
                    until: previous_until,
                }));
                held.rotated = Some(origin.time);
                held.warnings.clear();
            }
            Event::CredentialSuspended { id, reason } => {
                let held = self.credential_mut(origin, id)?;
                held.status = CredentialStatus::Suspended;
                held.suspension = Some(Box::new(Suspension {
                    reason,
                    resumed: None,
                }));
            }
            Event::CredentialResumed { id } => {
                let held = self.credential_mut(origin, id)?;
                held.status = CredentialStatus::Active;
                if let Some(suspension) = &mut held.suspension {
                    suspension.resumed = Some(origin.time);
                }
            }
            Event::CredentialRevoked { id, reason } => {
                let at = origin.time;
                self.credential_mut(origin, id)?.status = CredentialStatus::Revoked { at, reason };
            }
            Event::CredentialNarrowed { id, scope, expires } => {
                let held = self.credential_mut(origin, id)?;
                (held.scope, held.expires) = (scope, expires);
            }
            Event::CredentialWarned { id, warning, .. } => {
                let warnings = &mut self.credential_mut(origin, id)?.warnings;
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            Event::AlertRaised(alert) => self.raise(origin, alert.credential)?,
            _ => return Err(Missing("credential")),
        }
        Ok(())
    }

    /// Alerts are kept in the log alone; of a decoy it is remembered that it told its tale.
    fn raise(&mut self, origin: &Origin, credential: Option<crate::id::Id>) -> Result<(), Missing> {
        if let Some(id) = credential
            && let Some(decoy) = &mut self.credential_mut(origin, id)?.decoy
        {
            decoy.used = decoy.used.or(Some(origin.time));
        }
        Ok(())
    }
}
