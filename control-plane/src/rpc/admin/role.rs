//! Roles, built in and custom.

use tonic::{Request, Response};
use turnpike_access::{command::Command, snapshot::Tenant};
use turnpike_proto::admin::{Delete, NewRole, Page, v1};

use super::{
    Administration, Answer,
    call::{Written, read},
    part::part,
};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::role_service_server::RoleService for Administration {
    async fn create(&self, request: Request<v1::CreateRoleRequest>) -> Answer<v1::RoleResponse> {
        let (call, message) = self.admit(request).await?;
        let NewRole { role, write } = read(message)?;
        let name = role.name.clone();
        answer(
            call.write(vec![Command::CreateRole(role)], write).await?,
            name.as_str(),
        )
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::RoleResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::RoleResponse {
            role: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListRolesResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let (some, next) = part(call.allowed_tenant("")?.roles(), &page, |role| {
            role.name.to_string()
        })?;
        let roles = some.iter().map(|role| role.as_ref().into()).collect();
        Ok(Response::new(v1::ListRolesResponse { roles, next }))
    }

    async fn update(&self, request: Request<v1::CreateRoleRequest>) -> Answer<v1::RoleResponse> {
        let (call, message) = self.admit(request).await?;
        let NewRole { role: to, write } = read(message)?;
        call.may(&to.name)?;
        let command = |tenant: &Tenant| {
            let from = tenant
                .role(to.name.as_str())
                .ok_or_else(|| Failure::not_found("role", &to.name))?;
            Ok(Command::UpdateRole {
                from: from.as_ref().clone(),
                to: to.clone(),
            })
        };
        answer(call.update(write, command).await?, to.name.as_str())
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call.write(vec![Command::DeleteRole { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

fn find(tenant: &Tenant, name: &str) -> Result<v1::Role, Failure> {
    let role = tenant
        .role(name)
        .ok_or_else(|| Failure::not_found("role", name))?;
    Ok(role.as_ref().into())
}

fn answer(written: Written, name: &str) -> Answer<v1::RoleResponse> {
    Ok(Response::new(v1::RoleResponse {
        role: Some(find(written.tenant()?, name)?),
        receipt: written.receipt,
    }))
}
