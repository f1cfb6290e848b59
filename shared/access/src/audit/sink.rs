//! Where a tenant's audit is sent on to, as data. Secrets are sealed before they come here.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    alert::destination::is_url,
    id::{Name, Timestamp},
};

/// Sinks that a tenant may have: each of them reads the whole audit of its tenant.
pub const MAX_SINKS: usize = 5;

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// The way there.
    pub way: Way,
    /// Sealed: what a webhook is signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secret: Option<Arc<str>>,
    /// Rows of requests before this moment are not sent. Absent: all that is stored is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The way of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Way {
    /// Posted as lines of JSON, signed as standardwebhooks.com says.
    Webhook {
        /// https.
        url: Arc<str>,
    },
}

/// A sink as the state holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldSink {
    /// What it is now.
    pub sink: Sink,
    /// The position of the event that made it, by which it is told from an earlier one of the same name.
    pub made: u64,
    /// The position of the event that made it what it is now.
    pub set: u64,
}

/// A tenant's sinks, by name.
pub type Sinks = BTreeMap<Name, HeldSink>;

/// A sink that nothing can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSink {
    /// It is not a URL.
    #[error("write a URL: https://HOST/PATH")]
    Url,
    /// What it can't do without.
    #[error("a webhook needs a secret to be signed with")]
    Secret,
}

impl Way {
    /// Its name: webhook.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
        }
    }

    /// Where it leads.
    pub fn url(&self) -> &Arc<str> {
        match self {
            Self::Webhook { url } => url,
        }
    }
}

impl Sink {
    /// Whether anything could be sent there.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), InvalidSink> {
        let Self {
            way,
            sealed_secret,
            since: _,
        } = self;
        match way {
            Way::Webhook { url } if !is_url(url) => Err(InvalidSink::Url),
            Way::Webhook { .. } if sealed_secret.is_none() => Err(InvalidSink::Secret),
            Way::Webhook { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_row_can_be_sent_to_is_refused() {
        let sink = |url: &str, secret: Option<&str>| {
            let sink = Sink {
                way: Way::Webhook { url: url.into() },
                sealed_secret: secret.map(Arc::from),
                since: None,
            };
            sink.check()
        };
        let sealed = Some("sealed:1:AAAA");
        assert_eq!(sink("https://siem.example/rows", sealed), Ok(()));
        assert_eq!(sink("siem.example", sealed), Err(InvalidSink::Url));
        assert_eq!(sink("https://a.b/\nx: y", sealed), Err(InvalidSink::Url));
        assert_eq!(sink("https://siem.example/rows", None), Err(InvalidSink::Secret));
    }
}
