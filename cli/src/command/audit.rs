//! `turnpike audit`.

use clap::{Args, Subcommand};
use turnpike_proto::admin::{
    AuditLine,
    v1::{ListAuditRequest, Page, audit_service_client::AuditServiceClient},
};

use crate::{
    failure::Failure,
    moment::{self, Moment},
    session::{Outcome, Session, fetch_all},
};

mod export;
mod parquet;
mod proof;
mod sink;
mod verify;
mod view;

use export::{Export, Tail};
use sink::Sink;
use verify::Verify;

/// What can be done with the audit.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show requests, newest first
    List(Box<Filter>),
    /// Show the last requests, the newest last, as lines of JSON; with -f go on with what comes in
    Tail(Tail),
    /// Write requests as lines of JSON, as CSV or as a Parquet file, newest first
    Export(Export),
    /// Where the tenant's rows are sent on to, as they come in
    #[command(subcommand)]
    Sink(Sink),
    /// Hold every row to what the edges signed when they wrote it; exit 1 if one was changed, deleted or moved. For operators,
    /// or with files by anybody
    Verify(Verify),
    /// Write what exported rows can be held to: hashes, and what edges signed. For operators
    Prove,
}

/// Every part that is given must hold.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// By this principal: user:NAME or virtual-account:NAME
    #[arg(long, value_name = "PRINCIPAL", default_value = "", hide_default_value = true)]
    principal: String,
    /// With this credential, by its id
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    credential: String,
    /// For this model, asked for or served
    #[arg(long, value_name = "MODEL", default_value = "", hide_default_value = true)]
    model: String,
    /// Served by this provider
    #[arg(long, value_name = "PROVIDER", default_value = "", hide_default_value = true)]
    provider: String,
    /// Of this action, such as inference.chat
    #[arg(long, value_name = "ACTION", default_value = "", hide_default_value = true)]
    action: String,
    /// Only those that were allowed, or refused
    #[arg(long, value_parser = ["allowed", "refused"])]
    outcome: Option<String>,
    /// For this reason, such as no_grant
    #[arg(long, value_name = "REASON", default_value = "", hide_default_value = true)]
    reason: String,
    /// Answered with this HTTP status
    #[arg(long, value_name = "STATUS")]
    status: Option<u32>,
    /// The request with this id
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request: String,
    /// The decision with this id
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    decision: String,
    /// With a token of this issuer
    #[arg(long, value_name = "ISSUER", default_value = "", hide_default_value = true)]
    issuer: String,
    /// With a token that carried this group
    #[arg(
        long,
        value_name = "ISSUER/GROUP",
        default_value = "",
        hide_default_value = true
    )]
    group: String,
    /// Since this time, or so long ago, such as 1h
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Until this time, or so long ago
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    until: Option<Moment>,
    /// Show at most so many. Absent: all
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let filter = match self {
            Self::List(filter) => filter,
            Self::Tail(tail) => return tail.run(session).await,
            Self::Sink(sink) => return sink.run(session).await,
            Self::Export(export) => return export.run(session).await,
            Self::Verify(verify) => return verify.run(session).await,
            Self::Prove => return export::prove(session).await,
        };
        let mut client = AuditServiceClient::new(session.service());
        let limit = filter.limit;
        let request = filter.request(moment::now());
        let entries = fetch_all(limit, async |page: Page| {
            let request = ListAuditRequest {
                page: Some(page),
                ..request.clone()
            };
            let part = client.list(request).await?.into_inner();
            Ok((part.entries, part.next))
        })
        .await?;
        session.list::<AuditLine, _>(entries)
    }
}

impl Filter {
    fn request(self, now: i64) -> ListAuditRequest {
        let Self {
            principal,
            credential,
            model,
            provider,
            action,
            outcome,
            reason,
            status,
            request,
            decision,
            issuer,
            group,
            since,
            until,
            limit: _,
        } = self;
        ListAuditRequest {
            principal,
            credential,
            model,
            provider,
            action,
            outcome: outcome.unwrap_or_default(),
            reason,
            status,
            request_id: request,
            decision_id: decision,
            issuer,
            group,
            since_us: since.map(|when| when.ago(now)),
            until_us: until.map(|when| when.ago(now)),
            page: None,
        }
    }
}
