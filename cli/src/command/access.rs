//! `turnpike check`, `turnpike explain`, `turnpike whoami`, and under `turnpike access` who may do what, and asking for more.

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, AccessRequest, ResourcePattern, WhoAmIRequest, access_service_client::AccessServiceClient,
};

use super::{
    grant::GrantView,
    value::{pair, resource, some},
};
use crate::{
    failure::Failure,
    moment::{self, Moment},
    output::View,
    session::{Outcome, Session, present},
};

mod decision;
mod effective;
mod request;
mod review;

/// What can be asked about the access that there is.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show who may use a model, now or at a moment of the past, and since when. What a key is narrowed to is not looked at.
    /// Needs access.read
    Who(effective::Who),
    /// Show what somebody may do, now or at a moment of the past, and since when. Needs access.read
    What(effective::What),
    /// Show who was given what by which grant and when they last used it, and what could go. Needs access.read, audit.read and
    /// log.read
    #[command(after_help = review::HELP)]
    Review(review::Review),
    #[command(flatten)]
    Asked(request::Command),
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        match self {
            Self::Who(who) => who.run(session).await,
            Self::What(what) => what.run(session).await,
            Self::Review(review) => review.run(session).await,
            Self::Asked(asked) => asked.run(session).await,
        }
    }
}

/// May they?
#[derive(Debug, Args)]
pub(super) struct Question {
    /// Who: user:NAME or virtual-account:NAME
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: String,
    /// What: inference.chat, grants.write …
    #[arg(long, value_name = "ACTION")]
    action: String,
    #[command(flatten)]
    about: About,
}

/// Why, of a decision that was made or of a question?
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The decision's id, as a refusal names it, or a request's; without one, ask with --as and --action
    #[arg(value_name = "ID", required_unless_present_any = ["principal", "action"], conflicts_with_all = ["principal", "action"])]
    decision: Option<String>,
    /// Who: user:NAME or virtual-account:NAME
    #[arg(long = "as", value_name = "PRINCIPAL", requires = "action")]
    principal: Option<String>,
    /// What: inference.chat, grants.write …
    #[arg(long, value_name = "ACTION", requires = "principal")]
    action: Option<String>,
    #[command(flatten)]
    about: About,
}

/// What is asked about, and under which circumstances.
#[derive(Debug, Args)]
struct About {
    /// With which model, as a client would write it
    #[arg(
        long,
        value_name = "MODEL",
        default_value = "",
        hide_default_value = true,
        conflicts_with = "resource"
    )]
    model: String,
    /// With which other resource
    #[arg(long, value_name = "KIND:NAME", value_parser = resource)]
    resource: Option<ResourcePattern>,
    /// The other resource's family
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    family: String,
    /// The other resource's environment
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    environment: String,
    /// A tag of the other resource; may be given again
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// With the scope of this credential, by its id
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    credential: String,
    /// From this address
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    client: String,
    /// At this time, or so long from now; of the past, by what was granted then. Absent: now
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    at: Option<Moment>,
    /// By what was granted right after this event of `turnpike log list`
    #[arg(long, value_name = "NUMBER")]
    position: Option<u64>,
    /// Try the fallback rules too
    #[arg(long)]
    accept_fallback: bool,
    /// What the request needs of a substitute; may be given again
    #[arg(long, value_name = "CAPABILITY", value_parser = ["tools", "vision", "json"])]
    needs: Vec<String>,
    /// How many tokens prompt and answer have together, which must fit into a substitute
    #[arg(long, value_name = "TOKENS")]
    context_tokens: Option<u64>,
}

#[derive(Serialize)]
struct DecisionView {
    allowed: bool,
    reason: String,
    message: String,
    model: Option<String>,
    fallback_from: Option<String>,
    grant: Option<String>,
    position: u64,
}

impl From<wire::CheckResponse> for DecisionView {
    fn from(response: wire::CheckResponse) -> Self {
        let wire::CheckResponse {
            allowed,
            reason,
            message,
            grant,
            position,
            model,
            fallback_from,
        } = response;
        let (model, fallback_from, grant) = (some(model), some(fallback_from), some(grant));
        Self {
            allowed,
            reason,
            message,
            model,
            fallback_from,
            grant,
            position,
        }
    }
}

