//! Aliases of models.

use tonic::{Request, Response};
use turnpike_access::{command::Command, snapshot::Tenant};
use turnpike_proto::admin::{Page, SetAlias, Write, v1};

use super::{Administration, Answer, call::read, part::part};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::alias_service_server::AliasService for Administration {
    async fn set(&self, request: Request<v1::SetAliasRequest>) -> Answer<v1::AliasResponse> {
        let (call, message) = self.admit(request).await?;
        let SetAlias { alias, target, write } = read(message)?;
        let command = Command::SetAlias {
            alias: alias.clone(),
            target,
        };
        let written = call.write(vec![command], write).await?;
        Ok(Response::new(v1::AliasResponse {
            alias: Some(find(written.tenant()?, &alias)?),
            receipt: written.receipt,
        }))
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::AliasResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::AliasResponse {
            alias: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListAliasesResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let (some, next) = part(call.allowed_tenant("")?.aliases(), &page, |(alias, _)| {
            alias.to_string()
        })?;
        let aliases = some.into_iter().map(v1::Alias::from).collect();
        Ok(Response::new(v1::ListAliasesResponse { aliases, next }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, v1::DeleteRequest { name, options }) = self.admit(request).await?;
        let write: Write = read(options)?;
        let command = Command::DeleteAlias { alias: name.into() };
        Ok(Response::new(
            call.write(vec![command], write).await?.into_receipt(),
        ))
    }
}

fn find(tenant: &Tenant, name: &str) -> Result<v1::Alias, Failure> {
    let mut aliases = tenant.aliases().into_iter();
    let found = aliases.find(|(alias, _)| alias.as_ref() == name);
    found
        .map(v1::Alias::from)
        .ok_or_else(|| Failure::not_found("alias", name))
}
