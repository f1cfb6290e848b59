//! Questions about usage.

use turnpike_access::id::Timestamp;

use super::v1;
use crate::ConversionError;

/// The most dimensions of a report.
const MOST_DIMENSIONS: usize = 8;
/// The most rows of an answer, and how many there are where nobody says.
const MOST_ROWS: u32 = 10_000;

/// By what usage is told apart, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageDimension {
    /// `tenant`, `team`, `principal`, `credential`, `model`, `provider`, `environment`, `minute`, `hour`, `day`.
    Named(&'static str),
    /// `metadata:KEY`.
    Metadata(String),
}

const NAMED: [&str; 10] = [
    "tenant",
    "team",
    "principal",
    "credential",
    "model",
    "provider",
    "environment",
    "minute",
    "hour",
    "day",
];

/// A question about usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuestion {
    /// By what.
    pub by: Vec<UsageDimension>,
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// `cost`, `tokens` or `requests`; absent: by the dimensions.
    pub order: Option<&'static str>,
    /// At most so many rows.
    pub limit: u32,
}

impl TryFrom<v1::UsageReportRequest> for UsageQuestion {
    type Error = ConversionError;

    fn try_from(request: v1::UsageReportRequest) -> Result<Self, ConversionError> {
        let v1::UsageReportRequest {
            by,
            since_us,
            until_us,
            order,
            limit,
        } = request;
        if by.len() > MOST_DIMENSIONS {
            return Err(ConversionError::new(
                "by",
                format!("names at most {MOST_DIMENSIONS}"),
            ));
        }
        let order = match order.as_str() {
            "" => None,
            text => Some(one_of("order", text, &["cost", "tokens", "requests"])?),
        };
        let limit = match limit {
            0 => MOST_ROWS,
            1..=MOST_ROWS => limit,
            _ => return Err(ConversionError::new("limit", format!("is at most {MOST_ROWS}"))),
        };
        Ok(Self {
            by: by.iter().map(|text| dimension(text)).collect::<Result<_, _>>()?,
            since: Timestamp::from_micros(since_us),
            until: Timestamp::from_micros(until_us),
            order,
            limit,
        })
    }
}

fn dimension(text: &str) -> Result<UsageDimension, ConversionError> {
    match text.strip_prefix("metadata:") {
        Some(key) if (1..=64).contains(&key.len()) && !key.contains('\0') => {
            Ok(UsageDimension::Metadata(key.to_owned()))
        }
        _ => Ok(UsageDimension::Named(one_of("by", text, &NAMED)?)),
    }
}

fn one_of(field: &str, text: &str, words: &[&'static str]) -> Result<&'static str, ConversionError> {
    let known = words.iter().copied().find(|word| *word == text);
    known.ok_or_else(|| {
        let more = if field == "by" { ", or metadata:KEY" } else { "" };
        ConversionError::new(field, format!("is one of {}{more}", words.join(", ")))
    })
}
