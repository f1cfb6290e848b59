//! Limits, with what was spent.

use tonic::{Request, Response};
use turnpike_access::{command::Command, limit::HeldLimit, snapshot::Tenant};
use turnpike_proto::admin::{Delete, NewLimit, Page, v1};
use turnpike_runtime::clock;

use super::{Administration, Answer, call::read, part::part};
use crate::{limits, rpc::status::Failure};

#[tonic::async_trait]
impl v1::limit_service_server::LimitService for Administration {
    async fn create(&self, request: Request<v1::CreateLimitRequest>) -> Answer<v1::LimitResponse> {
        let (call, message) = self.admit(request).await?;
        let NewLimit { write, limit } = read(message)?;
        let name = limit.name.clone();
        let written = call.write(vec![Command::CreateLimit(limit)], write).await?;
        let tenant = written.tenant()?;
        Ok(Response::new(v1::LimitResponse {
            limit: Some(self.told(tenant, find(tenant, name.as_str())?).await?),
            receipt: written.receipt,
        }))
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::LimitResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        let tenant = call.allowed_tenant(&name)?;
        Ok(Response::new(v1::LimitResponse {
            limit: Some(self.told(tenant, find(tenant, &name)?).await?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListLimitsResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let tenant = call.allowed_tenant("")?;
        let (some, next) = part(tenant.limits().iter().collect(), &page, |held| {
            held.limit.name.to_string()
        })?;
        let mut limits = Vec::with_capacity(some.len());
        for held in some {
            limits.push(self.told(tenant, held).await?);
        }
        Ok(Response::new(v1::ListLimitsResponse { limits, next }))
    }

    async fn update(&self, request: Request<v1::CreateLimitRequest>) -> Answer<v1::LimitResponse> {
        let (call, message) = self.admit(request).await?;
        let NewLimit { write, limit: to } = read(message)?;
        let name = to.name.clone();
        let from = find(call.allowed_tenant(name.as_str())?, name.as_str())?
            .limit
            .clone();
        let written = call.write(vec![Command::UpdateLimit { from, to }], write).await?;
        let tenant = written.tenant()?;
        Ok(Response::new(v1::LimitResponse {
            limit: Some(self.told(tenant, find(tenant, name.as_str())?).await?),
            receipt: written.receipt,
        }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call.write(vec![Command::DeleteLimit { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

impl Administration {
    async fn told(&self, tenant: &Tenant, held: &HeldLimit) -> Result<v1::Limit, Failure> {
        let now = clock::now();
        let spent = limits::spent(&*self.audit, tenant, &held.limit, now).await?;
        Ok(v1::Limit {
            spent_nanos: spent.cost_nanos,
            unpriced: spent.unpriced,
            spent_until_us: held
                .spent_until
                .filter(|_| held.is_spent(now))
                .map(|until| until.as_micros()),
            ..held.into()
        })
    }
}

fn find<'t>(tenant: &'t Tenant, name: &str) -> Result<&'t HeldLimit, Failure> {
    let found = tenant
        .limits()
        .iter()
        .find(|held| held.limit.name.as_str() == name);
    found.ok_or_else(|| Failure::not_found("limit", name))
}
