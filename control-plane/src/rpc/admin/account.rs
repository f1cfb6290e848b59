//! Users and virtual accounts: two services that differ in the kind of principal alone.

use tonic::{Request, Response};
use turnpike_access::{
    command::Command,
    id::{Name, Principal},
    snapshot::Tenant,
};
use turnpike_proto::admin::{AccountChange, Delete, NewAccount, Page, v1};

use super::{
    Administration, Answer,
    call::{Written, read},
    part::part,
};
use crate::rpc::status::Failure;

/// [`Principal::User`] or [`Principal::VirtualAccount`].
type Kind = fn(Name) -> Principal;

#[tonic::async_trait]
impl v1::user_service_server::UserService for Administration {
    async fn create(&self, request: Request<v1::CreateAccountRequest>) -> Answer<v1::AccountResponse> {
        self.create_account(Principal::User, request).await
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::AccountResponse> {
        self.get_account(Principal::User, request).await
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListAccountsResponse> {
        self.list_accounts("user", request).await
    }

    async fn update(&self, request: Request<v1::UpdateAccountRequest>) -> Answer<v1::AccountResponse> {
        self.update_account(Principal::User, request).await
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        self.delete_account(Principal::User, request).await
    }
}

#[tonic::async_trait]
impl v1::virtual_account_service_server::VirtualAccountService for Administration {
    async fn create(&self, request: Request<v1::CreateAccountRequest>) -> Answer<v1::AccountResponse> {
        self.create_account(Principal::VirtualAccount, request).await
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::AccountResponse> {
        self.get_account(Principal::VirtualAccount, request).await
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListAccountsResponse> {
        self.list_accounts("virtual-account", request).await
    }

    async fn update(&self, request: Request<v1::UpdateAccountRequest>) -> Answer<v1::AccountResponse> {
        self.update_account(Principal::VirtualAccount, request).await
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        self.delete_account(Principal::VirtualAccount, request).await
    }
}

impl Administration {
    async fn create_account(
        &self,
        kind: Kind,
        request: Request<v1::CreateAccountRequest>,
    ) -> Answer<v1::AccountResponse> {
        let (call, message) = self.admit(request).await?;
        let NewAccount {
            name,
            profile,
            teams,
            write,
        } = read(message)?;
        let principal = kind(name);
        let command = Command::CreateAccount {
            principal: principal.clone(),
            profile,
            teams,
        };
        answer(call.write(vec![command], write).await?, &principal)
    }

    async fn get_account(
        &self,
        kind: Kind,
        request: Request<v1::NameRequest>,
    ) -> Answer<v1::AccountResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        let tenant = call.allowed_tenant(&name)?;
        let unknown = |_| Failure::not_found("account", &name);
        let principal = kind(name.parse().map_err(unknown)?);
        Ok(Response::new(v1::AccountResponse {
            account: Some(find(tenant, &principal)?),
            receipt: None,
        }))
    }

    async fn list_accounts(
        &self,
        kind: &str,
        request: Request<v1::Page>,
    ) -> Answer<v1::ListAccountsResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let mut accounts = call.allowed_tenant("")?.accounts();
        accounts.retain(|held| held.account.principal.kind() == kind);
        let (accounts, next) = part(accounts, &page, |held| held.account.principal.name().to_string())?;
        let accounts = accounts.into_iter().map(|held| (&held.account).into()).collect();
        Ok(Response::new(v1::ListAccountsResponse { accounts, next }))
    }

    async fn update_account(
        &self,
        kind: Kind,
        request: Request<v1::UpdateAccountRequest>,
    ) -> Answer<v1::AccountResponse> {
        let (call, message) = self.admit(request).await?;
        let change: AccountChange = read(message)?;
        call.may(&change.name)?;
        let principal = kind(change.name.clone());
        let command = |tenant: &Tenant| {
            let held = tenant.account(&principal).ok_or_else(|| missing(&principal))?;
            let from = held.account.profile.clone();
            let to = change.apply(&from);
            Ok(Command::UpdateAccount {
                principal: principal.clone(),
                from,
                to,
            })
        };
        answer(call.update(change.write, command).await?, &principal)
    }

    async fn delete_account(&self, kind: Kind, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let command = Command::DeleteAccount {
            principal: kind(name),
        };
        Ok(Response::new(
            call.write(vec![command], write).await?.into_receipt(),
        ))
    }
}

fn missing(principal: &Principal) -> Failure {
    Failure::not_found(principal.kind(), principal.name())
}

fn find(tenant: &Tenant, principal: &Principal) -> Result<v1::Account, Failure> {
    let held = tenant.account(principal).ok_or_else(|| missing(principal))?;
    Ok((&held.account).into())
}

fn answer(written: Written, principal: &Principal) -> Answer<v1::AccountResponse> {
    Ok(Response::new(v1::AccountResponse {
        account: Some(find(written.tenant()?, principal)?),
        receipt: written.receipt,
    }))
}
