//! Tenants: made and deleted by operators, changed by their own people too.

use tonic::{Request, Response};
use turnpike_access::{
    command::Command,
    grant::{Effect, Grant, Subject},
    id::{Name, Principal},
    snapshot::Tenant,
    tenant::AccountProfile,
};
use turnpike_proto::admin::{Delete, NewTenant, Page, TenantChange, v1};
use turnpike_runtime::{random, secret::Secret};

use super::{
    Administration, Answer,
    call::{Call, Written, read},
    part::part,
};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::tenant_service_server::TenantService for Administration {
    async fn create(&self, request: Request<v1::CreateTenantRequest>) -> Answer<v1::TenantResponse> {
        let (call, message) = self.admit(request).await?;
        let NewTenant {
            name,
            settings,
            administrator,
            write,
        } = read(message)?;
        let mut commands = vec![Command::CreateTenant(settings)];
        let key = match administrator {
            Some(administrator) => self.add_administrator(&call, &name, administrator, &mut commands)?,
            None => Secret::default(),
        };
        let written = call.write_in(name, commands, write).await?;
        let mut answer = answer(written)?;
        answer.administrator_key = key.expose().to_owned();
        Ok(Response::new(answer))
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::TenantResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        let call = call.about_named(&name)?;
        let tenant = call.allowed_tenant("")?;
        Ok(Response::new(v1::TenantResponse {
            tenant: Some(tenant.into()),
            ..Default::default()
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListTenantsResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let (tenants, next) = part(call.visible_tenants()?, &page, |tenant| tenant.name.clone())?;
        Ok(Response::new(v1::ListTenantsResponse { tenants, next }))
    }

    async fn update(&self, request: Request<v1::UpdateTenantRequest>) -> Answer<v1::TenantResponse> {
        let (call, message) = self.admit(request).await?;
        let change: TenantChange = read(message)?;
        let call = call.about(&change.name)?;
        call.may("")?;
        let command = |tenant: &Tenant| {
            let from = tenant.settings().clone();
            let to = change.apply(&from);
            Ok(Command::UpdateTenant { from, to })
        };
        let written = call.update(change.write, command).await?;
        Ok(Response::new(answer(written)?))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read::<Delete<Name>, _>(message)?;
        let written = call
            .about(&name)?
            .write(vec![Command::DeleteTenant], write)
            .await?;
        Ok(Response::new(written.into_receipt()))
    }
}

impl Administration {
    /// Adds what makes a tenant's first administrator, and says its key.
    fn add_administrator(
        &self,
        call: &Call,
        tenant: &Name,
        administrator: Name,
        commands: &mut Vec<Command>,
    ) -> Result<Secret, Failure> {
        let principal = Principal::User(administrator);
        let operator = format!("{}/{}", call.identity.own, call.caller()?.principal);
        let (key, credential) = self.new_credential(tenant, principal.clone(), operator.into(), call.now)?;
        let role =
            turnpike_access::role::built_in("admin").ok_or_else(|| Failure::not_found("role", "admin"))?;
        commands.push(Command::CreateAccount {
            principal: principal.clone(),
            profile: AccountProfile::default(),
            teams: Vec::new(),
        });
        commands.push(Command::CreateGrant(Grant {
            id: random::id(),
            subject: Subject::Principal(principal.clone()),
            role: role.name,
            effect: Effect::Allow,
            selector: Default::default(),
            conditions: Default::default(),
            reason: Some("the tenant's first administrator".into()),
            owner: Some(Subject::Principal(principal)),
        }));
        commands.push(Command::IssueCredential(credential));
        Ok(key)
    }
}

impl Call {
    /// The same call about the tenant of this name, which need not be a valid one.
    fn about_named(self, name: &str) -> Result<Self, Failure> {
        let identity = self.identity.clone().about(name, &self.snapshot)?;
        self.about(&identity.target)
    }

    /// The tenants that the caller may read: of operators those that their grants cover, of others their own.
    fn visible_tenants(&self) -> Result<Vec<v1::Tenant>, Failure> {
        if !self.identity.is_operator() {
            return Ok(vec![self.allowed_tenant("")?.into()]);
        }
        let all = self.snapshot.tenants();
        let shown = all
            .into_iter()
            .filter(|tenant| self.may_about(tenant.name()))
            .map(|tenant| tenant.as_ref().into());
        let shown: Vec<v1::Tenant> = shown.collect();
        match shown.is_empty() {
            true => self.may("").map(|()| shown),
            false => Ok(shown),
        }
    }
}

fn answer(written: Written) -> Result<v1::TenantResponse, Failure> {
    Ok(v1::TenantResponse {
        tenant: Some(written.tenant()?.into()),
        receipt: written.receipt,
        administrator_key: String::new(),
    })
}
