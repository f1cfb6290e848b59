//! The upkeep of credentials: what tenants' policies say is due is done, without anybody asking.
//!
//! What is due is said by [`turnpike_access::upkeep`]; every change is a command like any other. Each control plane does
//! all of it: what another one did already leads to no event, and of two rotations the second is refused; a new key may be
//! posted twice.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnpike_access::{
    command::Command,
    credential::Credential,
    digest::Peppers,
    id::{Id, Name, Timestamp},
    snapshot::{Snapshot, Tenant},
    tenant::{AutomaticRotation, CredentialPolicy},
    upkeep::{Due, due, last_used},
};
use turnpike_runtime::{
    clock,
    keyring::{Keyring, SealError},
    random,
    token::fetch::Fetcher,
};

use crate::{
    execute::{Authority, ExecuteError, Executor},
    key,
    store::{AuditStore, EventStore, LastUse, StoreError},
};

mod deliver;
mod sweep;
#[cfg(test)]
mod tests;

/// So many receipts are kept, those of the newest changes. One of an older change is made anew when it is asked for.
const RECEIPTS: u32 = 100_000;
/// How often every credential is looked at.
const EVERY: Duration = Duration::from_secs(30);
/// Credentials whose last use is asked for in one query.
const ASKED_AT_ONCE: usize = 500;
/// Who it is, in the log of this process.
const SELF: &str = "upkeep";

/// What the upkeep works on.
pub(crate) struct Upkeep {
    pub(crate) executor: Executor,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) audit: Arc<dyn AuditStore>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) peppers: Peppers,
    pub(crate) fetcher: Fetcher,
}

/// Something due was not done. It is due again at the next pass.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the new key could not be sealed: {0}")]
    Seal(#[from] SealError),
    #[error("the keyring has no key for digests")]
    NoPepper,
}

impl Upkeep {
    /// Looks after credentials until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pass = interval(EVERY);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pass.tick() => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = self.pass(clock::now()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Does what is due at a moment, in every tenant that has a policy.
    pub(crate) async fn pass(&self, now: Timestamp) {
        let snapshot = self.executor.snapshot();
        for tenant in snapshot.tenants() {
            let settings = tenant.settings();
            if settings.suspended || settings.credentials == CredentialPolicy::default() {
                continue;
            }
            let credentials = credentials(&snapshot, tenant);
            let uses = self.uses(tenant, &credentials).await;
            for (held, due) in all_due(tenant, credentials, uses.as_ref(), now) {
                if let Err(error) = self.act(tenant.name(), &held, due, now).await {
                    tracing::warn!(credential = %held.id, %error, "the upkeep of a credential failed; it is tried again");
                }
            }
        }
        self.sweep(now).await;
        if let Err(error) = self.store.trim_receipts(RECEIPTS).await {
            tracing::warn!(%error, "old receipts could not be forgotten; it is tried again");
        }
    }

    /// When each was last used, where the policy asks. Where that cannot be found out, nothing counts as unused.
    async fn uses(&self, tenant: &Tenant, credentials: &[Arc<Credential>]) -> Option<HashMap<Id, LastUse>> {
        let policy = &tenant.settings().credentials;
        let rules = [
            policy.warn_unused_seconds,
            policy.suspend_unused_seconds,
            policy.revoke_unused_seconds,
        ];
        rules.iter().flatten().next()?;
        let mut found = HashMap::new();
        for part in credentials.chunks(ASKED_AT_ONCE) {
            let ids: Vec<Id> = part.iter().map(|held| held.id).collect();
            match self.audit.last_uses(tenant.name(), &ids).await {
                Ok(uses) => found.extend(uses),
                Err(error) => {
                    tracing::warn!(%error, "it is not known when credentials were last used; the rules about that rest");
                    return None;
                }
            }
        }
        Some(found)
    }

    async fn act(
        &self,
        tenant: &Name,
        held: &Credential,
        due: Due<'_>,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let id = held.id;
        let command = match due {
            Due::Warn(warning, due) => Command::WarnOfCredential { id, warning, due },
            Due::Suspend(reason) => Command::SuspendCredential {
                id,
                reason: reason.into(),
            },
            Due::Revoke(reason) => Command::RevokeCredential {
                id,
                reason: reason.into(),
            },
            Due::Rotate(automatic) => return self.rotate(held, automatic, now).await,
        };
        self.execute(tenant, command).await
    }

    /// The new key is held first, and then its digest recorded: after a crash between, the held key is nobody's, and
    /// swept away.
    async fn rotate(
        &self,
        held: &Credential,
        automatic: &AutomaticRotation,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let generated = key::generate(&self.peppers, &held.owner, held.id);
        let (key, digest) = generated.ok_or(NotDone::NoPepper)?;
        let waiting = key::seal(&self.keyring, held, &key, now)?;
        self.store.hold_key(&waiting).await?;
        let command = Command::RotateCredential {
            id: held.id,
            digest,
            previous_until: now.plus_seconds(automatic.overlap_seconds.into()),
            since: Some(held.secret_since()),
            reason: Arc::from("the tenant's policy has it rotated"),
        };
        match self.execute(&held.tenant, command).await {
            Err(NotDone::Execute(ExecuteError::Refused(_))) => {
                // Somebody else has rotated, revoked or deleted it.
                self.store.release_key(waiting.id).await?;
                Ok(())
            }
            other => other,
        }
    }

    async fn execute(&self, tenant: &Name, command: Command) -> Result<(), NotDone> {
        let correlation = Arc::from(random::id().as_str());
        let authority = Authority::System(SELF);
        self.executor
            .execute(authority, tenant.clone(), correlation, vec![command])
            .await?;
        Ok(())
    }
}

/// Everything that is due in a tenant at a moment.
fn all_due<'t>(
    tenant: &'t Tenant,
    credentials: Vec<Arc<Credential>>,
    uses: Option<&HashMap<Id, LastUse>>,
    now: Timestamp,
) -> Vec<(Arc<Credential>, Due<'t>)> {
    let policy = &tenant.settings().credentials;
    let due_of = |held: Arc<Credential>| {
        let last = uses.map(|uses| last_used(&held, uses.get(&held.id).map(|last| last.time)));
        let all = due(policy, &held, last, now);
        all.into_iter().map(move |due| (held.clone(), due))
    };
    credentials.into_iter().flat_map(due_of).collect()
}

fn credentials(snapshot: &Snapshot, tenant: &Tenant) -> Vec<Arc<Credential>> {
    let accounts = tenant.accounts().into_iter();
    let ids = accounts.flat_map(|account| account.account.credentials.iter().copied());
    ids.filter_map(|id| snapshot.credential(id).cloned()).collect()
}
