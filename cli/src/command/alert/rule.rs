//! `turnpike alert rule`: a tenant's choices, beside what is usual.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_access::alert::rules::Rule;
use turnpike_proto::admin::v1::{
    self as wire, NameRequest, UpdateTenantRequest, WhoAmIRequest,
    access_service_client::AccessServiceClient, tenant_service_client::TenantServiceClient,
};

use crate::{
    failure::Failure,
    moment::duration,
    output::View,
    session::{Outcome, Session, Wait, present},
};

/// What can be done with the rules.
#[derive(Debug, Subcommand)]
pub(in crate::command) enum Command {
    /// Show every rule, and what it goes by
    List,
    /// Choose what a rule goes by
    Set(Set),
    /// Have a rule go by what is usual again
    Reset {
        /// The rule
        rule: Rule,
    },
}

#[derive(Debug, Args)]
pub(in crate::command) struct Set {
    /// failed_authentications, refused_credential, refusals or usage_spike
    rule: Rule,
    /// From how many on; of usage_spike from how many times the usual on
    #[arg(long, value_name = "COUNT")]
    threshold: Option<u32>,
    /// Within how long: a minute to a day; that of usage_spike is the hour
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    window: Option<Duration>,
    /// Whether it raises nothing
    #[arg(long, value_name = "BOOL")]
    off: Option<bool>,
}

#[derive(Serialize)]
struct RuleView {
    rule: &'static str,
    on: bool,
    threshold: u32,
    window_seconds: u32,
    chosen: bool,
}

impl View for RuleView {
    const COLUMNS: &'static [&'static str] = &["rule", "on", "threshold", "window_seconds", "chosen"];
}

type Choices = BTreeMap<String, wire::AlertRule>;

impl Command {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let (tenant, mut choices) = current(session).await?;
        match self {
            Self::List => {}
            Self::Set(set) => {
                let Set {
                    rule,
                    threshold,
                    window,
                    off,
                } = set;
                let choice = choices.entry(rule.to_string()).or_default();
                choice.threshold = threshold.or(choice.threshold);
                let seconds = |window: Duration| u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
                choice.window_seconds = window.map(seconds).or(choice.window_seconds);
                choice.off = off.unwrap_or(choice.off);
                choices = choose(session, tenant, choices).await?;
            }
            Self::Reset { rule } => {
                choices.remove(rule.as_str());
                choices = choose(session, tenant, choices).await?;
            }
        }
        session.printer.list(&shown(&choices))?;
        Ok(Outcome::Done)
    }
}

async fn current(session: &Session) -> Result<(String, Choices), Failure> {
    let mut access = AccessServiceClient::new(session.service());
    let name = access.who_am_i(WhoAmIRequest {}).await?.into_inner().tenant;
    let request = NameRequest { name: name.clone() };
    let answer = TenantServiceClient::new(session.service()).get(request).await?;
    Ok((name, present(answer.into_inner().tenant)?.alert_rules))
}

async fn choose(session: &Session, name: String, alert_rules: Choices) -> Result<Choices, Failure> {
    let request = UpdateTenantRequest {
        name,
        alert_rules,
        replace_alert_rules: true,
        options: session.options(Wait { wait: false }),
        ..Default::default()
    };
    let answer = TenantServiceClient::new(session.service())
        .update(request)
        .await?;
    Ok(present(answer.into_inner().tenant)?.alert_rules)
}

fn shown(choices: &Choices) -> Vec<RuleView> {
    let show = |rule: Rule| {
        let (choice, usual) = (choices.get(rule.as_str()), rule.usual());
        RuleView {
            rule: rule.as_str(),
            on: choice.is_none_or(|choice| !choice.off),
            threshold: choice
                .and_then(|choice| choice.threshold)
                .unwrap_or(usual.threshold),
            window_seconds: choice
                .and_then(|choice| choice.window_seconds)
                .unwrap_or(usual.window_seconds),
            chosen: choice.is_some(),
        }
    };
    Rule::ALL.into_iter().map(show).collect()
}
