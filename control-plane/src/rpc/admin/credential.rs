//! Credentials. A full key is in the answer that makes it, and nowhere after that.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    command::{Command, Holders},
    credential::{Credential, CredentialStatus, Decoy},
    id::{Id, Principal},
    snapshot::{Snapshot, Tenant},
};
use turnpike_proto::{
    ConversionError,
    admin::{CredentialChange, NarrowCredential, NewCredential, Page, RevokeAll, RotateCredential, v1},
};
use turnpike_runtime::{clock, secret::Secret};

use super::{
    Administration, Answer,
    call::{Call, Written, read},
    part::part,
};
use crate::rpc::{identity::Proof, status::Failure};

#[tonic::async_trait]
impl v1::credential_service_server::CredentialService for Administration {
    async fn create(&self, request: Request<v1::CreateCredentialRequest>) -> Answer<v1::SecretResponse> {
        let (call, message) = self.admit(request).await?;
        let NewCredential {
            owner,
            scope,
            expires,
            label,
            decoy,
            reason,
            write,
        } = read(message)?;
        let (key, fresh) = self.new_credential(&call.identity.target, owner, call.actor()?, call.now)?;
        let credential = Credential {
            scope,
            expires,
            label,
            decoy: decoy.then(Decoy::default),
            reason,
            ..fresh
        };
        let id = credential.id;
        let written = call
            .write(vec![Command::IssueCredential(credential)], write)
            .await?;
        with_key(&call, written, id, &key)
    }

    async fn get(&self, request: Request<v1::CredentialRequest>) -> Answer<v1::CredentialResponse> {
        let (call, v1::CredentialRequest { id }) = self.admit(request).await?;
        call.may(&id)?;
        let parsed = id.parse().map_err(|_| Failure::not_found("credential", &id))?;
        let credential = find(&call, &call.snapshot, parsed)?;
        let mut shown = self.with_last_use(&call, &[credential]).await?;
        Ok(Response::new(v1::CredentialResponse {
            credential: shown.pop(),
            receipt: None,
        }))
    }

    async fn list(
        &self,
        request: Request<v1::ListCredentialsRequest>,
    ) -> Answer<v1::ListCredentialsResponse> {
        let (call, v1::ListCredentialsRequest { owner, page }) = self.admit(request).await?;
        let page: Page = read(page)?;
        let subject = owner.parse().ok();
        let ids = ids_of(call.allowed_tenant_of(subject.as_ref())?, &owner)?;
        let (ids, next) = part(ids, &page, Id::to_string)?;
        let held = ids.into_iter().filter_map(|id| call.snapshot.credential(id));
        let held: Vec<&Credential> = held.map(AsRef::as_ref).collect();
        let credentials = self.with_last_use(&call, &held).await?;
        Ok(Response::new(v1::ListCredentialsResponse { credentials, next }))
    }

    async fn rotate(&self, request: Request<v1::RotateCredentialRequest>) -> Answer<v1::SecretResponse> {
        let (call, message) = self.admit(request).await?;
        let RotateCredential {
            id,
            overlap,
            reason,
            write,
        } = read(message)?;
        call.may(id)?;
        let owner = find(&call, &call.snapshot, id)?.owner.clone();
        let (key, digest) = self.new_secret(&owner, id)?;
        let command = Command::RotateCredential {
            id,
            digest,
            previous_until: call.now.plus_seconds(overlap),
            since: None,
            reason,
        };
        let written = call.write(vec![command], write).await?;
        with_key(&call, written, id, &key)
    }

    async fn suspend(&self, request: Request<v1::ChangeCredentialRequest>) -> Answer<v1::CredentialResponse> {
        self.change(request, |id, reason| Command::SuspendCredential { id, reason })
            .await
    }

    async fn resume(&self, request: Request<v1::ChangeCredentialRequest>) -> Answer<v1::CredentialResponse> {
        self.change(request, |id, reason| Command::ResumeCredential { id, reason })
            .await
    }

    async fn revoke(&self, request: Request<v1::ChangeCredentialRequest>) -> Answer<v1::CredentialResponse> {
        self.change(request, |id, reason| Command::RevokeCredential { id, reason })
            .await
    }

    async fn narrow(&self, request: Request<v1::NarrowCredentialRequest>) -> Answer<v1::CredentialResponse> {
        let (call, message) = self.admit(request).await?;
        let NarrowCredential {
            id,
            scope,
            expires,
            reason,
            write,
        } = read(message)?;
        let command = Command::NarrowCredential {
            id,
            scope,
            expires,
            reason,
        };
        changed(&call, call.write(vec![command], write).await?, id)
    }

    async fn revoke_all(&self, request: Request<v1::RevokeAllRequest>) -> Answer<v1::RevokeAllResponse> {
        let (call, message) = self.admit(request).await?;
        let RevokeAll { of, reason, write } = read(message)?;
        let live = live_of(call.allowed_tenant("")?, &call.snapshot, &of);
        let command = Command::RevokeCredentials { of, reason };
        let written = call.write(vec![command], write).await?;
        let dead = |id: &Id| {
            written
                .snapshot
                .credential(*id)
                .is_none_or(|held| is_revoked(held))
        };
        let revoked = live.iter().filter(|id| dead(id)).count();
        Ok(Response::new(v1::RevokeAllResponse {
            revoked: u64::try_from(revoked).unwrap_or(u64::MAX),
            receipt: written.receipt,
        }))
    }

