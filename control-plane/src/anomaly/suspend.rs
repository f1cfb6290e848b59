//! What a rule may do to a credential by itself, and what it may not.
//!
//! A key whose owner could resume it is never suspended by a rule: an alarm must not lock out who is to look at it, and nobody
//! must be able to do so by raising one. Nor are decoys, which open nothing.

use std::sync::Arc;

use turnpike_access::{
    alert::Alert,
    authenticate,
    command::{Command, Permission},
    credential::CredentialStatus,
    id::{Id, Name, Timestamp},
    snapshot::Snapshot,
};

use crate::execute::judge;

/// The command that suspends a credential for an alert, or why it is spared.
pub(super) fn command(
    snapshot: &Snapshot,
    tenant: &Name,
    id: Id,
    alert: &Alert,
    now: Timestamp,
) -> Result<Command, &'static str> {
    let held = snapshot.credential(id).filter(|held| held.tenant == *tenant);
    let held = held.ok_or("it is not there any more")?;
    if held.status != CredentialStatus::Active {
        return Err("it opens nothing already");
    }
    if held.decoy.is_some() {
        return Err("it is a decoy");
    }
    let resuming = Permission {
        action: "credentials.suspend",
        kind: "credential",
        name: id.to_string(),
    };
    if let Ok(caller) = authenticate::admit(snapshot, held, now)
        && judge::judge_caller(snapshot, &caller, tenant, &resuming, now).is_ok()
    {
        return Err("its owner is one of those who could resume it");
    }
    Ok(Command::SuspendCredential {
        id,
        reason: Arc::from(format!("alert {}: {}", alert.id, alert.kind)),
    })
}
