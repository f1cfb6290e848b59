//! Rules of a tenant's own.

use turnpike_access::{
    alert::own::OwnRule,
    id::{Name, Timestamp},
};

use crate::{
    ConversionError,
    admin::{Write, v1},
    field::{parse, required},
};

/// A rule to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOwnRule {
    /// Its name.
    pub name: Name,
    /// The rule.
    pub rule: OwnRule,
    /// How long to wait.
    pub write: Write,
}

fn own(rule: v1::OwnAlertRule) -> Result<(String, OwnRule), ConversionError> {
    let v1::OwnAlertRule {
        name,
        by,
        when,
        window_seconds,
        suspend,
    } = rule;
    let rule = OwnRule {
        by: parse("rule.by", &by)?,
        when: when.into(),
        window_seconds,
        suspend,
    };
    match rule.check() {
        Ok(()) => Ok((name, rule)),
        Err(invalid) => Err(ConversionError::new("rule", invalid)),
    }
}

impl TryFrom<v1::SetAlertRuleRequest> for NewOwnRule {
    type Error = ConversionError;

    fn try_from(request: v1::SetAlertRuleRequest) -> Result<Self, ConversionError> {
        let v1::SetAlertRuleRequest { rule, options } = request;
        let (name, rule) = own(required("rule", rule)?)?;
        Ok(Self {
            name: parse("rule.name", &name)?,
            rule,
            write: options.try_into()?,
        })
    }
}

/// A rule that is tried on the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTest {
    /// Its name; nothing where the rule itself is given.
    pub name: String,
    /// A rule of the tenant's own that need not be kept.
    pub own: Option<OwnRule>,
    /// From here.
    pub since: Timestamp,
    /// To here.
    pub until: Timestamp,
}

/// The longest span, in seconds.
const LONGEST: i64 = 31 * 86_400;

impl TryFrom<v1::TestAlertRuleRequest> for RuleTest {
    type Error = ConversionError;

    fn try_from(request: v1::TestAlertRuleRequest) -> Result<Self, ConversionError> {
        let v1::TestAlertRuleRequest {
            rule,
            own: given,
            since_us,
            until_us,
        } = request;
        let (since, until) = (Timestamp::from_micros(since_us), Timestamp::from_micros(until_us));
        if since >= until || since.plus_seconds(LONGEST) < until {
            return Err(ConversionError::new(
                "since_us",
                "is before until_us, by at most 31 days",
            ));
        }
        Ok(Self {
            name: rule,
            own: given.map(own).transpose()?.map(|(_, rule)| rule),
            since,
            until,
        })
    }
}

impl v1::OwnAlertRule {
    /// What is shown of a rule.
    pub fn named(name: &Name, rule: &OwnRule) -> Self {
        let OwnRule {
            by,
            when,
            window_seconds,
            suspend,
        } = rule;
        Self {
            name: name.to_string(),
            by: by.to_string(),
            when: when.to_string(),
            window_seconds: *window_seconds,
            suspend: *suspend,
        }
    }
}