    async fn pick_up(&self, request: Request<v1::CredentialRequest>) -> Answer<v1::SecretResponse> {
        let (call, v1::CredentialRequest { id }) = self.admit(request).await?;
        let parsed = id.parse().map_err(|_| Failure::not_found("credential", &id))?;
        // Whoever has the version before is who the new one is for.
        if call.identity.proof != Proof::Credential(parsed) {
            call.may_itself(&id)?;
        }
        let credential = find(&call, &call.snapshot, parsed)?;
        let taken = self.take_held(&call, credential).await?;
        let (key, written) = taken.ok_or_else(|| Failure::not_found("key to pick up for credential", &id))?;
        with_key(&call, written, parsed, &key)
    }

    async fn report_leak(&self, request: Request<v1::ReportLeakRequest>) -> Answer<v1::ReportLeakResponse> {
        let (call, message) = self.admit(request).await?;
        call.may("")?;
        Ok(Response::new(self.leaked(&call, read(message)?).await?))
    }
}

impl Administration {
    /// Credentials as they are shown, with their last use. From where is for the tenant's own people alone.
    async fn with_last_use(
        &self,
        call: &Call,
        credentials: &[&Credential],
    ) -> Result<Vec<v1::Credential>, Failure> {
        let tenant = &call.identity.target;
        let own = call.identity.own == *tenant;
        let ids: Vec<Id> = credentials.iter().map(|held| held.id).collect();
        let mut last_uses = self.audit.last_uses(tenant, &ids).await?;
        let shown = credentials.iter().map(|held| {
            let mut shown = v1::Credential::at(held, call.now);
            if let Some(last) = last_uses.remove(&held.id) {
                shown.last_used_us = Some(last.time.as_micros());
                if own {
                    shown.last_used_from = last.client.map(|address| address.to_string()).unwrap_or_default();
                    shown.last_used_agent = last.user_agent.unwrap_or_default();
                    shown.last_used_edge = last.edge;
                }
            }
            shown
        });
        Ok(shown.collect())
    }

    async fn change(
        &self,
        request: Request<v1::ChangeCredentialRequest>,
        command: fn(Id, Arc<str>) -> Command,
    ) -> Answer<v1::CredentialResponse> {
        let (call, message) = self.admit(request).await?;
        let CredentialChange { id, reason, write } = read(message)?;
        changed(&call, call.write(vec![command(id, reason)], write).await?, id)
    }
}

fn changed(call: &Call, written: Written, id: Id) -> Answer<v1::CredentialResponse> {
    let credential = find(call, &written.snapshot, id)?;
    Ok(Response::new(v1::CredentialResponse {
        credential: Some(v1::Credential::at(credential, clock::now())),
        receipt: written.receipt,
    }))
}

/// The credentials of these holders that are not revoked.
fn live_of(tenant: &Tenant, snapshot: &Snapshot, of: &Holders) -> Vec<Id> {
    let accounts = tenant.accounts().into_iter();
    let theirs = accounts.filter(|held| of.include(&held.account));
    let ids = theirs.flat_map(|held| held.account.credentials.iter().copied());
    ids.filter(|id| snapshot.credential(*id).is_some_and(|held| !is_revoked(held)))
        .collect()
}

fn is_revoked(held: &Credential) -> bool {
    matches!(held.status, CredentialStatus::Revoked { .. })
}

/// A credential of the call's tenant; another tenant's is as unknown as none.
fn find<'s>(call: &Call, snapshot: &'s Snapshot, id: Id) -> Result<&'s Credential, Failure> {
    let held = snapshot
        .credential(id)
        .filter(|held| held.tenant == call.identity.target);
    held.map(AsRef::as_ref)
        .ok_or_else(|| Failure::not_found("credential", id))
}

/// The credentials of everybody in the tenant, or of one owner.
fn ids_of(tenant: &Tenant, owner: &str) -> Result<Vec<Id>, Failure> {
    if owner.is_empty() {
        let accounts = tenant.accounts().into_iter();
        return Ok(accounts
            .flat_map(|held| held.account.credentials.iter().copied())
            .collect());
    }
    let owner: Principal = owner
        .parse()
        .map_err(|invalid: turnpike_access::id::InvalidName| {
            Failure::Message(ConversionError {
                field: "owner".to_owned(),
                problem: invalid.to_string(),
            })
        })?;
    let held = tenant
        .account(&owner)
        .ok_or_else(|| Failure::not_found(owner.kind(), owner.name()))?;
    Ok(held.account.credentials.clone())
}

fn with_key(call: &Call, written: Written, id: Id, key: &Secret) -> Answer<v1::SecretResponse> {
    let credential = find(call, &written.snapshot, id)?;
    Ok(Response::new(v1::SecretResponse {
        key: key.expose().to_owned(),
        credential: Some(v1::Credential::at(credential, clock::now())),
        receipt: written.receipt,
    }))
}
