//! `turnpike audit sink`: where the rows of the audit are sent on to, and how that goes.

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, DeleteRequest, SetAuditSinkRequest, audit_service_client::AuditServiceClient,
};

use crate::{
    command::value::{Delete, Limit, SecretSource, some},
    failure::Failure,
    moment::{self, Moment},
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with sinks.
#[derive(Debug, Subcommand)]
pub(in crate::command) enum Sink {
    /// Have the audit sent somewhere, or change where; a sink that is set again goes on where it was
    Set(Set),
    /// Show where the audit is sent, how far behind that is, and why rows were not taken the last time
    List(Limit),
    /// Have the audit sent there no more
    Delete(Delete),
}

/// The flags.
#[derive(Debug, Args)]
pub(in crate::command) struct Set {
    /// Its name
    name: String,
    #[command(flatten)]
    way: Way,
    /// Trust this authority at --syslog and no other, a PEM file. Absent: those of the control plane's system
    #[arg(long, value_name = "FILE", requires = "syslog")]
    syslog_ca: Option<PathBuf>,
    /// Only requests since this time, or so long ago. Absent: all that are stored
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    since: Option<Moment>,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Way {
    /// Post lines of JSON there, signed by Standard Webhooks with the secret, which has at least 24 bytes
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Post log records there, OTLP over HTTP: https://HOST/v1/logs. A secret, if there is one, is sent as a bearer token, or as
    /// the headers that its lines are: NAME: VALUE
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Send syslog (RFC 5424) there, over TLS: tls://HOST:PORT
    #[arg(long, value_name = "URL")]
    syslog: Option<String>,
}

#[derive(Serialize)]
struct SinkView {
    name: String,
    way: String,
    url: String,
    has_secret: bool,
    since: Option<String>,
    waiting: u64,
    oldest: Option<String>,
    taken: Option<String>,
    error: Option<String>,
    attempts: u32,
    again: Option<String>,
    removed: u64,
    missing: u64,
    rejected: u64,
}

impl View for SinkView {
    const COLUMNS: &'static [&'static str] = &[
        "name", "way", "url", "waiting", "oldest", "taken", "attempts", "again", "error",
    ];
}

impl From<wire::AuditSink> for SinkView {
    fn from(sink: wire::AuditSink) -> Self {
        let wire::AuditSink {
            name,
            way,
            url,
            has_secret,
            since_us,
            progress,
            ca: _,
        } = sink;
        let wire::AuditSinkProgress {
            waiting,
            oldest_us,
            taken_us,
            error,
            attempts,
            again_us,
            removed,
            missing,
            rejected,
        } = progress.unwrap_or_default();
        Self {
            name,
            way,
            url,
            has_secret,
            since: since_us.and_then(moment::text),
            waiting,
            oldest: oldest_us.and_then(moment::precise),
            taken: taken_us.and_then(moment::precise),
            error: some(error),
            attempts,
            again: again_us.and_then(moment::text),
            removed,
            missing,
            rejected,
        }
    }
}

impl Sink {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = AuditServiceClient::new(session.service());
        match self {
            Self::Set(set) => {
                let wait = set.wait;
                let answer = client.set_sink(set.request(session)?).await?.into_inner();
                let view = SinkView::from(present(answer.sink)?);
                session.wrote("sink", &view, answer.receipt, wait)
            }
            Self::List(Limit { limit }) => {
                let all = fetch_all(limit, async |page| {
                    let part = client.list_sinks(page).await?.into_inner();
                    Ok((part.sinks, part.next))
                })
                .await?;
                session.list::<SinkView, _>(all)
            }
            Self::Delete(Delete { name, wait }) => {
                let options = session.options(wait);
                let receipt = client.delete_sink(DeleteRequest { name, options }).await?;
                session.deleted(receipt.into_inner(), wait)
            }
        }
    }
}

impl Set {
    fn request(self, session: &Session) -> Result<SetAuditSinkRequest, Failure> {
        let Self {
            name,
            way: Way {
                webhook,
                otlp,
                syslog,
            },
            syslog_ca,
            since,
            secret,
            wait,
        } = self;
        let (way, url) = match (webhook, otlp, syslog) {
            (Some(url), ..) => ("webhook", url),
            (_, Some(url), _) => ("otlp", url),
            (.., url) => ("syslog", url.unwrap_or_default()),
        };
        let ca = syslog_ca.map(|path| {
            let unreadable = |error| Failure::local(format!("cannot read {}: {error}", path.display()));
            fs::read_to_string(&path).map_err(unreadable)
        });
        let secret = secret.read()?.map(|secret| secret.expose().to_owned());
        Ok(SetAuditSinkRequest {
            sink: Some(wire::AuditSink {
                name,
                way: way.to_owned(),
                url,
                ca: ca.transpose()?.unwrap_or_default(),
                since_us: since.map(|since| since.ago(moment::now())),
                ..Default::default()
            }),
            secret: secret.unwrap_or_default(),
            options: session.options(wait),
        })
    }
}
