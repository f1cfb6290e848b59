//! `turnpike limit`.

use clap::Subcommand;
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, CreateLimitRequest, DeleteRequest, NameRequest, limit_service_client::LimitServiceClient,
};

use super::value::{Delete, Limit};
use crate::{
    failure::Failure,
    moment,
    output::View,
    price,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with limits.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what may be spent in a period. Who has spent it gets 429, or what a fallback rule with --over-budget names
    Create {
        /// Its name
        name: String,
        /// Whose: user:NAME, virtual-account:NAME, or team:NAME for its members together. Absent: the whole tenant's
        #[arg(long = "for", value_name = "SUBJECT")]
        subject: Option<String>,
        /// What may be spent, in US dollars: 500 or 0.25
        #[arg(long, value_name = "USD", value_parser = price::parse)]
        budget: u64,
        /// In what time; all begin at midnight, UTC
        #[arg(long, value_name = "PERIOD", value_parser = ["day", "week", "month"])]
        per: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show all limits, with what was spent
    List(Limit),
    /// Show one limit
    Get {
        /// Its name
        name: String,
    },
    /// Give a limit another budget or period; it is counted anew
    Update {
        /// Its name
        name: String,
        /// What may be spent, in US dollars. Absent: as it is
        #[arg(long, value_name = "USD", value_parser = price::parse)]
        budget: Option<u64>,
        /// In what time. Absent: as it is
        #[arg(long, value_name = "PERIOD", value_parser = ["day", "week", "month"])]
        per: Option<String>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Delete a limit
    Delete(Delete),
}

#[derive(Serialize)]
struct LimitView {
    name: String,
    /// Absent: the whole tenant.
    subject: Option<String>,
    budget_usd: String,
    per: String,
    spent_usd: String,
    /// Requests of which it is not known what they cost.
    unpriced: i64,
    spent_until: Option<String>,
}

impl View for LimitView {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "subject",
        "budget_usd",
        "per",
        "spent_usd",
        "unpriced",
        "spent_until",
    ];
}

impl From<wire::Limit> for LimitView {
    fn from(limit: wire::Limit) -> Self {
        let wire::Limit {
            name,
            subject,
            budget_micros,
            per,
            spent_nanos,
            unpriced,
            spent_until_us,
        } = limit;
        Self {
            name,
            subject: Some(subject).filter(|subject| !subject.is_empty()),
            budget_usd: price::text(budget_micros),
            per,
            spent_usd: price::nanos(spent_nanos),
            unpriced,
            spent_until: spent_until_us.and_then(moment::text),
        }
    }
}

impl Command {
    pub(super) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = LimitServiceClient::new(session.service());
        let (answer, wait) = match self {
            Self::Create {
                name,
                subject,
                budget,
                per,
                wait,
            } => {
                let limit = wire::Limit {
                    name,
                    subject: subject.unwrap_or_default(),
                    budget_micros: budget,
                    per,
                    ..Default::default()
                };
                (client.create(request(session, limit, wait)).await?, wait)
            }
            Self::Update {
                name,
                budget,
                per,
                wait,
            } => {
                let held = client.get(NameRequest { name }).await?.into_inner().limit;
                let held = present(held)?;
                let limit = wire::Limit {
                    budget_micros: budget.unwrap_or(held.budget_micros),
                    per: per.unwrap_or(held.per),
                    ..held
                };
                (client.update(request(session, limit, wait)).await?, wait)
            }
            Self::List(Limit { limit }) => {
                let limits = fetch_all(limit, async |page| {
                    let part = client.list(page).await?.into_inner();
                    Ok((part.limits, part.next))
                })
                .await?;
                return session.list::<LimitView, _>(limits);
            }
            Self::Get { name } => {
                let answer = client.get(NameRequest { name }).await?.into_inner();
                return session.show::<LimitView, _>(answer.limit);
            }
            Self::Delete(Delete { name, wait }) => {
                let request = DeleteRequest {
                    name,
                    options: session.options(wait),
                };
                return session.deleted(client.delete(request).await?.into_inner(), wait);
            }
        };
        let answer = answer.into_inner();
        let view = LimitView::from(present(answer.limit)?);
        session.wrote("limit", &view, answer.receipt, wait)
    }
}

fn request(session: &Session, limit: wire::Limit, wait: Wait) -> CreateLimitRequest {
    CreateLimitRequest {
        limit: Some(limit),
        options: session.options(wait),
    }
}
