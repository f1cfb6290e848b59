//! Providers, which are looked at on every start because the fake one's port changes, and models.

use std::net::SocketAddr;

use turnpike_proto::admin::v1::{
    Alias, CreateModelRequest, CreateProviderRequest, Model, NameRequest, Prices, Provider, SetAliasRequest,
    UpdateProviderRequest, alias_service_client::AliasServiceClient,
    model_service_client::ModelServiceClient, provider_service_client::ProviderServiceClient,
};
use turnpike_runtime::secret::Secret;

use super::{made, plan};
use crate::{connect::Service, failure::Failure, session::present};

/// A provider that really answers.
#[derive(Debug)]
pub(in crate::dev) struct RealProvider {
    /// Where it is, with `/v1`.
    pub(in crate::dev) base_url: String,
    /// Its own key, not one of ours.
    pub(in crate::dev) key: Secret,
}

const REAL: &str = "openai";

/// Makes the fake providers, or lets them know their present address.
pub(super) async fn providers(service: &Service, fake: SocketAddr, secret: &str) -> Result<(), Failure> {
    for one in &plan::PROVIDERS {
        let base_url = format!("http://{fake}{}", one.path);
        let provider = Provider {
            name: one.name.to_owned(),
            kind: one.kind.to_owned(),
            base_url,
            catalogue: one.catalogue.to_owned(),
            ..Default::default()
        };
        put(service, provider, None, secret).await?;
    }
    Ok(())
}

/// Makes the real provider, or gives it the key and address of this start.
pub(super) async fn real_provider(service: &Service, real: &RealProvider) -> Result<(), Failure> {
    let provider = Provider {
        name: REAL.to_owned(),
        kind: "openai".to_owned(),
        base_url: real.base_url.clone(),
        catalogue: "open".to_owned(),
        ..Default::default()
    };
    let key = real.key.expose();
    put(service, provider, Some(key.to_owned()), key).await
}

/// Makes a provider with `secret`; where it is there already, moves its address, and changes its secret to
/// `replace` where one is given.
async fn put(
    service: &Service,
    provider: Provider,
    replace: Option<String>,
    secret: &str,
) -> Result<(), Failure> {
    let mut client = ProviderServiceClient::new(service.clone());
    let (name, base_url) = (provider.name.clone(), provider.base_url.clone());
    let request = CreateProviderRequest {
        provider: Some(provider),
        secret: secret.to_owned(),
        options: None,
    };
    if made(client.create(request).await)? {
        return Ok(());
    }
    let known = present(
        client
            .get(NameRequest { name: name.clone() })
            .await?
            .into_inner()
            .provider,
    )?;
    if known.base_url == base_url && replace.is_none() {
        return Ok(());
    }
    let request = UpdateProviderRequest {
        name,
        base_url: Some(base_url),
        secret: replace,
        ..Default::default()
    };
    client.update(request).await?;
    Ok(())
}

/// The fake providers' models, and an alias.
pub(super) async fn models(service: &Service) -> Result<(), Failure> {
    let mut client = ModelServiceClient::new(service.clone());
    for one in &plan::MODELS {
        let model = Model {
            id: one.id.to_owned(),
            family: one.family.to_owned(),
            environment: one.environment.to_owned(),
            prices: Some(Prices {
                input: Some(one.input),
                output: Some(one.output),
                cached: None,
            }),
            capabilities: one.capabilities.iter().map(|&name| name.to_owned()).collect(),
            ..Default::default()
        };
        made(
            client
                .create(CreateModelRequest {
                    model: Some(model),
                    options: None,
                })
                .await,
        )?;
    }
    let alias = Alias {
        name: "fast".to_owned(),
        target: "fake-openai/gpt-4o-mini".to_owned(),
    };
    AliasServiceClient::new(service.clone())
        .set(SetAliasRequest {
            alias: Some(alias),
            options: None,
        })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use turnpike_access::pattern::Glob;

    use super::*;

    #[test]
    fn the_demonstration_may_use_every_model_of_the_plan() {
        let grant = plan::GRANTS
            .iter()
            .find(|grant| grant.to == "virtual-account:demo-app")
            .unwrap();
        let pattern: Glob = grant.resource.unwrap().1.parse().unwrap();
        assert!(plan::MODELS.iter().all(|model| pattern.matches(model.id)));
    }

    #[test]
    fn nothing_of_the_plan_is_granted_to_payments() {
        assert!(plan::GRANTS.iter().all(|grant| grant.to != "team:payments"));
    }
}
