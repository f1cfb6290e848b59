//! Limits: what may be spent in a period, by a principal, a team, or the whole tenant.
//!
//! What was spent is counted by the control plane, out of the audit; that a budget is spent is an event, which says until
//! when. So edges count nothing and ask nobody, and a period that is over ends a limit without another event. What was
//! under way, and what the control plane has not heard of yet, may go beyond the budget.

use std::sync::Arc;

use jiff::{SignedDuration, ToSpan, civil::Weekday, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    authenticate::Caller,
    grant::Subject,
    id::{Name, Timestamp},
    snapshot::{Snapshot, Tenant},
};

/// What may be spent in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name.
    pub name: Name,
    /// By whom: a principal, or the present members of a team together. Absent: by everybody in the tenant together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// Millionths of a US dollar.
    pub budget: u64,
    /// In what time.
    pub per: Period,
}

/// A time in which something may be spent; all begin at midnight, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// 24 hours.
    Day,
    /// From Monday on.
    Week,
    /// From the first on.
    Month,
}

impl Period {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period that a moment is in: its first moment, and that of the next one.
    pub fn around(self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let day = jiff::Timestamp::from_microsecond(now.as_micros())
            .ok()?
            .to_zoned(TimeZone::UTC)
            .date();
        let first = match self {
            Self::Day => day,
            Self::Week => day
                .checked_sub(i64::from(day.weekday().since(Weekday::Monday)).days())
                .ok()?,
            Self::Month => day.first_of_month(),
        };
        let next = match self {
            Self::Day => first.checked_add(1.day()),
            Self::Week => first.checked_add(1.week()),
            Self::Month => first.checked_add(1.month()),
        };
        let start = |date: jiff::civil::Date| {
            let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let since = midnight.duration_since(jiff::Timestamp::UNIX_EPOCH);
            Some(Timestamp::from_micros(
                i64::try_from(SignedDuration::as_micros(&since)).ok()?,
            ))
        };
        Some((start(first)?, start(next.ok()?)?))
    }
}

/// A limit as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldLimit {
    /// The limit.
    pub limit: Limit,
    /// Until when its budget is spent, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_until: Option<Timestamp>,
}

impl HeldLimit {
    /// Whether its budget is spent at a moment.
    pub fn is_spent(&self, now: Timestamp) -> bool {
        self.spent_until.is_some_and(|until| now < until)
    }

    fn binds(&self, caller: &Caller<'_>) -> bool {
        match &self.limit.subject {
            None => true,
            Some(Subject::Principal(principal)) => caller.principal == principal,
            Some(Subject::Team(team)) => caller.teams().contains(team),
            Some(Subject::Group { .. }) => false,
        }
    }
}

impl Tenant {
    /// The limits, the oldest first.
    pub fn limits(&self) -> &[HeldLimit] {
        &self.limits
    }

    /// The first limit of which a caller has nothing left at a moment.
    pub(crate) fn spent(&self, caller: &Caller<'_>, now: Timestamp) -> Option<&HeldLimit> {
        let mut limits = self.limits.iter();
        limits.find(|held| held.is_spent(now) && held.binds(caller))
    }
}

impl Snapshot {
    /// The same, with nothing spent of any budget: who may do what, whatever it has cost by now.
    pub(crate) fn with_nothing_spent(&self) -> Self {
        let mut unspent = self.clone();
        for tenant in self.tenants() {
            let spent = tenant.limits.iter().any(|held| held.spent_until.is_some());
            if !spent {
                continue;
            }
            let Some(tenant) = unspent.tenants.get_mut(tenant.name()) else {
                continue;
            };
            for held in Arc::make_mut(&mut tenant.limits) {
                held.spent_until = None;
            }
        }
        unspent
    }
}
