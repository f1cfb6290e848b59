//! Limits.

use turnpike_access::limit::{HeldLimit, Limit, Period};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{parse, required},
};

/// A limit to be made, or as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLimit {
    /// How long to wait.
    pub write: Write,
    /// The limit.
    pub limit: Limit,
}

impl TryFrom<v1::CreateLimitRequest> for NewLimit {
    type Error = ConversionError;

    fn try_from(request: v1::CreateLimitRequest) -> Result<Self, ConversionError> {
        let v1::CreateLimitRequest { limit, options } = request;
        let v1::Limit {
            name,
            subject,
            budget_micros: budget,
            per,
            // The server's to tell.
            spent_nanos: _,
            unpriced: _,
            spent_until_us: _,
        } = required("limit", limit)?;
        let period = Period::ALL.into_iter().find(|period| period.as_str() == per);
        let subject = match subject.as_str() {
            "" => None,
            some => Some(parse("limit.subject", some)?),
        };
        Ok(Self {
            write: options.try_into()?,
            limit: Limit {
                name: parse("limit.name", &name)?,
                subject,
                budget,
                per: period.ok_or_else(|| ConversionError::new("limit.per", "must be day, week or month"))?,
            },
        })
    }
}

impl From<&HeldLimit> for v1::Limit {
    /// Without what was spent, which the limit does not know.
    fn from(held: &HeldLimit) -> Self {
        let HeldLimit { limit, spent_until } = held;
        let Limit {
            name,
            subject,
            budget,
            per,
        } = limit;
        Self {
            name: name.to_string(),
            subject: subject.as_ref().map(ToString::to_string).unwrap_or_default(),
            budget_micros: *budget,
            per: per.as_str().to_owned(),
            spent_nanos: 0,
            unpriced: 0,
            spent_until_us: spent_until.map(|until| until.as_micros()),
        }
    }
}
