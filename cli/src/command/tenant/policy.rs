//! What a tenant holds its credentials to: flags that change it, and how it is shown.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::Serialize;
use turnpike_proto::admin::v1::{AutomaticRotation, CredentialPolicy};

use crate::{command::value::some, failure::Failure, moment};

/// How long the version before works after an automatic rotation, where nobody says.
const OVERLAP: u32 = 86_400;

#[derive(Debug, Args)]
#[command(
    next_help_heading = "Policy of the tenant's credentials; what is not given stays, `none` removes a rule"
)]
pub(super) struct PolicyFlags {
    /// The longest life of a credential, older ones too: a duration such as 90d
    #[arg(long, value_name = "DURATION")]
    max_lifetime: Option<Rule<Seconds>>,
    /// Whether a new credential must have an expiry
    #[arg(long, value_name = "true|false")]
    expiry_required: Option<bool>,
    /// How many live credentials a principal may have
    #[arg(long, value_name = "COUNT")]
    max_live: Option<Rule<u32>>,
    /// At which age a secret is due for rotation
    #[arg(long, value_name = "DURATION")]
    rotate_after: Option<Rule<Seconds>>,
    /// How long before that, and before an expiry, a warning is given
    #[arg(long, value_name = "DURATION")]
    warn_before: Option<Rule<Seconds>>,
    /// Whether a credential that was not rotated when due is suspended
    #[arg(long, value_name = "true|false")]
    suspend_overdue: Option<bool>,
    /// Warn of credentials that were not used for so long
    #[arg(long, value_name = "DURATION")]
    warn_unused: Option<Rule<Seconds>>,
    /// Suspend credentials that were not used for so long
    #[arg(long, value_name = "DURATION")]
    suspend_unused: Option<Rule<Seconds>>,
    /// Revoke credentials that were not used for so long
    #[arg(long, value_name = "DURATION")]
    revoke_unused: Option<Rule<Seconds>>,
    /// Rotate the keys of virtual accounts when due, and hold or post the new ones
    #[arg(long, value_enum)]
    automatic_rotation: Option<Automatic>,
    /// How long the version before works after an automatic rotation. Absent: 1d, or as it is
    #[arg(long, value_name = "DURATION")]
    rotation_overlap: Option<Seconds>,
    /// Where new keys are posted, in a libsodium sealed box
    #[arg(long, value_name = "URL", requires = "webhook_public_key")]
    webhook_url: Option<String>,
    /// The X25519 key that they are sealed to: 32 bytes in base64
    #[arg(long, value_name = "BASE64", requires = "webhook_url")]
    webhook_public_key: Option<String>,
    /// Remove all these rules
    #[arg(long)]
    clear_credential_policy: bool,
}

/// What becomes of the keys that Turnpike makes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Automatic {
    /// No automatic rotation
    None,
    /// New keys are held for `turnpike credential pick-up`
    PickUp,
    /// New keys are posted to --webhook-url
    Webhook,
}

/// A rule, or that there is to be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule<T>(pub(super) Option<T>);

impl<T: FromStr<Err: ToString>> FromStr for Rule<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text
                .parse()
                .map(|rule| Self(Some(rule)))
                .map_err(|invalid: T::Err| format!("{}, or none", invalid.to_string())),
        }
    }
}

/// A duration in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u32);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = moment::duration(text)?.as_secs();
        u32::try_from(seconds)
            .map(Self)
            .map_err(|_| "write at most 49710d".to_owned())
    }
}

