//! Which alerts a tenant is given, and from when on: rules as data, with defaults that are meant to be kept.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};

/// A kind of anomaly that is looked for in what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Keys or tokens that were refused, by address: guessing.
    FailedAuthentications,
    /// Keys or tokens that were refused, by the credential that they named: a stolen id, or a key that somebody forgot.
    RefusedCredential,
    /// Requests of a known principal that were refused: somebody tries doors.
    Refusals,
    /// A principal uses more than it ever did at that time of the day.
    UsageSpike,
    /// Keys or tokens that were refused, in the whole tenant: many addresses that try a little each.
    CredentialStuffing,
    /// A principal is seen with several things for the first time: a model, a network, a client, an hour of the day.
    FirstUse,
    /// A credential is about to expire.
    CredentialExpiring,
    /// A credential has had the same secret for long.
    CredentialUnrotated,
    /// A credential was not used for long.
    CredentialStale,
    /// Most of a limit's budget is spent in its period.
    BudgetShare,
}

/// What a rule goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From how many on; of [`Rule::UsageSpike`], from how many times the usual on; of those about a credential's age, from how
    /// many days on; of [`Rule::BudgetShare`], from how many percent on.
    pub threshold: u32,
    /// Within how many seconds.
    pub window_seconds: u32,
    /// A credential that it is about is suspended.
    pub suspend: bool,
}

const DAY: u32 = 86_400;

impl Rule {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FailedAuthentications,
        Self::RefusedCredential,
        Self::Refusals,
        Self::UsageSpike,
        Self::CredentialStuffing,
        Self::FirstUse,
        Self::CredentialExpiring,
        Self::CredentialUnrotated,
        Self::CredentialStale,
        Self::BudgetShare,
    ];

    /// Its name, which is the kind of its alerts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FailedAuthentications => "failed_authentications",
            Self::RefusedCredential => "refused_credential",
            Self::Refusals => "refusals",
            Self::UsageSpike => "usage_spike",
            Self::CredentialStuffing => "credential_stuffing",
            Self::FirstUse => "first_use",
            Self::CredentialExpiring => "credential_expiring",
            Self::CredentialUnrotated => "credential_unrotated",
            Self::CredentialStale => "credential_stale",
            Self::BudgetShare => "budget_share",
        }
    }

    /// What it goes by where a tenant says nothing.
    pub fn usual(self) -> Limits {
        let (threshold, window_seconds) = match self {
            Self::FailedAuthentications => (30, 300),
            Self::RefusedCredential => (20, 300),
            Self::Refusals => (60, 600),
            Self::UsageSpike => (4, 3600),
            Self::CredentialStuffing => (200, 600),
            Self::FirstUse => (2, 3600),
            Self::CredentialExpiring => (7, DAY),
            Self::CredentialUnrotated => (365, DAY),
            Self::CredentialStale => (90, DAY),
            Self::BudgetShare => (80, DAY),
        };
        Limits {
            threshold,
            window_seconds,
            suspend: false,
        }
    }

    /// The thresholds that it may have.
    fn thresholds(self) -> RangeInclusive<u32> {
        match self {
            Self::UsageSpike => 2..=u32::MAX,
            Self::BudgetShare => 1..=100,
            _ => 1..=u32::MAX,
        }
    }

    /// Whether nobody may choose its window: it is the hour, what is counted in days, or a limit's period.
    fn has_fixed_window(self) -> bool {
        matches!(self, Self::UsageSpike | Self::BudgetShare) || self.is_of_state()
    }

    /// Whether it looks at the state as it is, and not at what was stored in a window.
    pub fn is_of_state(self) -> bool {
        matches!(
            self,
            Self::CredentialExpiring | Self::CredentialUnrotated | Self::CredentialStale
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.as_str() == text)
            .ok_or(UnknownRule)
    }
}

/// A text that names no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is one of failed_authentications, refused_credential, refusals, usage_spike, credential_stuffing, first_use, \
     credential_expiring, credential_unrotated, credential_stale, budget_share"
)]
pub struct UnknownRule;

/// What a tenant says of a rule; absent: as is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleChoice {
    /// It raises nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// From how many on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// Within how many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u32>,
    /// A credential that it is about is suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// A tenant's choices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertRules(pub BTreeMap<Rule, RuleChoice>);

