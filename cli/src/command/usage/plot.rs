//! `turnpike usage plot`: bars over time, one line each.

use std::collections::BTreeMap;

use serde::Serialize;
use turnpike_proto::admin::v1::{self as wire, usage_service_client::UsageServiceClient};

use super::{Asked, Order};
use crate::{
    failure::Failure,
    moment,
    output::View,
    price,
    session::{Outcome, Session},
};

/// The longest bar, in characters.
const WIDTH: u64 = 40;
/// Eighths of a character.
const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

#[derive(Serialize)]
struct BarView {
    time: Option<String>,
    of: Option<String>,
    amount: String,
    bar: String,
}

impl View for BarView {
    const COLUMNS: &'static [&'static str] = &["time", "of", "amount", "bar"];
}

pub(super) async fn plot(
    session: &Session,
    mut asked: Asked,
    of: Order,
    each: String,
) -> Result<Outcome, Failure> {
    asked
        .by
        .retain(|name| !matches!(name.as_str(), "minute" | "hour" | "day"));
    asked.by.insert(0, each);
    let request = asked.request("", 0);
    let mut client = UsageServiceClient::new(session.service());
    let answer = client.report(request).await?.into_inner();
    if !answer.complete {
        return Err(Failure::local(
            "there are more bars than can be drawn: ask for a shorter time, or tell less apart",
        ));
    }
    let rows = answer.rows.into_iter().filter_map(|row| {
        let mut values = row.values.into_iter();
        let time: i64 = values.next()?.parse().ok()?;
        let rest: Vec<String> = values
            .map(|value| if value.is_empty() { "-".to_owned() } else { value })
            .collect();
        Some(((rest.join(" "), time), amount(of, &row.used?)))
    });
    session.printer.list(&bars(of, rows.collect()))?;
    Ok(Outcome::Done)
}

fn amount(of: Order, used: &wire::Used) -> u64 {
    let amount = match of {
        Order::Cost => used.cost_nanos,
        Order::Tokens => used.tokens_input.saturating_add(used.tokens_output),
        Order::Requests => used.requests,
    };
    u64::try_from(amount).unwrap_or_default()
}

fn bars(of: Order, rows: BTreeMap<(String, i64), u64>) -> Vec<BarView> {
    let most = rows.values().copied().max().unwrap_or_default();
    let shown = |((what, time), amount): ((String, i64), u64)| BarView {
        time: moment::text(time),
        of: Some(what).filter(|what| !what.is_empty()),
        amount: match of {
            Order::Cost => price::nanos(i64::try_from(amount).unwrap_or(i64::MAX)),
            Order::Tokens | Order::Requests => amount.to_string(),
        },
        bar: bar(amount, most),
    };
    rows.into_iter().map(shown).collect()
}

/// As long as the amount is of the most, to an eighth of a character; what is not nothing is seen.
fn bar(amount: u64, most: u64) -> String {
    let eighths = u128::from(amount) * u128::from(WIDTH) * 8 / u128::from(most.max(1));
    let eighths = usize::try_from(eighths)
        .unwrap_or_default()
        .max(usize::from(amount > 0));
    let mut bar = "█".repeat(eighths / 8);
    if let Some(part) = PARTS.get(eighths % 8).filter(|part| **part != ' ') {
        bar.push(*part);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_invisible() {
        assert_eq!(bar(100, 100).chars().count(), 40);
        assert_eq!(bar(50, 100), "█".repeat(20));
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(0, 100), "");
        assert_eq!(bar(0, 0), "");
        assert_eq!(bar(u64::MAX, u64::MAX).chars().count(), 40);
    }
}
