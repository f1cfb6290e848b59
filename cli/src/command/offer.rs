//! `turnpike offer`.

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateOfferRequest, DeleteRequest, NameRequest, ResourcePattern, Selector,
    offer_service_client::OfferServiceClient,
};

use super::{
    grant::selector::{any, sides, tag_sides, tag_tests},
    value::{Delete, Limit, pair, some},
};
use crate::{
    failure::Failure,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with offers.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let models of the operators' tenant exist for other tenants, which may then grant them to their people
    Create(Create),
    /// Show all offers
    List(Limit),
    /// Show one offer
    Get {
        /// Its id
        id: String,
    },
    /// Withdraw an offer
    Delete(Delete),
}

/// The flags. Those about models must all hold; the values of one flag are alternatives. Without --to, --to-tag and
/// --to-all it is for the tenant of --tenant.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// To this tenant; may be given again. Absent, with no --to-tag and no --to-all: that of --tenant
    #[arg(long = "to", value_name = "TENANT", conflicts_with_all = ["to_tags", "to_all"])]
    to: Vec<String>,
    /// To tenants with this tag; may be given again
    #[arg(long = "to-tag", value_name = "KEY=VALUE", value_parser = pair, conflicts_with = "to_all")]
    to_tags: Vec<(String, String)>,
    /// To all tenants, those to come too
    #[arg(long)]
    to_all: bool,
    /// Which models: provider/name, with *; may be given again. Absent: all
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// Only models of this family; may be given again
    #[arg(long = "family", value_name = "NAME")]
    families: Vec<String>,
    /// Only models of this environment; may be given again
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// Only models with this tag; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Only models that have the same tag of this key as the tenant; may be given again
    #[arg(long = "match-tag", value_name = "KEY")]
    match_tags: Vec<String>,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct OfferView {
    id: String,
    all_tenants: bool,
    tenants: Vec<String>,
    tenant_tags: Vec<String>,
    models: Vec<String>,
    families: Vec<String>,
    environments: Vec<String>,
    tags: Vec<String>,
    match_tags: Vec<String>,
    reason: Option<String>,
}

impl View for OfferView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "all_tenants",
        "tenants",
        "tenant_tags",
        "models",
        "environments",
        "tags",
        "reason",
    ];
}

impl From<wire::Offer> for OfferView {
    fn from(offer: wire::Offer) -> Self {
        let wire::Offer {
            id,
            all_tenants,
            tenants,
            tenant_tags,
            models,
            reason,
        } = offer;
        let Selector {
            resources,
            families,
            environment,
            tags,
            match_tags,
        } = models.unwrap_or_default();
        Self {
            id,
            all_tenants,
            tenants,
            tenant_tags: tag_sides(tenant_tags).0,
            models: resources.into_iter().map(|one| one.name).collect(),
            families,
            environments: sides(environment.unwrap_or_default()).0,
            tags: tag_sides(tags).0,
            match_tags,
            reason: some(reason),
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = OfferServiceClient::new(session.service());
        match self {
            Self::Create(create) => {
                let wait = create.wait;
                let request = CreateOfferRequest {
                    offer: Some(create.offer()),
                    options: session.options(wait),
                };
                let answer = client.create(request).await?.into_inner();
                let view = OfferView::from(present(answer.offer)?);
                session.wrote("offer", &view, answer.receipt, wait)
            }
            Self::List(Limit { limit }) => {
                let offers = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.offers, part.next))
                })
                .await?;
                session.list::<OfferView, _>(offers)
            }
            Self::Get { id } => {
                let answer = client.get(NameRequest { name: id }).await?.into_inner();
                session.show::<OfferView, _>(answer.offer)
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
    fn offer(self) -> wire::Offer {
        let Self {
            to,
            to_tags,
            to_all,
            models,
            families,
            environments,
            tags,
            match_tags,
            reason,
            wait: _,
        } = self;
        let model = |name| ResourcePattern {
            kind: "model".to_owned(),
            name,
        };
        let selector = Selector {
            resources: models.into_iter().map(model).collect(),
            families,
            environment: any("in", environments),
            tags: tag_tests("in", tags).collect(),
            match_tags,
        };
        wire::Offer {
            id: String::new(),
            all_tenants: to_all,
            tenants: to,
            tenant_tags: tag_tests("in", to_tags).collect(),
            models: Some(selector),
            reason,
        }
    }
}
