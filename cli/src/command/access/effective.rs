//! `turnpike access who` and `turnpike access what`.

use clap::Args;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, AccessListResponse, ResourcePattern, WhatRequest, WhoRequest,
    access_service_client::AccessServiceClient,
};

use crate::{
    command::value::resource,
    failure::Failure,
    moment::{self, Moment},
    output::View,
    session::{Outcome, Session, fetch_all},
};

/// Which moment is asked about.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct When {
    /// As of this time, or so long ago, such as 30d. Absent: now
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    at: Option<Moment>,
    /// As of right after this event of `turnpike log list`
    #[arg(long, value_name = "NUMBER")]
    position: Option<u64>,
}

/// Who may use a model, or do something to another resource?
#[derive(Debug, Args)]
pub(in crate::command) struct Who {
    /// With which model, as a client would write it
    #[arg(long, value_name = "MODEL", default_value = "", hide_default_value = true)]
    model: String,
    /// With which other resource; KIND:* is all of that kind
    #[arg(long, value_name = "KIND:NAME", value_parser = resource, conflicts_with = "model", required_unless_present = "model")]
    resource: Option<ResourcePattern>,
    /// Do what: inference.chat … Absent: everything that can be done with it
    #[arg(long, value_name = "ACTION", default_value = "", hide_default_value = true)]
    action: String,
    #[command(flatten)]
    when: When,
    /// Show at most so many accounts and groups. Absent: all
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
}

/// What may somebody do?
#[derive(Debug, Args)]
pub(in crate::command) struct What {
    /// Who: user:NAME, virtual-account:NAME, or group:ISSUER/VALUE for the tokens that carry the group
    #[arg(long, value_name = "PRINCIPAL")]
    principal: String,
    #[command(flatten)]
    when: When,
}

#[derive(Serialize)]
struct AccessView {
    subject: String,
    resource: String,
    actions: Vec<String>,
    /// `yes`, or `under conditions`: then only requests for which one of the conditions holds, and none of `unless`.
    access: &'static str,
    conditions: Vec<String>,
    unless: Vec<String>,
    grant: String,
    through: String,
    since: Option<String>,
    by: Option<String>,
    position: Option<u64>,
    grants: Vec<PathView>,
}

impl View for AccessView {
    const COLUMNS: &'static [&'static str] = &[
        "subject",
        "resource",
        "actions",
        "access",
        "conditions",
        "unless",
        "grant",
        "through",
        "since",
        "by",
        "position",
    ];
}

#[derive(Serialize)]
struct PathView {
    grant: String,
    effect: String,
    subject: String,
    role: String,
    conditions: Vec<String>,
    event: Option<&'static str>,
    since: Option<String>,
    by: Option<String>,
    position: Option<u64>,
}

impl From<wire::AccessPath> for PathView {
    fn from(path: wire::AccessPath) -> Self {
        let wire::AccessPath {
            grant,
            conditions,
            given,
        } = path;
        let grant = grant.unwrap_or_default();
        let given = given.unwrap_or_default();
        let known = given.position > 0;
        Self {
            grant: grant.id,
            effect: grant.effect,
            subject: grant.subject,
            role: grant.role,
            conditions,
            event: known.then_some(match given.kind.as_str() {
                "team.member_added" => "team joined",
                "grant.updated" => "grant changed",
                _ => "grant made",
            }),
            since: moment::text(given.time_us),
            by: known.then_some(given.actor),
            position: known.then_some(given.position),
        }
    }
}

impl From<wire::EffectiveAccess> for AccessView {
    fn from(access: wire::EffectiveAccess) -> Self {
        let wire::EffectiveAccess {
            subject,
            kind,
            name,
            actions,
            conditional,
            allows,
            unless,
        } = access;
        let told = |paths: &[PathView]| -> Vec<String> {
            let each = paths.iter().filter(|path| !path.conditions.is_empty());
            each.map(|path| path.conditions.join(" and ")).collect()
        };
        let allows: Vec<PathView> = allows.into_iter().map(PathView::from).collect();
        let unless: Vec<PathView> = unless.into_iter().map(PathView::from).collect();
        // Conditions of one grant say nothing where another one has none.
        let always = allows.iter().any(|path| path.conditions.is_empty());
        let first = allows.first();
        Self {
            resource: if kind == "model" {
                name
            } else {
                format!("{kind}:{name}")
            },
            actions,
            access: if conditional { "under conditions" } else { "yes" },
            conditions: if always { Vec::new() } else { told(&allows) },
            unless: told(&unless),
            grant: first.map(|path| path.grant.clone()).unwrap_or_default(),
            through: first
                .filter(|path| path.subject != subject)
                .map(|path| path.subject.clone())
                .unwrap_or_default(),
            since: first.and_then(|path| path.since.clone()),
            by: first.and_then(|path| path.by.clone()),
            position: first.and_then(|path| path.position),
            grants: allows.into_iter().chain(unless).collect(),
            subject,
        }
    }
}

impl When {
    fn apart(&self) -> (Option<i64>, Option<u64>) {
        (self.at.map(|at| at.ago(moment::now())), self.position)
    }
}

impl Who {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let Self {
            model,
            resource,
            action,
            when,
            limit,
        } = self;
        let mut client = AccessServiceClient::new(session.service());
        let (time_us, mut position) = when.apart();
        let access = fetch_all(limit, async |page| {
            let request = WhoRequest {
                model: model.clone(),
                resource: resource.clone(),
                action: action.clone(),
                time_us,
                position,
                page: Some(page),
            };
            let part = client.who(request).await?.into_inner();
            // Further parts are of the same state.
            position = position.or(Some(part.position).filter(|_| time_us.is_some()));
            Ok((part.access, part.next))
        })
        .await?;
        session.list::<AccessView, _>(access)
    }
}

impl What {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let Self { principal, when } = self;
        let mut client = AccessServiceClient::new(session.service());
        let (time_us, position) = when.apart();
        let request = WhatRequest {
            subject: principal,
            time_us,
            position,
        };
        let AccessListResponse { access, .. } = client.what(request).await?.into_inner();
        session.list::<AccessView, _>(access)
    }
}
