//! `turnpike usage`.

mod plot;
mod shadow;

use clap::{Args, Subcommand, ValueEnum};
use serde_norway::{Mapping, Value};
use turnpike_proto::admin::v1::{
    self as wire, RebuildUsageRequest, UsageReportRequest, usage_service_client::UsageServiceClient,
};

use crate::{
    failure::Failure,
    moment::{self, Moment},
    output::Report,
    price,
    session::{Outcome, Session, present},
};

/// How long ago a report begins where nobody says, in microseconds: 30 days.
const USUAL: i64 = 30 * 86_400_000_000;

/// What can be asked about usage.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Requests, tokens and cost, told apart by what you name, with a total
    Report(Asked),
    /// The greatest: by principal, where nothing else is named
    Top {
        #[command(flatten)]
        asked: Asked,
        /// The greatest in what
        #[arg(long, value_enum, default_value_t = Order::Cost)]
        order: Order,
    },
    /// The same over time as bars, for a terminal
    Plot {
        #[command(flatten)]
        asked: Asked,
        /// Of what
        #[arg(long, value_enum, default_value_t = Order::Requests)]
        of: Order,
        /// A bar for each
        #[arg(long, value_parser = ["minute", "hour", "day"], default_value = "day")]
        each: String,
    },
    /// Use that nobody may know of: keys that came from a network or by a client for the first time, models that no grant names,
    /// keys that came from many networks and clients
    Shadow {
        /// From this time on, or so long ago
        #[arg(long, value_name = "WHEN", value_parser = Moment::parse, default_value = "7d")]
        since: Moment,
    },
    /// Count all tenants' usage anew, out of the audit. For operators
    Rebuild,
}

#[derive(Debug, Args)]
pub(super) struct Asked {
    /// By what, separated by commas: team, principal, credential, model, provider, environment, minute, hour, day, or
    /// metadata:KEY. Operators who name tenant are told of all tenants, and then by provider and times alone
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    by: Vec<String>,
    /// From the minute of this time, or so long ago. Absent: 30d
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    from: Option<Moment>,
    /// To the minute of this time, or so long ago, without it. Absent: until now
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse)]
    to: Option<Moment>,
    /// Show at most so many rows; the total counts all. Absent: 10, or for a report 10000
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Order {
    /// What was paid
    Cost,
    /// Tokens in and out
    Tokens,
    /// Requests
    Requests,
}

impl Order {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Tokens => "tokens",
            Self::Requests => "requests",
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = UsageServiceClient::new(session.service());
        let request = match self {
            Self::Report(asked) => asked.request("", 0),
            Self::Top { mut asked, order } => {
                if asked.by.is_empty() {
                    asked.by = vec!["principal".to_owned()];
                }
                asked.request(order.word(), 10)
            }
            Self::Plot { asked, of, each } => return plot::plot(session, asked, of, each).await,
            Self::Shadow { since } => return shadow::list(session, since).await,
            Self::Rebuild => {
                client.rebuild(RebuildUsageRequest {}).await?;
                return Ok(Outcome::Done);
            }
        };
        let by = request.by.clone();
        let limited = request.limit > 0;
        let answer = client.report(request).await?.into_inner();
        if !answer.complete && !limited {
            return Err(Failure::local(
                "there are more than 10000 rows: ask for a shorter time, or tell less apart",
            ));
        }
        let rows: Result<Vec<_>, _> = answer.rows.into_iter().map(|row| document(&by, row)).collect();
        session.printer.report(&Report {
            columns: columns(&by),
            rows: rows?,
            total: Value::Mapping(measures(present(answer.total)?)),
        })?;
        Ok(Outcome::Done)
    }
}

impl Asked {
    /// Until now means up to the end of this minute.
    fn request(self, order: &str, limit: u32) -> UsageReportRequest {
        let Self {
            by,
            from,
            to,
            limit: asked,
        } = self;
        let now = moment::now();
        UsageReportRequest {
            by,
            since_us: from.map_or(now.saturating_sub(USUAL), |from| from.ago(now)),
            until_us: to.map_or(now.saturating_add(60_000_000), |to| to.ago(now)),
            order: order.to_owned(),
            limit: asked.unwrap_or(limit),
        }
    }
}

/// Those of the dimensions, and of what was used: name, and whether a table shows it where it is nothing throughout.
fn columns(by: &[String]) -> Vec<(String, bool)> {
    const MEASURES: [(&str, bool); 12] = [
        ("requests", true),
        ("refused", true),
        ("tokens_input", true),
        ("tokens_output", true),
        ("tokens_cached", false),
        ("tokens_reasoning", false),
        ("cost_usd", true),
        ("saved_usd", false),
        ("substituted", false),
        ("unpriced", false),
        ("usage_missing", false),
        ("cut_off", false),
    ];
    let by = by.iter().map(|name| (name.clone(), true));
    by.chain(MEASURES.map(|(name, always)| (name.to_owned(), always)))
        .collect()
}

fn document(by: &[String], row: wire::UsageRow) -> Result<Value, Failure> {
    let wire::UsageRow { values, used } = row;
    let mut fields = Mapping::new();
    for (name, value) in by.iter().zip(values) {
        let shown = match name.as_str() {
            "minute" | "hour" | "day" => value.parse().ok().and_then(moment::text),
            _ => Some(value).filter(|value| !value.is_empty()),
        };
        fields.insert(name.as_str().into(), shown.map_or(Value::Null, Value::from));
    }
    fields.extend(measures(present(used)?));
    Ok(Value::Mapping(fields))
}

fn measures(used: wire::Used) -> Mapping {
    let wire::Used {
        requests,
        refused,
        tokens_input,
        tokens_output,
        tokens_cached,
        tokens_reasoning,
        cost_nanos,
        saved_nanos,
        substituted,
        unpriced,
        usage_missing,
        cut_off,
    } = used;
    let shown: [(&str, Value); 12] = [
        ("requests", requests.into()),
        ("refused", refused.into()),
        ("tokens_input", tokens_input.into()),
        ("tokens_output", tokens_output.into()),
        ("tokens_cached", tokens_cached.into()),
        ("tokens_reasoning", tokens_reasoning.into()),
        ("cost_usd", price::nanos(cost_nanos).into()),
        ("saved_usd", price::nanos(saved_nanos).into()),
        ("substituted", substituted.into()),
        ("unpriced", unpriced.into()),
        ("usage_missing", usage_missing.into()),
        ("cut_off", cut_off.into()),
    ];
    shown
        .into_iter()
        .map(|(name, value)| (Value::from(name), value))
        .collect()
}
