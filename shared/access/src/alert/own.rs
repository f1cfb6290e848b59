//! Rules of a tenant's own: an expression over what one subject used in a window. What an expression may say is judged where it
//! is evaluated; here it is text.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Rules that a tenant may have of its own.
pub const MAX_RULES: usize = 50;
/// The longest expression, in bytes.
pub const LONGEST: usize = 500;

/// A rule of a tenant's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnRule {
    /// Whose use is looked at.
    pub by: Subject,
    /// An expression that is true of what is out of the ordinary.
    pub when: Arc<str>,
    /// Over how many seconds.
    pub window_seconds: u32,
    /// A credential that it is about is suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// By what use is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A user or a virtual account.
    Principal,
    /// A credential, by its id.
    Credential,
    /// A team.
    Team,
    /// A model.
    Model,
    /// A provider.
    Provider,
    /// Everybody in the tenant.
    Tenant,
}

/// A rule that can't be kept to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOwnRule {
    /// Windows are looked at again and again.
    #[error("the window of a rule is between a minute and a day")]
    Window,
    /// It says nothing, or too much.
    #[error("an expression has 1 to 500 bytes")]
    Length,
    /// There is nobody to suspend.
    #[error("only a rule by credential can suspend: it says which")]
    Suspend,
}

impl OwnRule {
    /// Whether it can be kept to, whatever the expression says.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self) -> Result<(), InvalidOwnRule> {
        let Self {
            by,
            when,
            window_seconds,
            suspend,
        } = self;
        if !(60..=86_400).contains(window_seconds) {
            return Err(InvalidOwnRule::Window);
        }
        if !(1..=LONGEST).contains(&when.len()) {
            return Err(InvalidOwnRule::Length);
        }
        match *suspend && *by != Subject::Credential {
            true => Err(InvalidOwnRule::Suspend),
            false => Ok(()),
        }
    }
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Principal,
        Self::Credential,
        Self::Team,
        Self::Model,
        Self::Provider,
        Self::Tenant,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Credential => "credential",
            Self::Team => "team",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Tenant => "tenant",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names nothing that use is told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is one of principal, credential, team, model, provider, tenant")]
pub struct UnknownSubject;

impl FromStr for Subject {
    type Err = UnknownSubject;

    fn from_str(text: &str) -> Result<Self, UnknownSubject> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(UnknownSubject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_cannot_be_kept_to_is_refused() {
        let rule = |by, window_seconds, when: &str, suspend| {
            let rule = OwnRule {
                by,
                when: when.into(),
                window_seconds,
                suspend,
            };
            rule.check()
        };
        assert_eq!(rule(Subject::Credential, 60, "true", true), Ok(()));
        assert_eq!(
            rule(Subject::Team, 59, "true", false),
            Err(InvalidOwnRule::Window)
        );
        assert_eq!(rule(Subject::Team, 60, "", false), Err(InvalidOwnRule::Length));
        assert_eq!(
            rule(Subject::Team, 60, "true", true),
            Err(InvalidOwnRule::Suspend)
        );
        for subject in Subject::ALL {
            assert_eq!(subject.as_str().parse(), Ok(subject));
        }
    }
}
