//! Where a tenant's audit is sent on to, as data. Secrets are sealed before they come here.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    alert::destination::is_url,
    id::{Name, Timestamp},
};

/// Sinks that a tenant may have: each of them reads the whole audit of its tenant.
pub const MAX_SINKS: usize = 5;
/// Of the authorities that a sink trusts, in bytes.
const LONGEST_CA: usize = 32 * 1024;

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// The way there.
    pub way: Way,
    /// Sealed: what a webhook is signed with, an OTLP receiver's token or headers.
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
    /// Posted as log records, OTLP over HTTP in protobuf.
    Otlp {
        /// https, with the path: `https://collector.example/v1/logs`.
        url: Arc<str>,
    },
    /// Sent as messages of RFC 5424, their length before each (RFC 6587), over TLS (RFC 5425).
    Syslog {
        /// `tls://HOST:PORT`.
        url: Arc<str>,
        /// Whom to trust there and nobody else, in PEM. Absent: the authorities of the control plane's system.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca: Option<Arc<str>>,
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
    /// It is not where syslog could go.
    #[error("write where syslog goes: tls://HOST:PORT")]
    Syslog,
    /// What it can't do without.
    #[error("a webhook needs a secret to be signed with")]
    Secret,
    /// What there is no use for.
    #[error("nothing is shown to a receiver of syslog, so that it takes no secret")]
    NoSecret,
    /// It is longer than certificates are.
    #[error("the authorities are certificates in PEM of at most 32 KiB")]
    Authorities,
}

impl Way {
    /// Its name: webhook, otlp, syslog.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Otlp { .. } => "otlp",
            Self::Syslog { .. } => "syslog",
        }
    }

    /// Where it leads.
    pub fn url(&self) -> &Arc<str> {
        match self {
            Self::Webhook { url } | Self::Otlp { url } | Self::Syslog { url, ca: _ } => url,
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
            Way::Webhook { url } | Way::Otlp { url } if !is_url(url) => Err(InvalidSink::Url),
            Way::Webhook { .. } if sealed_secret.is_none() => Err(InvalidSink::Secret),
            Way::Webhook { .. } | Way::Otlp { .. } => Ok(()),
            Way::Syslog { url, .. } if !is_syslog(url) => Err(InvalidSink::Syslog),
            Way::Syslog { ca: Some(ca), .. } if ca.len() > LONGEST_CA => Err(InvalidSink::Authorities),
            Way::Syslog { .. } if sealed_secret.is_some() => Err(InvalidSink::NoSecret),
            Way::Syslog { .. } => Ok(()),
        }
    }
}

/// Where it leads is judged when it is called. Plain TCP is for the control plane's own machine alone.
fn is_syslog(text: &str) -> bool {
    let rest = ["tls://", "tcp://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let place = rest.and_then(|rest| rest.rsplit_once(':'));
    place.is_some_and(|(host, port)| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
        let port = port.parse::<u16>().is_ok_and(|port| port > 0);
        port && !host.is_empty() && host.len() <= 255 && host.bytes().all(plain)
    })
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

    #[test]
    fn syslog_goes_to_a_host_and_a_port_and_is_shown_nothing() {
        let sink = |url: &str, ca: Option<&str>, secret: Option<&str>| {
            let sink = Sink {
                way: Way::Syslog {
                    url: url.into(),
                    ca: ca.map(Arc::from),
                },
                sealed_secret: secret.map(Arc::from),
                since: None,
            };
            sink.check()
        };
        for url in [
            "tls://siem.example:6514",
            "tls://[::1]:6514",
            "tcp://127.0.0.1:514",
        ] {
            assert_eq!(sink(url, None, None), Ok(()), "{url}");
        }
        for url in [
            "siem.example:6514",
            "tls://siem.example",
            "tls://:6514",
            "tls://siem.example:0",
            "tls://siem.example:65536",
            "tls://siem.example/x:1",
            "tls://user@siem.example:1",
            "udp://siem.example:514",
        ] {
            assert_eq!(sink(url, None, None), Err(InvalidSink::Syslog), "{url}");
        }
        let url = "tls://siem.example:6514";
        assert_eq!(sink(url, None, Some("sealed:1:AAAA")), Err(InvalidSink::NoSecret));
        let long = "x".repeat(LONGEST_CA + 1);
        assert_eq!(sink(url, Some(&long), None), Err(InvalidSink::Authorities));
    }
}
