//! Issuers and their tokens. A secret is sealed before it goes any further than this file.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    command::Command,
    id::Name,
    issuer::{IssuerProfile, Verification},
    snapshot::Tenant,
};
use turnpike_proto::admin::{Delete, IssuerChange, NewIssuer, Page, RevokedTokens, v1};
use turnpike_runtime::token::issuer_purpose;

use super::{
    Administration, Answer,
    call::{Written, read},
    part::part,
};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::issuer_service_server::IssuerService for Administration {
    async fn create(&self, request: Request<v1::CreateIssuerRequest>) -> Answer<v1::IssuerResponse> {
        let (call, message) = self.admit(request).await?;
        let NewIssuer {
            name,
            mut profile,
            secret,
            write,
        } = read(message)?;
        if let Some(secret) = secret {
            put_in(
                &mut profile,
                self.seal_for_issuer(&call.identity.target, &name, &secret)?,
            );
        }
        let command = Command::CreateIssuer {
            name: name.clone(),
            profile,
        };
        answer(call.write(vec![command], write).await?, &name)
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::IssuerResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::IssuerResponse {
            issuer: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListIssuersResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let (some, next) = part(call.allowed_tenant("")?.issuers(), &page, |one| {
            one.name.to_string()
        })?;
        let issuers = some.into_iter().map(|issuer| issuer.as_ref().into()).collect();
        Ok(Response::new(v1::ListIssuersResponse { issuers, next }))
    }

    async fn update(&self, request: Request<v1::UpdateIssuerRequest>) -> Answer<v1::IssuerResponse> {
        let (call, message) = self.admit(request).await?;
        let change: IssuerChange = read(message)?;
        call.may(&change.name)?;
        let sealed = match &change.secret {
            Some(secret) => Some(self.seal_for_issuer(&call.identity.target, &change.name, secret)?),
            None => None,
        };
        let command = |tenant: &Tenant| {
            let held = tenant
                .issuer(change.name.as_str())
                .ok_or_else(|| missing(change.name.as_str()))?;
            let from = held.profile.clone();
            let mut to = change.apply(&from)?;
            if let Some(sealed) = &sealed {
                put_in(&mut to, sealed.clone());
            }
            Ok(Command::UpdateIssuer {
                name: change.name.clone(),
                from,
                to,
            })
        };
        answer(call.update(change.write, command).await?, &change.name)
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call.write(vec![Command::DeleteIssuer { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

#[tonic::async_trait]
impl v1::token_service_server::TokenService for Administration {
    async fn revoke(&self, request: Request<v1::RevokeTokensRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let revoked: RevokedTokens = read(message)?;
        let command = Command::RevokeTokens {
            issuer: revoked.issuer.clone(),
            tokens: revoked.tokens(call.now),
            reason: revoked.reason.clone(),
        };
        let written = call.write(vec![command], revoked.write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

impl Administration {
    /// Seals Turnpike's own client secret for one issuer of one tenant; moved to another it does not open.
    fn seal_for_issuer(&self, tenant: &Name, issuer: &Name, secret: &str) -> Result<Arc<str>, Failure> {
        let sealed = self
            .keyring
            .seal(&issuer_purpose(tenant, issuer), secret.as_bytes())?;
        Ok(sealed.to_string().into())
    }
}

fn put_in(profile: &mut IssuerProfile, sealed: Arc<str>) {
    if let Verification::Introspection { sealed_secret, .. } = &mut profile.verification {
        *sealed_secret = sealed;
    }
}

fn missing(name: &str) -> Failure {
    Failure::not_found("issuer", name)
}

fn find(tenant: &Tenant, name: &str) -> Result<v1::Issuer, Failure> {
    Ok(tenant.issuer(name).ok_or_else(|| missing(name))?.as_ref().into())
}

fn answer(written: Written, name: &Name) -> Answer<v1::IssuerResponse> {
    Ok(Response::new(v1::IssuerResponse {
        issuer: Some(find(written.tenant()?, name.as_str())?),
        receipt: written.receipt,
    }))
}
