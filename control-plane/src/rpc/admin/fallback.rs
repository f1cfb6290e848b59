//! Fallback rules, in the order in which they are tried.

use tonic::{Request, Response};
use turnpike_access::{command::Command, snapshot::Tenant};
use turnpike_proto::admin::{Delete, NewFallback, Page, v1};
use turnpike_runtime::random;

use super::{Administration, Answer, call::read, part::part};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::fallback_service_server::FallbackService for Administration {
    async fn create(&self, request: Request<v1::CreateFallbackRequest>) -> Answer<v1::FallbackResponse> {
        let (call, message) = self.admit(request).await?;
        let new: NewFallback = read(message)?;
        let (id, write) = (random::id(), new.write);
        let written = call
            .write(vec![Command::CreateFallback(new.with_id(id))], write)
            .await?;
        Ok(Response::new(v1::FallbackResponse {
            fallback: Some(find(written.tenant()?, id.as_str())?),
            receipt: written.receipt,
        }))
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::FallbackResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::FallbackResponse {
            fallback: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListFallbacksResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let rules = call.allowed_tenant("")?.fallbacks().iter().collect();
        let (some, next) = part(rules, &page, |rule| rule.id.to_string())?;
        let fallbacks = some.into_iter().map(v1::Fallback::from).collect();
        Ok(Response::new(v1::ListFallbacksResponse { fallbacks, next }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name: id, write } = read(message)?;
        let written = call.write(vec![Command::DeleteFallback { id }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

fn find(tenant: &Tenant, id: &str) -> Result<v1::Fallback, Failure> {
    let found = tenant.fallbacks().iter().find(|rule| rule.id.as_str() == id);
    found
        .map(v1::Fallback::from)
        .ok_or_else(|| Failure::not_found("fallback", id))
}
