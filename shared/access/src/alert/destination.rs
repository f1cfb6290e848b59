//! Where a tenant's alerts go, as data. Secrets are sealed before they come here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pattern::Glob;

/// Destinations that a tenant may have.
pub const MAX_DESTINATIONS: usize = 20;
/// Addresses that one destination may have.
const MAX_ADDRESSES: usize = 20;
const LONGEST_URL: usize = 2048;
/// Patterns of kinds that one destination may have.
const MAX_KINDS: usize = 50;

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The way there.
    pub channel: Channel,
    /// Sealed: what a webhook is signed with, the URL of a Slack webhook, the token of an OTLP receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secret: Option<Arc<str>>,
    /// The kinds of alerts that go there. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Glob>,
}

/// The way of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Channel {
    /// Posted as JSON, signed as standardwebhooks.com says.
    Webhook {
        /// https.
        url: Arc<str>,
    },
    /// Posted in Slack's format. The URL is the secret.
    Slack {},
    /// Sent by the operators' mail server.
    Email {
        /// Who gets it.
        to: Vec<Arc<str>>,
    },
    /// Posted as a log record, OTLP over HTTP in JSON.
    Otlp {
        /// https, with the path: `https://collector.example/v1/logs`.
        url: Arc<str>,
    },
}

/// A destination that nothing can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDestination {
    /// It is not a URL.
    #[error("write a URL: https://HOST/PATH")]
    Url,
    /// It is not an address.
    #[error("write 1 to 20 e-mail addresses: NAME@HOST")]
    Address,
    /// What can't do without.
    #[error("a webhook needs a secret to be signed with, and Slack the URL of its webhook as the secret")]
    Secret,
    /// More than it takes.
    #[error("at most 50 patterns say which kinds go to a destination")]
    Kinds,
}

impl Channel {
    /// Its name: webhook, slack, email, otlp.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack {} => "slack",
            Self::Email { .. } => "email",
            Self::Otlp { .. } => "otlp",
        }
    }
}

impl Destination {
    /// Whether alerts of a kind go there.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|glob| glob.matches(kind))
    }

    /// Whether anything could be sent there.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), InvalidDestination> {
        let Self {
            channel,
            sealed_secret,
            kinds,
        } = self;
        if kinds.len() > MAX_KINDS {
            return Err(InvalidDestination::Kinds);
        }
        match channel {
            Channel::Webhook { url } | Channel::Otlp { url } if !is_url(url) => Err(InvalidDestination::Url),
            Channel::Email { to } if to.is_empty() || to.len() > MAX_ADDRESSES => {
                Err(InvalidDestination::Address)
            }
            Channel::Email { to } if !to.iter().all(|one| is_address(one)) => {
                Err(InvalidDestination::Address)
            }
            Channel::Webhook { .. } | Channel::Slack {} if sealed_secret.is_none() => {
                Err(InvalidDestination::Secret)
            }
            _ => Ok(()),
        }
    }
}

/// Where it leads is judged when it is asked.
pub fn is_url(text: &str) -> bool {
    let host = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    host.is_some_and(|host| !host.is_empty())
        && text.len() <= LONGEST_URL
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What no header of a mail can be broken with; whether somebody lives there, the mail server says.
fn is_address(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_+%=".contains(&byte))
    };
    text.len() <= 254
        && text
            .split_once('@')
            .is_some_and(|(name, host)| plain(name) && plain(host) && host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(channel: Channel) -> Result<(), InvalidDestination> {
        let destination = Destination {
            channel,
            sealed_secret: Some("sealed:1:AAAA".into()),
            kinds: Vec::new(),
        };
        destination.check()
    }

    #[test]
    fn what_nothing_can_be_sent_to_is_refused() {
        let url = |url: &str| to(Channel::Webhook { url: url.into() });
        assert_eq!(url("https://hooks.example/x"), Ok(()));
        for bad in [
            "",
            "hooks.example",
            "https://",
            "ftp://a.b/",
            "https://a.b/\nx: y",
        ] {
            assert_eq!(url(bad), Err(InvalidDestination::Url), "{bad}");
        }
        let mail = |all: &[&str]| {
            to(Channel::Email {
                to: all.iter().map(|one| Arc::from(*one)).collect(),
            })
        };
        assert_eq!(mail(&["ops+tp@acme.example", "b@c.de"]), Ok(()));
        for bad in [
            "ops",
            "@a.b",
            "a@b",
            "a@b.c\r\nBcc: d@e.f",
            "a b@c.de",
            "a@b@c.de",
        ] {
            assert_eq!(mail(&[bad]), Err(InvalidDestination::Address), "{bad}");
        }
        assert_eq!(mail(&[]), Err(InvalidDestination::Address));
        let unsigned = Destination {
            channel: Channel::Slack {},
            sealed_secret: None,
            kinds: Vec::new(),
        };
        assert_eq!(unsigned.check(), Err(InvalidDestination::Secret));
    }

    #[test]
    fn kinds_go_where_they_are_wanted() {
        let mut destination = Destination {
            channel: Channel::Slack {},
            sealed_secret: None,
            kinds: Vec::new(),
        };
        assert!(destination.wants("anything"));
        destination.kinds = vec!["edge_*".parse().unwrap()];
        assert_eq!(
            (destination.wants("edge_offline"), destination.wants("refusals")),
            (true, false)
        );
    }
}