impl PolicyFlags {
    /// Whether any of them is given.
    pub(super) fn given(&self) -> bool {
        let Self {
            max_lifetime,
            expiry_required,
            max_live,
            rotate_after,
            warn_before,
            suspend_overdue,
            warn_unused,
            suspend_unused,
            revoke_unused,
            automatic_rotation,
            rotation_overlap,
            webhook_url,
            webhook_public_key,
            clear_credential_policy,
        } = self;
        let durations = [
            max_lifetime,
            rotate_after,
            warn_before,
            warn_unused,
            suspend_unused,
            revoke_unused,
        ];
        *clear_credential_policy
            || durations.iter().any(|rule| rule.is_some())
            || [expiry_required, suspend_overdue]
                .iter()
                .any(|rule| rule.is_some())
            || [webhook_url, webhook_public_key]
                .iter()
                .any(|text| text.is_some())
            || max_live.is_some()
            || automatic_rotation.is_some()
            || rotation_overlap.is_some()
    }

    /// The policy after the change; what is cleared is cleared first.
    pub(super) fn apply(self, current: Option<CredentialPolicy>) -> Result<CredentialPolicy, Failure> {
        let mut policy = match self.clear_credential_policy {
            true => CredentialPolicy::default(),
            false => current.unwrap_or_default(),
        };
        for (rule, field) in [
            (self.max_lifetime, &mut policy.max_lifetime_seconds),
            (self.rotate_after, &mut policy.rotate_after_seconds),
            (self.warn_before, &mut policy.warn_before_seconds),
            (self.warn_unused, &mut policy.warn_unused_seconds),
            (self.suspend_unused, &mut policy.suspend_unused_seconds),
            (self.revoke_unused, &mut policy.revoke_unused_seconds),
        ] {
            if let Some(Rule(rule)) = rule {
                *field = rule.map(|Seconds(seconds)| seconds);
            }
        }
        if let Some(Rule(most)) = self.max_live {
            policy.max_live = most;
        }
        policy.expiry_required = self.expiry_required.unwrap_or(policy.expiry_required);
        policy.suspend_overdue = self.suspend_overdue.unwrap_or(policy.suspend_overdue);
        policy.automatic_rotation = self.rotation(policy.automatic_rotation.take())?;
        Ok(policy)
    }

    fn rotation(self, current: Option<AutomaticRotation>) -> Result<Option<AutomaticRotation>, Failure> {
        let webhook = self.webhook_url.zip(self.webhook_public_key);
        let wanted = self.automatic_rotation;
        if wanted.is_none() && webhook.is_none() && current.is_none() {
            return match self.rotation_overlap {
                None => Ok(None),
                Some(_) => Err(Failure::local("--rotation-overlap needs --automatic-rotation")),
            };
        }
        let held = current.unwrap_or(AutomaticRotation {
            overlap_seconds: OVERLAP,
            ..Default::default()
        });
        let overlap_seconds = self
            .rotation_overlap
            .map_or(held.overlap_seconds, |Seconds(overlap)| overlap);
        let (webhook_url, webhook_public_key) = match (wanted, webhook) {
            (Some(Automatic::None), None) => return Ok(None),
            (Some(Automatic::PickUp), None) => Default::default(),
            (Some(Automatic::Webhook) | None, Some(given)) => given,
            (Some(Automatic::Webhook), None) if held.webhook_url.is_empty() => {
                return Err(Failure::local(
                    "--automatic-rotation webhook needs --webhook-url and --webhook-public-key",
                ));
            }
            (Some(Automatic::Webhook), None) => (held.webhook_url, held.webhook_public_key),
            (Some(_), Some(_)) => {
                return Err(Failure::local(
                    "--webhook-url is for --automatic-rotation webhook alone",
                ));
            }
            (None, None) => (held.webhook_url, held.webhook_public_key),
        };
        Ok(Some(AutomaticRotation {
            overlap_seconds,
            webhook_url,
            webhook_public_key,
        }))
    }
}

#[derive(Serialize)]
pub(super) struct PolicyView {
    max_lifetime: Option<String>,
    expiry_required: bool,
    max_live: Option<u32>,
    rotate_after: Option<String>,
    warn_before: Option<String>,
    suspend_overdue: bool,
    warn_unused: Option<String>,
    suspend_unused: Option<String>,
    revoke_unused: Option<String>,
    automatic_rotation: Option<&'static str>,
    rotation_overlap: Option<String>,
    webhook_url: Option<String>,
    webhook_public_key: Option<String>,
}

