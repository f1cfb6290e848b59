//! `turnpike provider`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateProviderRequest, DeleteRequest, NameRequest, ProviderResponse, UpdateProviderRequest,
    provider_service_client::ProviderServiceClient,
};

use super::value::{Delete, Limit, SecretSource, pair, some};
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with providers.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a provider; its secret is sealed at once and never shown again
    Create(Create),
    /// Show all providers
    List(Limit),
    /// Show one provider
    Get {
        /// Its name
        name: String,
    },
    /// Change a provider
    Update(Update),
    /// Delete a provider and its models
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name: a-z, 0-9 and . _ @ + -
    name: String,
    /// How it is spoken to: openai (and all that speak like it), azure-openai or anthropic
    #[arg(long, value_parser = ["openai", "azure-openai", "anthropic"])]
    kind: String,
    /// Where it is, such as https://api.openai.com/v1
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// The api-version of Azure, or anthropic-version, where a client names none
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    api_version: String,
    /// Whether any model name exists under it, or those alone that are listed
    #[arg(long, value_parser = ["open", "closed"], default_value = "open")]
    catalogue: String,
    /// A tag, of the models too that have no such tag of their own; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Tell it in the header x-turnpike-identity who calls, in a JWT signed by the edge
    #[arg(long)]
    identity_header: bool,
    /// Its name in the aud of that header. Absent: its base URL
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        requires = "identity_header"
    )]
    identity_audience: String,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its name
    name: String,
    /// Where it is
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The api-version of Azure, or anthropic-version, where a client names none
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    /// Whether any model name exists under it, or those alone that are listed
    #[arg(long, value_parser = ["open", "closed"])]
    catalogue: Option<String>,
    /// A tag; may be given again. The tags given take the place of all tags
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Take away all tags
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    /// Whether it is told in the header x-turnpike-identity who calls
    #[arg(long, value_name = "BOOLEAN")]
    identity_header: Option<bool>,
    /// Its name in the aud of that header, which is turned on by this; an empty text for its base URL
    #[arg(long, value_name = "TEXT")]
    identity_audience: Option<String>,
    #[command(flatten)]
    secret: SecretSource,
    /// Forget its secret
    #[arg(long, conflicts_with = "SecretSource")]
    no_secret: bool,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct ProviderView {
    name: String,
    kind: String,
    base_url: String,
    api_version: Option<String>,
    catalogue: String,
    has_secret: bool,
    tags: BTreeMap<String, String>,
    identity_header: bool,
    identity_audience: Option<String>,
    created: Option<String>,
}

impl View for ProviderView {
    const COLUMNS: &'static [&'static str] =
        &["name", "kind", "base_url", "catalogue", "has_secret", "created"];
}

impl From<wire::Provider> for ProviderView {
    fn from(provider: wire::Provider) -> Self {
        let wire::Provider {
            name,
            kind,
            base_url,
            api_version,
            catalogue,
            has_secret,
            created_us,
            tags,
            identity_header,
            identity_audience,
        } = provider;
        let api_version = some(api_version);
        Self {
            name,
            kind,
            base_url,
            api_version,
            catalogue,
            has_secret,
            tags,
            identity_header,
            identity_audience: some(identity_audience),
            created: moment::text(created_us),
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = ProviderServiceClient::new(session.service());
        match self {
            Self::Create(create) => {
                let wait = create.wait;
                wrote(
                    session,
                    client.create(create.request(session)?).await?.into_inner(),
                    wait,
                )
            }
            Self::List(Limit { limit }) => {
                let providers = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.providers, part.next))
                })
                .await?;
                session.list::<ProviderView, _>(providers)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                session.show::<ProviderView, _>(answer.provider)
            }
            Self::Update(update) => {
                let wait = update.wait;
                wrote(
                    session,
                    client.update(update.request(session)?).await?.into_inner(),
                    wait,
                )
            }
            Self::Delete(Delete { name, wait }) => {
                let request = DeleteRequest {
                    name,
                    options: session.options(wait),
                };
                session.deleted(client.delete(request).await?.into_inner(), wait)
            }
        }
    }
}

impl Create {
    fn request(self, session: &Session) -> Result<CreateProviderRequest, Failure> {
        let Self {
            name,
            kind,
            base_url,
            api_version,
            catalogue,
            tags,
            identity_header,
            identity_audience,
            secret,
            wait,
        } = self;
        let provider = wire::Provider {
            name,
            kind,
            base_url,
            api_version,
            catalogue,
            tags: tags.into_iter().collect(),
            identity_header,
            identity_audience,
            ..Default::default()
        };
        Ok(CreateProviderRequest {
            provider: Some(provider),
            secret: secret
                .read()?
                .map(|secret| secret.expose().to_owned())
                .unwrap_or_default(),
            options: session.options(wait),
        })
    }
}

impl Update {
    fn request(self, session: &Session) -> Result<UpdateProviderRequest, Failure> {
        let Self {
            name,
            base_url,
            api_version,
            catalogue,
            tags,
            no_tags,
            identity_header,
            identity_audience,
            secret,
            no_secret,
            wait,
        } = self;
        // The empty text takes the secret away; no text leaves it.
        let secret = secret
            .read()?
            .map(|secret| secret.expose().to_owned())
            .or(no_secret.then(String::new));
        Ok(UpdateProviderRequest {
            name,
            base_url,
            api_version,
            catalogue,
            secret,
            options: session.options(wait),
            replace_tags: no_tags || !tags.is_empty(),
            tags: tags.into_iter().collect(),
            identity_header,
            identity_audience,
        })
    }
}

fn wrote(session: &Session, answer: ProviderResponse, wait: Wait) -> Result<Outcome, Failure> {
    session.wrote(
        "provider",
        &ProviderView::from(present(answer.provider)?),
        answer.receipt,
        wait,
    )
}