/// A choice that can't be kept to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// Nothing is no anomaly.
    #[error("the threshold of {0} is at least 1, of usage_spike at least 2, and of budget_share at most 100")]
    Threshold(Rule),
    /// Windows are looked at again and again.
    #[error(
        "the window of {0} is between a minute and a day; that of usage_spike is the hour, that of budget_share the limit's \
         period, and what is about days has none"
    )]
    Window(Rule),
    /// Somebody else could have it suspend.
    #[error("{0} suspends nothing: first_use alone knows that whoever it is had the key")]
    Suspend(Rule),
}

impl AlertRules {
    /// Whether nothing was chosen.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }

    /// What a rule goes by; `None`: it is off.
    pub fn of(&self, rule: Rule) -> Option<Limits> {
        let choice = self.0.get(&rule).copied().unwrap_or_default();
        let usual = rule.usual();
        (!choice.off).then_some(Limits {
            threshold: choice.threshold.unwrap_or(usual.threshold),
            window_seconds: choice.window_seconds.unwrap_or(usual.window_seconds),
            suspend: choice.suspend,
        })
    }

    /// Whether every choice can be kept to.
    ///
    /// # Errors
    /// Says which can't.
    pub fn check(&self) -> Result<(), InvalidRule> {
        for (rule, choice) in &self.0 {
            let fits = |threshold: u32| rule.thresholds().contains(&threshold);
            if choice.threshold.is_some_and(|threshold| !fits(threshold)) {
                return Err(InvalidRule::Threshold(*rule));
            }
            let fits = |window: u32| (60..=DAY).contains(&window) && !rule.has_fixed_window();
            if choice.window_seconds.is_some_and(|window| !fits(window)) {
                return Err(InvalidRule::Window(*rule));
            }
            if choice.suspend && *rule != Rule::FirstUse {
                return Err(InvalidRule::Suspend(*rule));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_in_text_and_json() {
        for rule in Rule::ALL {
            assert_eq!(rule.as_str().parse(), Ok(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
        assert_eq!("nonsense".parse::<Rule>(), Err(UnknownRule));
    }

    #[test]
    fn what_is_not_chosen_is_as_usual() {
        let choice = RuleChoice {
            threshold: Some(5),
            ..RuleChoice::default()
        };
        let off = RuleChoice {
            off: true,
            ..RuleChoice::default()
        };
        let rules = AlertRules([(Rule::Refusals, choice), (Rule::UsageSpike, off)].into());
        let limits = rules.of(Rule::Refusals).unwrap();
        assert_eq!((limits.threshold, limits.window_seconds), (5, 600));
        assert_eq!(rules.of(Rule::UsageSpike), None);
        assert_eq!(
            rules.of(Rule::RefusedCredential),
            Some(Rule::RefusedCredential.usual())
        );
    }

    #[test]
    fn a_choice_that_cannot_be_kept_to_is_refused() {
        let with = |rule, threshold, window_seconds| {
            let choice = RuleChoice {
                off: false,
                threshold,
                window_seconds,
                suspend: false,
            };
            AlertRules([(rule, choice)].into()).check()
        };
        assert_eq!(with(Rule::Refusals, Some(1), Some(60)), Ok(()));
        assert_eq!(
            with(Rule::Refusals, Some(0), None),
            Err(InvalidRule::Threshold(Rule::Refusals))
        );
        assert_eq!(
            with(Rule::UsageSpike, Some(1), None),
            Err(InvalidRule::Threshold(Rule::UsageSpike))
        );
        assert_eq!(
            with(Rule::Refusals, None, Some(59)),
            Err(InvalidRule::Window(Rule::Refusals))
        );
        assert_eq!(
            with(Rule::UsageSpike, None, Some(60)),
            Err(InvalidRule::Window(Rule::UsageSpike))
        );
        assert_eq!(with(Rule::BudgetShare, Some(100), None), Ok(()));
        assert_eq!(
            with(Rule::BudgetShare, Some(101), None),
            Err(InvalidRule::Threshold(Rule::BudgetShare))
        );
        assert_eq!(
            with(Rule::BudgetShare, None, Some(60)),
            Err(InvalidRule::Window(Rule::BudgetShare))
        );
        let suspending = |rule| {
            let choice = RuleChoice {
                suspend: true,
                ..RuleChoice::default()
            };
            AlertRules([(rule, choice)].into()).check()
        };
        assert_eq!(suspending(Rule::FirstUse), Ok(()));
        for rule in [Rule::RefusedCredential, Rule::Refusals, Rule::UsageSpike] {
            assert_eq!(suspending(rule), Err(InvalidRule::Suspend(rule)));
        }
    }
}
