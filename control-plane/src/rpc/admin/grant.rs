//! Grants.

use tonic::{Request, Response};
use turnpike_access::{command::Command, snapshot::Tenant};
use turnpike_proto::admin::{Delete, ListGrants, NewGrant, v1};
use turnpike_runtime::random;

use super::{Administration, Answer, call::read, part::part};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::grant_service_server::GrantService for Administration {
    async fn create(&self, request: Request<v1::CreateGrantRequest>) -> Answer<v1::GrantResponse> {
        let (call, message) = self.admit(request).await?;
        let new: NewGrant = read(message)?;
        let (id, write) = (random::id(), new.write);
        let grant = new.with_id(id, call.own_account()?);
        let written = call.write(vec![Command::CreateGrant(grant)], write).await?;
        Ok(Response::new(v1::GrantResponse {
            grant: Some(find(written.tenant()?, id.as_str())?),
            receipt: written.receipt,
        }))
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::GrantResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::GrantResponse {
            grant: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::ListGrantsRequest>) -> Answer<v1::ListGrantsResponse> {
        let (call, message) = self.admit(request).await?;
        let ListGrants { subject, page } = read(message)?;
        let mut grants = call.allowed_tenant_of(subject.as_ref())?.grants();
        grants.retain(|held| {
            subject
                .as_ref()
                .is_none_or(|subject| held.grant.subject == *subject)
        });
        let (some, next) = part(grants, &page, |held| held.grant.id.to_string())?;
        let grants = some.into_iter().map(|held| held.as_ref().into()).collect();
        Ok(Response::new(v1::ListGrantsResponse { grants, next }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name: id, write } = read(message)?;
        let written = call.write(vec![Command::DeleteGrant { id }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

fn find(tenant: &Tenant, id: &str) -> Result<v1::Grant, Failure> {
    let held = id.parse().ok().and_then(|id| tenant.grant(id));
    held.map(|held| held.as_ref().into())
        .ok_or_else(|| Failure::not_found("grant", id))
}
