//! Providers. A secret is sealed before it goes any further than this file.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{command::Command, id::Name, model::ProviderProfile, snapshot::Tenant};
use turnpike_proto::admin::{Delete, NewProvider, Page, ProviderChange, SecretChange, v1};

use super::{
    Administration, Answer,
    call::{Written, read},
    part::part,
};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::provider_service_server::ProviderService for Administration {
    async fn create(&self, request: Request<v1::CreateProviderRequest>) -> Answer<v1::ProviderResponse> {
        let (call, message) = self.admit(request).await?;
        let NewProvider {
            name,
            profile,
            secret,
            write,
        } = read(message)?;
        let sealed_secret = match secret.is_empty() {
            true => None,
            false => Some(self.seal(&call.identity.target, &name, &secret)?),
        };
        let command = Command::CreateProvider {
            name: name.clone(),
            profile: ProviderProfile {
                sealed_secret,
                ..profile
            },
        };
        answer(call.write(vec![command], write).await?, &name)
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::ProviderResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::ProviderResponse {
            provider: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListProvidersResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let (some, next) = part(call.allowed_tenant("")?.providers(), &page, |one| {
            one.name.to_string()
        })?;
        let providers = some
            .into_iter()
            .map(|provider| provider.as_ref().into())
            .collect();
        Ok(Response::new(v1::ListProvidersResponse { providers, next }))
    }

    async fn update(&self, request: Request<v1::UpdateProviderRequest>) -> Answer<v1::ProviderResponse> {
        let (call, message) = self.admit(request).await?;
        let change: ProviderChange = read(message)?;
        call.may(&change.name)?;
        let secret = match &change.secret {
            SecretChange::Keep => None,
            SecretChange::Remove => Some(None),
            SecretChange::Replace(secret) => {
                Some(Some(self.seal(&call.identity.target, &change.name, secret)?))
            }
        };
        let command = |tenant: &Tenant| {
            let held = tenant
                .provider(change.name.as_str())
                .ok_or_else(|| missing(change.name.as_str()))?;
            let from = held.profile.clone();
            let mut to = change.apply(&from);
            to.sealed_secret = secret.clone().unwrap_or(to.sealed_secret);
            Ok(Command::UpdateProvider {
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
        let written = call.write(vec![Command::DeleteProvider { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

impl Administration {
    /// Seals a secret for one provider of one tenant; moved to another it does not open.
    fn seal(&self, tenant: &Name, provider: &Name, secret: &str) -> Result<Arc<str>, Failure> {
        let purpose = format!("provider:{tenant}/{provider}");
        Ok(self.keyring.seal(&purpose, secret.as_bytes())?.to_string().into())
    }
}

fn missing(name: &str) -> Failure {
    Failure::not_found("provider", name)
}

fn find(tenant: &Tenant, name: &str) -> Result<v1::Provider, Failure> {
    Ok(tenant
        .provider(name)
        .ok_or_else(|| missing(name))?
        .as_ref()
        .into())
}

fn answer(written: Written, name: &Name) -> Answer<v1::ProviderResponse> {
    Ok(Response::new(v1::ProviderResponse {
        provider: Some(find(written.tenant()?, name.as_str())?),
        receipt: written.receipt,
    }))
}
