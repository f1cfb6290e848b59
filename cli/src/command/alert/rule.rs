//! `turnpike alert rule`: a tenant's choices, beside what is usual, and rules of its own.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_access::alert::rules::Rule;
use turnpike_proto::admin::v1::{
    self as wire, DeleteRequest, NameRequest, SetAlertRuleRequest, TestAlertRuleRequest, UpdateTenantRequest,
    WhoAmIRequest, access_service_client::AccessServiceClient, alert_service_client::AlertServiceClient,
    tenant_service_client::TenantServiceClient,
};

use crate::{
    command::value::{Delete, some},
    failure::Failure,
    moment::{self, Moment, duration},
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
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
    /// Make a rule of the tenant's own, or change one: an expression over what was used. Its alerts are of the kind rule.NAME
    Create(Create),
    /// Delete a rule of the tenant's own
    Delete(Delete),
    /// Show what a rule would have raised
    Test(Test),
}

#[derive(Debug, Args)]
pub(in crate::command) struct Set {
    /// failed_authentications, refused_credential, refusals, usage_spike, credential_stuffing, first_use, credential_expiring,
    /// credential_unrotated, credential_stale or budget_share
    rule: Rule,
    /// From how many on; of usage_spike from how many times the usual on, of credential_* from how many days on, of budget_share from
    /// how many percent on
    #[arg(long, value_name = "COUNT")]
    threshold: Option<u32>,
    /// Within how long: a minute to a day; that of usage_spike is the hour, and of budget_share the limit's period
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    window: Option<Duration>,
    /// Whether it raises nothing
    #[arg(long, value_name = "BOOL")]
    off: Option<bool>,
    /// Of first_use: whether the credential is suspended, but for those whose owner could resume it
    #[arg(long, value_name = "BOOL")]
    suspend: Option<bool>,
}

#[derive(Debug, Args)]
pub(in crate::command) struct Create {
    /// Its name
    name: String,
    #[command(flatten)]
    rule: Own,
    #[command(flatten)]
    wait: Wait,
}

/// An expression, and what it is over.
#[derive(Debug, Args)]
struct Own {
    /// What is out of the ordinary, in CEL over subject, requests, refused, tokens, tokens_input, tokens_output, tokens_cached,
    /// tokens_reasoning, cost (in dollars), substituted, unpriced, usage_missing, cut_off and hour (of the day, UTC):
    /// 'requests > 1000 && refused * 2 > requests'
    #[arg(long, value_name = "EXPRESSION")]
    when: String,
    /// Whose use is looked at
    #[arg(long, value_parser = ["principal", "credential", "team", "model", "provider", "tenant"], default_value = "principal")]
    by: String,
    /// Over how long: a minute to a day
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    window: Duration,
    /// By credential: suspend it, but for those whose owner could resume it
    #[arg(long)]
    suspend: bool,
}

#[derive(Debug, Args)]
pub(in crate::command) struct Test {
    /// A rule that there is, by its name
    #[arg(required_unless_present = "when")]
    rule: Option<String>,
    /// Or an expression, which need not be a rule yet
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "rule")]
    when: Option<String>,
    /// Of the expression: whose use is looked at
    #[arg(long, value_parser = ["principal", "credential", "team", "model", "provider", "tenant"], default_value = "principal")]
    by: String,
    /// Of the expression: over how long
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    window: Duration,
    /// From when on: a time, or so long ago; at most 31 days
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, default_value = "7d")]
    since: Moment,
}

#[derive(Serialize)]
struct WouldBeView {
    time: Option<String>,
    last: Option<String>,
    kind: String,
    subject: String,
    count: Option<u64>,
    summary: String,
}

impl View for WouldBeView {
    const COLUMNS: &'static [&'static str] = &["time", "last", "subject", "count", "summary"];
}

impl From<wire::WouldBeAlert> for WouldBeView {
    fn from(alert: wire::WouldBeAlert) -> Self {
        let wire::WouldBeAlert {
            time_us,
            last_us,
            kind,
            subject,
            count,
            summary,
        } = alert;
        Self {
            time: moment::precise(time_us),
            last: moment::precise(last_us),
            kind,
            subject,
            count,
            summary,
        }
    }
}

#[derive(Serialize)]
struct RuleView {
    rule: String,
    on: bool,
    threshold: Option<u32>,
    window_seconds: u32,
    suspend: bool,
    chosen: bool,
    by: Option<String>,
    when: Option<String>,
}

