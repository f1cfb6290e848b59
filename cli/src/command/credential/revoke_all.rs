//! `turnpike credential revoke-all`.

use clap::Args;
use serde::Serialize;
use turnpike_proto::admin::v1::{RevokeAllRequest, credential_service_client::CredentialServiceClient};

use crate::{
    connect::Service,
    failure::Failure,
    session::{Outcome, Session, Wait},
};

#[derive(Debug, Args)]
pub(in crate::command) struct RevokeAll {
    #[command(flatten)]
    of: Of,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// Those of this principal: user:NAME or virtual-account:NAME
    #[arg(long, value_name = "PRINCIPAL")]
    owner: Option<String>,
    /// Those of everybody in this team, its virtual accounts too
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Everybody's in the tenant, your own too
    #[arg(long)]
    whole_tenant: bool,
}

#[derive(Serialize)]
struct RevokedView {
    credentials: u64,
}

impl RevokeAll {
    pub(super) async fn run(
        self,
        session: &Session,
        mut client: CredentialServiceClient<Service>,
    ) -> Result<Outcome, Failure> {
        let Self { of, reason, wait } = self;
        let request = RevokeAllRequest {
            owner: of.owner.unwrap_or_default(),
            team: of.team.unwrap_or_default(),
            tenant: of.whole_tenant,
            reason,
            options: session.options(wait),
        };
        let answer = client.revoke_all(request).await?.into_inner();
        let view = RevokedView {
            credentials: answer.revoked,
        };
        session.wrote("revoked", &view, answer.receipt, wait)
    }
}
