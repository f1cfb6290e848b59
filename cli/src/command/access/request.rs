//! `turnpike access request`, `requests`, `approve`, `refuse` and `withdraw`: access for some time.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, ApproveRequest, ListRequestsRequest, RefuseRequest, RequestAccessRequest, RequestedAccess,
    ResourcePattern, Selector, WithdrawRequest, access_service_client::AccessServiceClient,
};

use crate::{
    command::{
        grant::selector::{any, tag_tests},
        value::{pair, resource, some},
    },
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// Access for some time: asked for, and decided by somebody else.
#[derive(Debug, Subcommand)]
pub(in crate::command) enum Command {
    /// Ask for a grant for some time; somebody else decides
    Request(Ask),
    /// Show your requests, and those that you may decide about
    Requests {
        /// Decided and lapsed ones too, as far as they are still held; the log has all
        #[arg(long)]
        all: bool,
    },
    /// Grant what was asked for; it expires by itself. Nobody approves their own
    Approve {
        /// Its id
        id: String,
        /// For less than was asked for
        #[arg(long = "for", value_name = "DURATION", value_parser = moment::duration)]
        at_most: Option<Duration>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Refuse a request
    Refuse {
        /// Its id
        id: String,
        /// Why, for whoever asked
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Take back a request of yours
    Withdraw {
        /// Its id
        id: String,
        #[command(flatten)]
        wait: Wait,
    },
}

/// The flags. Those about the resource must all hold; the values of one flag are alternatives.
#[derive(Debug, Args)]
pub(in crate::command) struct Ask {
    /// Which actions: a role's name
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Which models: provider/name, with *; may be given again. Absent, with no --resource: everything
    #[arg(long = "model", value_name = "PATTERN")]
    models: Vec<String>,
    /// Which other resources; may be given again
    #[arg(long = "resource", value_name = "KIND:PATTERN", value_parser = resource)]
    resources: Vec<ResourcePattern>,
    /// Only models of this environment; may be given again
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// Only models with this tag; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// For how long, from the approval on
    #[arg(long = "for", value_name = "DURATION", value_parser = moment::duration)]
    duration: Duration,
    /// What for
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Serialize)]
struct RequestView {
    id: String,
    principal: String,
    role: String,
    status: String,
    models: Vec<String>,
    resources: Vec<String>,
    environments: Vec<String>,
    tags: Vec<String>,
    #[serde(rename = "for")]
    duration: String,
    reason: String,
    asked: Option<String>,
    lapses: Option<String>,
    grant: Option<String>,
    expires: Option<String>,
    decided: Option<String>,
    decided_by: Option<String>,
    decision_reason: Option<String>,
}

impl View for RequestView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "principal",
        "role",
        "models",
        "for",
        "status",
        "reason",
        "asked",
        "expires",
    ];
}

impl From<RequestedAccess> for RequestView {
    fn from(request: RequestedAccess) -> Self {
        let RequestedAccess {
            id,
            principal,
            role,
            selector,
            seconds,
            reason,
            asked_us,
            lapses_us,
            status,
            grant,
            expires_us,
            decided_us,
            decided_by,
            decision_reason,
        } = request;
        let wire::Selector {
            resources,
            environment,
            tags,
            ..
        } = selector.unwrap_or_default();
        let (models, resources): (Vec<_>, Vec<_>) =
            resources.into_iter().partition(|one| one.kind == "model");
        let tags = tags.into_iter().flat_map(|one| {
            let values = one.test.unwrap_or_default().values.into_iter();
            values.map(move |value| format!("{}={value}", one.key))
        });
        Self {
            id,
            principal,
            role,
            status,
            models: models.into_iter().map(|one| one.name).collect(),
            resources: resources
                .into_iter()
                .map(|one| format!("{}:{}", one.kind, one.name))
                .collect(),
            environments: environment.unwrap_or_default().values,
            tags: tags.collect(),
            duration: moment::written(seconds),
            reason,
            asked: moment::text(asked_us),
            lapses: moment::text(lapses_us),
            grant: some(grant),
            expires: expires_us.and_then(moment::text),
            decided: decided_us.and_then(moment::text),
            decided_by: some(decided_by),
            decision_reason: some(decision_reason),
        }
    }
}

impl Ask {
    fn request(self, session: &Session) -> Result<RequestAccessRequest, Failure> {
        let Self {
            role,
            models,
            resources,
            environments,
            tags,
            duration,
            reason,
            wait,
        } = self;
        let models = models.into_iter().map(|name| ResourcePattern {
            kind: "model".to_owned(),
            name,
        });
        let selector = Selector {
            resources: models.chain(resources).collect(),
            environment: any("in", environments),
            tags: tag_tests("in", tags).collect(),
            ..Default::default()
        };
        Ok(RequestAccessRequest {
            role,
            selector: Some(selector),
            seconds: seconds(duration)?,
            reason,
            options: session.options(wait),
        })
    }
}

impl Command {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = AccessServiceClient::new(session.service());
        let (answer, wait) = match self {
            Self::Request(ask) => {
                let wait = ask.wait;
                (client.request_access(ask.request(session)?).await?, wait)
            }
            Self::Requests { all } => {
                let requests = fetch_all(None, async |page| {
                    let request = ListRequestsRequest {
                        all,
                        page: Some(page),
                    };
                    let part = client.list_requests(request).await?.into_inner();
                    Ok((part.requests, part.next))
                })
                .await?;
                return session.list::<RequestView, _>(requests);
            }
            Self::Approve { id, at_most, wait } => {
                let request = ApproveRequest {
                    id,
                    at_most_seconds: at_most.map(seconds).transpose()?,
                    options: session.options(wait),
                };
                (client.approve(request).await?, wait)
            }
            Self::Refuse { id, reason, wait } => {
                let options = session.options(wait);
                (client.refuse(RefuseRequest { id, reason, options }).await?, wait)
            }
            Self::Withdraw { id, wait } => {
                let options = session.options(wait);
                (client.withdraw(WithdrawRequest { id, options }).await?, wait)
            }
        };
        let answer = answer.into_inner();
        let view = RequestView::from(present(answer.request)?);
        session.wrote("request", &view, answer.receipt, wait)
    }
}

fn seconds(duration: Duration) -> Result<u32, Failure> {
    u32::try_from(duration.as_secs()).map_err(|_| Failure::local("--for is at most 49710d"))
}