impl View for RuleView {
    const COLUMNS: &'static [&'static str] = &[
        "rule",
        "on",
        "threshold",
        "window_seconds",
        "suspend",
        "chosen",
        "by",
        "when",
    ];
}

impl From<wire::OwnAlertRule> for RuleView {
    fn from(rule: wire::OwnAlertRule) -> Self {
        let wire::OwnAlertRule {
            name,
            by,
            when,
            window_seconds,
            suspend,
        } = rule;
        Self {
            rule: name,
            on: true,
            threshold: None,
            window_seconds,
            suspend,
            chosen: true,
            by: some(by),
            when: some(when),
        }
    }
}

type Choices = BTreeMap<String, wire::AlertRule>;

impl Command {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        match self {
            Self::List => list(session, &current(session).await?.1).await,
            Self::Set(set) => {
                let (tenant, mut choices) = current(session).await?;
                set.apply(&mut choices);
                list(session, &choose(session, tenant, choices).await?).await
            }
            Self::Reset { rule } => {
                let (tenant, mut choices) = current(session).await?;
                choices.remove(rule.as_str());
                list(session, &choose(session, tenant, choices).await?).await
            }
            Self::Create(Create { name, rule, wait }) => {
                let request = SetAlertRuleRequest {
                    rule: Some(rule.named(name)),
                    options: session.options(wait),
                };
                let mut client = AlertServiceClient::new(session.service());
                let answer = client.set_rule(request).await?.into_inner();
                let view = RuleView::from(present(answer.rule)?);
                session.wrote("rule", &view, answer.receipt, wait)
            }
            Self::Delete(Delete { name, wait }) => {
                let options = session.options(wait);
                let mut client = AlertServiceClient::new(session.service());
                let receipt = client.delete_rule(DeleteRequest { name, options }).await?;
                session.deleted(receipt.into_inner(), wait)
            }
            Self::Test(test) => {
                let mut client = AlertServiceClient::new(session.service());
                let answer = client.test_rule(test.request()).await?.into_inner();
                session.list::<WouldBeView, _>(answer.alerts)
            }
        }
    }
}

impl Set {
    fn apply(self, choices: &mut Choices) {
        let Self {
            rule,
            threshold,
            window,
            off,
            suspend,
        } = self;
        let choice = choices.entry(rule.to_string()).or_default();
        choice.threshold = threshold.or(choice.threshold);
        choice.window_seconds = window.map(seconds).or(choice.window_seconds);
        choice.off = off.unwrap_or(choice.off);
        choice.suspend = suspend.unwrap_or(choice.suspend);
    }
}

impl Own {
    fn named(self, name: String) -> wire::OwnAlertRule {
        let Self {
            when,
            by,
            window,
            suspend,
        } = self;
        wire::OwnAlertRule {
            name,
            by,
            when,
            window_seconds: seconds(window),
            suspend,
        }
    }
}

impl Test {
    fn request(self) -> TestAlertRuleRequest {
        let Self {
            rule,
            when,
            by,
            window,
            since,
        } = self;
        let own = when.map(|when| {
            let own = Own {
                when,
                by,
                window,
                suspend: false,
            };
            own.named(String::new())
        });
        let now = moment::now();
        TestAlertRuleRequest {
            rule: rule.unwrap_or_default(),
            own,
            since_us: since.ago(now),
            until_us: now,
        }
    }
}

fn seconds(window: Duration) -> u32 {
    u32::try_from(window.as_secs()).unwrap_or(u32::MAX)
}

/// The rules that every tenant has, and its own.
async fn list(session: &Session, choices: &Choices) -> Result<Outcome, Failure> {
    let mut client = AlertServiceClient::new(session.service());
    let own = fetch_all(None, async |page| {
        let part = client.list_rules(page).await?.into_inner();
        Ok((part.rules, part.next))
    })
    .await?;
    let mut all = shown(choices);
    all.extend(own.into_iter().map(RuleView::from));
    session.printer.list(&all)?;
    Ok(Outcome::Done)
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
            rule: rule.to_string(),
            on: choice.is_none_or(|choice| !choice.off),
            threshold: Some(
                choice
                    .and_then(|choice| choice.threshold)
                    .unwrap_or(usual.threshold),
            ),
            window_seconds: choice
                .and_then(|choice| choice.window_seconds)
                .unwrap_or(usual.window_seconds),
            suspend: choice.is_some_and(|choice| choice.suspend),
            chosen: choice.is_some(),
            by: None,
            when: None,
        }
    };
    Rule::ALL.into_iter().map(show).collect()
}