/// A decision with the fallback rules that were not followed.
#[derive(Serialize)]
struct ExplainedView {
    #[serde(flatten)]
    decision: DecisionView,
    passed_over: Vec<String>,
}

fn passed_over(one: wire::PassedOver) -> String {
    let wire::PassedOver {
        fallback,
        to,
        sentence,
    } = one;
    format!("fallback {fallback} to {to}: {sentence}")
}

#[derive(Serialize)]
struct ConsideredView {
    matches: bool,
    sentence: String,
    #[serde(flatten)]
    grant: GrantView,
}

impl View for ConsideredView {
    const COLUMNS: &'static [&'static str] =
        &["id", "subject", "role", "effect", "models", "matches", "sentence"];
}

impl ConsideredView {
    fn all(considered: Vec<wire::ConsideredGrant>) -> Result<Vec<Self>, Failure> {
        let each = considered.into_iter().map(|one| {
            let wire::ConsideredGrant {
                grant,
                matches,
                sentence,
            } = one;
            Ok(Self {
                matches,
                sentence,
                grant: present(grant)?.into(),
            })
        });
        each.collect()
    }
}

#[derive(Serialize)]
struct CallerView {
    tenant: String,
    principal: String,
    credential: Option<String>,
    teams: Vec<String>,
    method: String,
    issuer: Option<String>,
    groups: Vec<String>,
    token_expires: Option<String>,
}

impl Question {
    /// Yes or no, in the exit status too.
    pub(super) async fn check(self, session: &Session) -> Result<Outcome, Failure> {
        let Self {
            principal,
            action,
            about,
        } = self;
        let mut client = AccessServiceClient::new(session.service());
        let request = about.request(principal, action);
        let decision = DecisionView::from(client.check(request).await?.into_inner());
        session.printer.one(&decision)?;
        Ok(Outcome::from(decision.allowed))
    }
}

impl Explain {
    /// The same with the story; whatever the answer is, it was given.
    pub(super) async fn explain(self, session: &Session) -> Result<Outcome, Failure> {
        let Self {
            decision,
            principal,
            action,
            about,
        } = self;
        if let Some(id) = decision {
            return decision::explain(session, &id).await;
        }
        let mut client = AccessServiceClient::new(session.service());
        let request = about.request(principal.unwrap_or_default(), action.unwrap_or_default());
        let answer = client.explain(request).await?.into_inner();
        let decision = DecisionView::from(present(answer.decision)?);
        let considered = ConsideredView::all(answer.considered)?;
        let decision = ExplainedView {
            decision,
            passed_over: answer.passed_over.into_iter().map(passed_over).collect(),
        };
        session.printer.whole(&decision, "considered", &considered)?;
        Ok(Outcome::Done)
    }
}

impl About {
    fn request(self, principal: String, action: String) -> AccessRequest {
        let Self {
            model,
            resource,
            credential,
            client,
            at,
            position,
            accept_fallback,
            family,
            environment,
            tags,
            needs,
            context_tokens,
        } = self;
        let time_us = at.map(|when| when.ahead(moment::now()));
        AccessRequest {
            principal,
            action,
            model,
            resource,
            credential,
            client,
            time_us,
            accept_fallback,
            family,
            environment,
            tags: tags.into_iter().collect(),
            position,
            needs,
            context_tokens,
        }
    }
}

/// Shows whose key, or token, this is.
pub(super) async fn whoami(session: &Session) -> Result<Outcome, Failure> {
    let mut client = AccessServiceClient::new(session.service());
    let wire::WhoAmIResponse {
        tenant,
        principal,
        credential,
        teams,
        method,
        issuer,
        groups,
        token_expires_us,
    } = client.who_am_i(WhoAmIRequest {}).await?.into_inner();
    session.printer.one(&CallerView {
        tenant,
        principal,
        credential: some(credential),
        teams,
        method,
        issuer: some(issuer),
        groups,
        token_expires: token_expires_us.and_then(moment::precise),
    })?;
    Ok(Outcome::Done)
}
