//! What was used: the types of the question and the answer. The statements are in [`super::rollup`].

use std::ops::AddAssign;

use turnpike_access::id::Timestamp;

/// By what usage is told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// A part of the request, as the audit has it.
    Of(Part),
    /// A key of the request's metadata.
    Metadata(String),
    /// The length of time that the request falls into: its beginning, in microseconds.
    Time(Grain),
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The tenant.
    Tenant,
    /// The first of the principal's teams, at that time.
    Team,
    /// The user or virtual account.
    Principal,
    /// The credential's public id.
    Credential,
    /// The model served, or else asked for.
    Model,
    /// The provider.
    Provider,
    /// The model's environment.
    Environment,
}

/// A length of time that usage is summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, from midnight UTC.
    Day,
}

/// By what rows are put in order, the greatest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What was paid.
    Cost,
    /// Tokens in and out.
    Tokens,
    /// Requests.
    Requests,
}

/// A question about a tenant's usage, in whole minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// Of every tenant, and not only of the one that asks.
    pub everybody: bool,
    /// Of this principal alone.
    pub principal: Option<String>,
    /// By what it is told apart.
    pub by: Vec<Dimension>,
    /// From the minute that this is in.
    pub since: Timestamp,
    /// To the end of the minute before this one, or before the one that it is in.
    pub until: Timestamp,
    /// In which order; absent: by the dimensions.
    pub order: Option<Order>,
    /// At most so many rows; the total counts all.
    pub limit: u32,
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Requests, refused ones too.
    pub requests: i64,
    /// Those among them that were refused.
    pub refused: i64,
    /// Prompt tokens.
    pub tokens_input: i64,
    /// Completion tokens.
    pub tokens_output: i64,
    /// Prompt tokens out of a cache; included in those of the input.
    pub tokens_cached: i64,
    /// Tokens spent on reasoning; included in those of the output.
    pub tokens_reasoning: i64,
    /// What was paid, in billionths of a US dollar.
    pub cost_nanos: i64,
    /// What substitutes saved, likewise.
    pub saved_nanos: i64,
    /// Requests that a substitute answered.
    pub substituted: i64,
    /// Requests with tokens whose price is not known: they cost, and it is not counted what.
    pub unpriced: i64,
    /// Requests that were answered without a word on tokens.
    pub usage_missing: i64,
    /// Answers that were cut off, by whomever: their tokens may be counted short.
    pub cut_off: i64,
}

impl AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        for ((_, field), (_, value)) in self.fields_mut().into_iter().zip(other.fields()) {
            *field = field.saturating_add(value);
        }
    }
}

impl Used {
    /// The columns, in order.
    pub(in crate::store) fn fields_mut(&mut self) -> [(&'static str, &mut i64); 12] {
        let Self {
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
        } = self;
        [
            ("requests", requests),
            ("refused", refused),
            ("tokens_input", tokens_input),
            ("tokens_output", tokens_output),
            ("tokens_cached", tokens_cached),
            ("tokens_reasoning", tokens_reasoning),
            ("cost_nanos", cost_nanos),
            ("saved_nanos", saved_nanos),
            ("substituted", substituted),
            ("unpriced", unpriced),
            ("usage_missing", usage_missing),
            ("cut_off", cut_off),
        ]
    }

    pub(crate) fn fields(mut self) -> [(&'static str, i64); 12] {
        self.fields_mut().map(|(name, field)| (name, *field))
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// A value for each dimension; empty where the request had none.
    pub values: Vec<String>,
    /// What was used.
    pub used: Used,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageReport {
    /// By the dimensions.
    pub rows: Vec<UsageRow>,
    /// Of everything, also of what is in no row for the limit.
    pub total: Used,
}

impl Part {
    pub(in crate::store) fn column(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Team => "team",
            Self::Principal => "principal",
            Self::Credential => "credential",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Environment => "environment",
        }
    }
}

impl Grain {
    /// Every one, the longest first.
    pub(in crate::store) const ALL: [Self; 3] = [Self::Day, Self::Hour, Self::Minute];

    /// Its length in microseconds.
    pub(in crate::store) fn micros(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// Which rows tell of a span of time: those of the longest grains that fit into it, each moment once.
pub(in crate::store) fn spans(query: &UsageQuery) -> Vec<(Grain, i64, i64)> {
    let minute = Grain::Minute.micros();
    let start = query.since.as_micros().div_euclid(minute) * minute;
    let end = query.until.as_micros().div_euclid(minute) * minute;
    let finest = query.by.iter().filter_map(|dimension| match dimension {
        Dimension::Time(grain) => Some(*grain),
        _ => None,
    });
    let longest = finest.min().unwrap_or(Grain::Day);
    let usable: Vec<Grain> = Grain::ALL.into_iter().filter(|grain| *grain <= longest).collect();
    let mut spans = Vec::new();
    cover(&usable, start, end, &mut spans);
    spans
}

fn cover(grains: &[Grain], start: i64, end: i64, spans: &mut Vec<(Grain, i64, i64)>) {
    let Some((grain, finer)) = grains.split_first().filter(|_| start < end) else {
        return;
    };
    let length = grain.micros();
    let first = start.div_euclid(length) * length + if start.rem_euclid(length) == 0 { 0 } else { length };
    let last = end.div_euclid(length) * length;
    if first >= last {
        return cover(finer, start, end, spans);
    }
    cover(finer, start, first, spans);
    spans.push((*grain, first, last));
    cover(finer, last, end, spans);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(since: i64, until: i64, by: Vec<Dimension>) -> Vec<(Grain, i64, i64)> {
        let minute = Grain::Minute.micros();
        spans(&UsageQuery {
            everybody: false,
            principal: None,
            by,
            since: Timestamp::from_micros(since * minute),
            until: Timestamp::from_micros(until * minute + 59),
            order: None,
            limit: 1,
        })
        .into_iter()
        .map(|(grain, start, end)| (grain, start / minute, end / minute))
        .collect()
    }

    #[test]
    fn a_span_is_covered_by_the_longest_lengths_that_fit_and_every_minute_once() {
        use Grain::{Day, Hour, Minute};
        let whole = covered(1_430, 4_400, vec![]);
        assert_eq!(
            whole,
            [
                (Minute, 1_430, 1_440),
                (Day, 1_440, 4_320),
                (Hour, 4_320, 4_380),
                (Minute, 4_380, 4_400)
            ]
        );
        assert_eq!(covered(61, 62, vec![]), [(Minute, 61, 62)]);
        assert_eq!(covered(5, 5, vec![]), []);
        assert_eq!(covered(9, 5, vec![]), []);
        assert_eq!(covered(0, 120, vec![Dimension::Time(Hour)]), [(Hour, 0, 120)]);
        assert_eq!(
            covered(0, 1_440, vec![Dimension::Time(Minute)]),
            [(Minute, 0, 1_440)]
        );
    }
}
