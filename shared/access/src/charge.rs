//! What a request cost, by the prices of the model at the moment of the decision.
//!
//! Prices are millionths of a dollar for a million tokens, so that one token's price is a whole number of
//! millionths of a millionth. A request's cost is summed in those and rounded once, half up, to billionths: nothing is
//! lost in sums of cheap requests.

use crate::{audit::Usage, model::Prices};

/// Of the price's unit times a token, in a billionth of a dollar.
const UNITS: u128 = 1_000;

impl Prices {
    /// What so many tokens cost, in billionths of a US dollar. `None` where the provider told no counts, or a price that
    /// counts is not known: unknown is not free. Cached tokens without a price of their own cost what the others do.
    pub fn cost_nanos(&self, usage: &Usage) -> Option<u64> {
        if usage.input.is_none() && usage.output.is_none() {
            return None;
        }
        let input = usage.input.unwrap_or(0);
        let cached = usage.cached.unwrap_or(0).min(input);
        let parts = [
            (input - cached, self.input),
            (cached, self.cached.or(self.input)),
            (usage.output.unwrap_or(0), self.output),
        ];
        let mut sum: u128 = 0;
        for (tokens, price) in parts.into_iter().filter(|(tokens, _)| *tokens > 0) {
            sum = sum.saturating_add(u128::from(tokens) * u128::from(price?));
        }
        Some(u64::try_from((sum + UNITS / 2) / UNITS).unwrap_or(u64::MAX))
    }
}

/// What a substitute saved, in billionths of a US dollar: what the model that was denied would have cost for the same
/// tokens, less what was paid. Negative where the substitute was dearer.
pub fn saved_nanos(denied: Option<&Prices>, usage: &Usage, paid: Option<u64>) -> Option<i64> {
    let (would, paid) = (denied?.cost_nanos(usage)?, paid?);
    i64::try_from(i128::from(would) - i128::from(paid)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dollars for a million tokens: 2.50 in, 10 out, 1.25 cached.
    const PRICES: Prices = Prices {
        input: Some(2_500_000),
        output: Some(10_000_000),
        cached: Some(1_250_000),
    };

    fn usage(input: u64, output: u64, cached: u64) -> Usage {
        Usage {
            input: Some(input),
            output: Some(output),
            cached: Some(cached),
            reasoning: None,
        }
    }

    #[test]
    fn a_million_tokens_cost_their_price_and_cached_ones_theirs() {
        let dollar = 1_000_000_000;
        assert_eq!(PRICES.cost_nanos(&usage(1_000_000, 0, 0)), Some(2_500_000_000));
        assert_eq!(PRICES.cost_nanos(&usage(0, 1_000_000, 0)), Some(10 * dollar));
        assert_eq!(
            PRICES.cost_nanos(&usage(1_000_000, 0, 1_000_000)),
            Some(1_250_000_000)
        );
        assert_eq!(
            PRICES.cost_nanos(&usage(10, 5, 4)),
            Some(6 * 2_500 + 4 * 1_250 + 5 * 10_000)
        );
        let uncached = Prices {
            cached: None,
            ..PRICES
        };
        assert_eq!(uncached.cost_nanos(&usage(10, 0, 4)), Some(25_000));
    }

    #[test]
    fn unknown_is_not_free_and_nothing_is_free() {
        assert_eq!(PRICES.cost_nanos(&Usage::default()), None);
        assert_eq!(Prices::default().cost_nanos(&usage(1, 0, 0)), None);
        assert_eq!(Prices::default().cost_nanos(&usage(0, 0, 0)), Some(0));
        let input_alone = Prices {
            output: None,
            ..PRICES
        };
        assert_eq!(input_alone.cost_nanos(&usage(2, 0, 0)), Some(5_000));
        assert_eq!(input_alone.cost_nanos(&usage(2, 1, 0)), None);
    }

    #[test]
    fn a_cost_is_rounded_once_and_half_up() {
        let cheap = Prices {
            input: Some(500),
            ..Prices::default()
        };
        let costs = [1, 2, 3].map(|tokens| cheap.cost_nanos(&usage(tokens, 0, 0)));
        assert_eq!(costs, [Some(1), Some(1), Some(2)]);
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let dear = Prices {
            input: Some(u64::MAX),
            ..Prices::default()
        };
        assert_eq!(dear.cost_nanos(&usage(u64::MAX, 0, 0)), Some(u64::MAX));
    }

    #[test]
    fn a_dearer_substitute_saves_less_than_nothing() {
        let used = usage(1_000_000, 0, 0);
        assert_eq!(
            saved_nanos(Some(&PRICES), &used, Some(500_000_000)),
            Some(2_000_000_000)
        );
        assert_eq!(
            saved_nanos(Some(&PRICES), &used, Some(3_000_000_000)),
            Some(-500_000_000)
        );
        assert_eq!(saved_nanos(Some(&Prices::default()), &used, Some(1)), None);
        assert_eq!(saved_nanos(None, &used, Some(1)), None);
    }
}
