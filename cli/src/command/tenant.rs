//! `turnpike tenant`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateTenantRequest, DeleteRequest, NameRequest, UpdateTenantRequest,
    tenant_service_client::TenantServiceClient,
};

mod audit;
mod policy;
mod staleness;

use audit::{AuditFlags, AuditView};
use policy::{PolicyFlags, PolicyView, Rule, Seconds};
use staleness::{StalenessFlags, StalenessView};

use super::value::{Delete, Limit, pair, some};
use crate::{
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a tenant
    Create(Create),
    /// Show all tenants
    List(Limit),
    /// Show one tenant
    Get {
        /// Its name
        name: String,
    },
    /// Change a tenant
    Update(Update),
    /// Delete a tenant and everything in it
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name: a-z, 0-9 and . _ @ + -
    name: String,
    /// What people call it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    display_name: String,
    /// Make this user its first administrator, and show that user's key
    #[arg(long, value_name = "USER", default_value = "", hide_default_value = true)]
    administrator: String,
    /// Answer 404 rather than 403 for models that a caller may not use
    #[arg(long)]
    hide_models: bool,
    /// A tag, for what the operators offer by tags; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its name
    name: String,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Whether a model that a caller may not use is answered as unknown
    #[arg(long, value_name = "true|false")]
    hide_models: Option<bool>,
    /// Whether all its keys are refused
    #[arg(long, value_name = "true|false")]
    suspended: Option<bool>,
    /// A tag, for operators to set; may be given again. The tags given take the place of all tags
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Take away all tags
    #[arg(long, conflicts_with = "tags")]
    no_tags: bool,
    /// Whether a stream that is under way ends when what opened it is revoked
    #[arg(long, value_name = "true|false")]
    end_streams: Option<bool>,
    /// For how long access may be asked for with `turnpike access request`; `none` for the usual day
    #[arg(long, value_name = "DURATION")]
    max_access: Option<Rule<Seconds>>,
    /// Whether a grant that is made or changed must have a reason and an owner
    #[arg(long, value_name = "true|false")]
    justified_grants: Option<bool>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    audit: AuditFlags,
    #[command(flatten)]
    staleness: StalenessFlags,
    #[command(flatten)]
    policy: PolicyFlags,
}

#[derive(Serialize)]
struct TenantView {
    name: String,
    display_name: Option<String>,
    hide_models: bool,
    suspended: bool,
    tags: BTreeMap<String, String>,
    created: Option<String>,
    staleness: Option<StalenessView>,
    end_streams: bool,
    max_access: Option<String>,
    justified_grants: bool,
    audit: AuditView,
    credential_policy: Option<PolicyView>,
}

impl View for TenantView {
    const COLUMNS: &'static [&'static str] = &["name", "display_name", "hide_models", "suspended", "created"];
}

impl From<wire::Tenant> for TenantView {
    fn from(tenant: wire::Tenant) -> Self {
        let wire::Tenant {
            name,
            display_name,
            hide_models,
            suspended,
            created_us,
            credential_policy,
            tags,
            staleness,
            end_streams,
            max_access_seconds,
            justified_grants,
            audit,
            // `turnpike alert rule list` shows them with what is usual.
            alert_rules: _,
        } = tenant;
        Self {
            name,
            display_name: some(display_name),
            hide_models,
            suspended,
            tags,
            created: moment::text(created_us),
            staleness: staleness.map(StalenessView::from),
            end_streams,
            max_access: max_access_seconds.map(moment::written),
            justified_grants,
            audit: AuditView::from(audit.unwrap_or_default()),
            credential_policy: credential_policy.map(PolicyView::from),
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = TenantServiceClient::new(session.service());
        match self {
            Self::Create(create) => {
                let wait = create.wait;
                let answer = client.create(create.request(session)).await?.into_inner();
                let view = TenantView::from(present(answer.tenant)?);
                session.wrote_key("tenant", &view, &answer.administrator_key, answer.receipt, wait)
            }
            Self::List(Limit { limit }) => {
                let tenants = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.tenants, part.next))
                })
                .await?;
                session.list::<TenantView, _>(tenants)
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                session.show::<TenantView, _>(answer.tenant)
            }
            Self::Update(update) => {
                let wait = update.wait;
                let answer = client.update(update.request(session).await?).await?.into_inner();
                session.wrote(
                    "tenant",
                    &TenantView::from(present(answer.tenant)?),
                    answer.receipt,
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

/// What is sent whole is read first, so that its other parts stay.
async fn current(session: &Session, name: &str) -> Result<wire::Tenant, Failure> {
    let mut client = TenantServiceClient::new(session.service());
    let request = NameRequest {
        name: name.to_owned(),
    };
    let answer = client.get(request).await?.into_inner();
    present(answer.tenant)
}

impl Create {
    fn request(self, session: &Session) -> CreateTenantRequest {
        let Self {
            name,
            display_name,
            administrator,
            hide_models,
            tags,
            wait,
        } = self;
        let tenant = wire::Tenant {
            name,
            display_name,
            hide_models,
            tags: tags.into_iter().collect(),
            ..Default::default()
        };
        CreateTenantRequest {
            tenant: Some(tenant),
            administrator,
            options: session.options(wait),
        }
    }
}

impl Update {
    async fn request(self, session: &Session) -> Result<UpdateTenantRequest, Failure> {
        let Self {
            name,
            display_name,
            hide_models,
            suspended,
            tags,
            no_tags,
            end_streams,
            max_access,
            justified_grants,
            wait,
            audit,
            staleness,
            policy,
        } = self;
        let credential_policy = match policy.given() {
            true => Some(policy.apply(current(session, &name).await?.credential_policy)?),
            false => None,
        };
        let audit = match audit.given() {
            true => Some(audit.apply(current(session, &name).await?.audit)),
            false => None,
        };
        let staleness = match staleness.given() {
            true => Some(staleness.apply(current(session, &name).await?.staleness)),
            false => None,
        };
        Ok(UpdateTenantRequest {
            name,
            display_name,
            hide_models,
            suspended,
            credential_policy,
            max_access_seconds: max_access.map(|Rule(most)| most.map_or(0, |Seconds(most)| most)),
            options: session.options(wait),
            replace_tags: no_tags || !tags.is_empty(),
            tags: tags.into_iter().collect(),
            staleness,
            audit,
            end_streams,
            justified_grants,
            alert_rules: BTreeMap::new(),
            replace_alert_rules: false,
        })
    }
}