impl From<CredentialPolicy> for PolicyView {
    fn from(policy: CredentialPolicy) -> Self {
        let CredentialPolicy {
            max_lifetime_seconds,
            expiry_required,
            max_live,
            rotate_after_seconds,
            warn_before_seconds,
            suspend_overdue,
            warn_unused_seconds,
            suspend_unused_seconds,
            revoke_unused_seconds,
            automatic_rotation,
        } = policy;
        let delivery = automatic_rotation.as_ref().map(|rotation| {
            let is_held = rotation.webhook_url.is_empty();
            if is_held { "pick-up" } else { "webhook" }
        });
        let overlap = automatic_rotation
            .as_ref()
            .map(|rotation| rotation.overlap_seconds);
        let AutomaticRotation {
            webhook_url,
            webhook_public_key,
            ..
        } = automatic_rotation.unwrap_or_default();
        Self {
            max_lifetime: max_lifetime_seconds.map(moment::written),
            expiry_required,
            max_live,
            rotate_after: rotate_after_seconds.map(moment::written),
            warn_before: warn_before_seconds.map(moment::written),
            suspend_overdue,
            warn_unused: warn_unused_seconds.map(moment::written),
            suspend_unused: suspend_unused_seconds.map(moment::written),
            revoke_unused: revoke_unused_seconds.map(moment::written),
            automatic_rotation: delivery,
            rotation_overlap: overlap.map(moment::written),
            webhook_url: some(webhook_url),
            webhook_public_key: some(webhook_public_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyFlags,
    }

    fn applied(line: &str, current: Option<CredentialPolicy>) -> Result<CredentialPolicy, Failure> {
        let words = format!("x {line}");
        Line::try_parse_from(words.split_whitespace())
            .unwrap()
            .policy
            .apply(current)
    }

    #[test]
    fn a_flag_changes_its_rule_and_leaves_the_others() {
        let first = applied("--max-lifetime 90d --max-live 3 --expiry-required true", None).unwrap();
        assert_eq!(first.max_lifetime_seconds, Some(90 * 86_400));
        let second = applied("--max-live none --warn-unused 12h", Some(first.clone())).unwrap();
        let due = CredentialPolicy {
            max_live: None,
            warn_unused_seconds: Some(43_200),
            ..first
        };
        assert_eq!(second, due);
        assert_eq!(
            applied("--clear-credential-policy", Some(due)).unwrap(),
            CredentialPolicy::default()
        );
    }

    #[test]
    fn automatic_rotation_goes_to_one_place() {
        let held = applied("--automatic-rotation pick-up", None).unwrap();
        let rotation = held.automatic_rotation.clone().unwrap();
        assert_eq!(
            (rotation.overlap_seconds, rotation.webhook_url.as_str()),
            (OVERLAP, "")
        );
        let posted = applied(
            "--webhook-url https://a.example/k --webhook-public-key AA",
            Some(held),
        );
        let rotation = posted.unwrap().automatic_rotation.unwrap();
        assert_eq!(rotation.webhook_url, "https://a.example/k");
        assert!(applied("--automatic-rotation webhook", None).is_err());
        assert_eq!(
            applied("--automatic-rotation none", None).unwrap(),
            CredentialPolicy::default()
        );
    }

    #[test]
    fn nothing_about_rotation_leaves_none() {
        assert_eq!(applied("--max-live 1", None).unwrap().automatic_rotation, None);
    }

    #[test]
    fn durations_are_shown_as_they_are_given() {
        for text in ["90d", "12h", "45s", "90m", "0s"] {
            let Seconds(seconds) = text.parse().unwrap();
            assert_eq!(moment::written(seconds), text);
        }
    }
}
