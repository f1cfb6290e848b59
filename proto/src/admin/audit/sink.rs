//! Where the audit is sent on to. A secret passes through here unsealed, inside the request, and is never kept.

use turnpike_access::{
    audit::sink::{HeldSink, Sink, Way},
    id::Name,
};

use crate::{
    ConversionError,
    admin::{Write, v1},
    field::{known, moment, parse, required, text},
};

/// A sink to be set.
#[derive(Clone)]
pub struct NewSink {
    /// Its name.
    pub name: Name,
    /// The sink; its secret is not sealed into it yet.
    pub sink: Sink,
    /// The secret, in the clear; empty: what there is stays.
    pub secret: String,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::SetAuditSinkRequest> for NewSink {
    type Error = ConversionError;

    fn try_from(request: v1::SetAuditSinkRequest) -> Result<Self, ConversionError> {
        let v1::SetAuditSinkRequest {
            sink,
            secret,
            options,
        } = request;
        let v1::AuditSink {
            name,
            way,
            url,
            has_secret: _,
            since_us,
            progress: _,
            ca,
        } = required("sink", sink)?;
        let way = match way.as_str() {
            "webhook" => Way::Webhook { url: url.into() },
            "otlp" => Way::Otlp { url: url.into() },
            "syslog" => Way::Syslog {
                url: url.into(),
                ca: known(ca),
            },
            _ => {
                return Err(ConversionError::new(
                    "sink.way",
                    "is one of webhook, otlp, syslog",
                ));
            }
        };
        Ok(Self {
            name: parse("sink.name", &name)?,
            sink: Sink {
                way,
                sealed_secret: None,
                since: moment(since_us),
            },
            secret,
            write: options.try_into()?,
        })
    }
}

impl v1::AuditSink {
    /// What is shown of a sink, without how it goes.
    pub fn named(name: &Name, held: &HeldSink) -> Self {
        let HeldSink {
            sink:
                Sink {
                    way,
                    sealed_secret,
                    since,
                },
            made: _,
            set: _,
        } = held;
        Self {
            name: name.to_string(),
            way: way.as_str().to_owned(),
            url: way.url().to_string(),
            has_secret: sealed_secret.is_some(),
            since_us: since.map(|since| since.as_micros()),
            progress: None,
            ca: match way {
                Way::Syslog { ca, .. } => text(ca.as_ref()),
                Way::Webhook { .. } | Way::Otlp { .. } => String::new(),
            },
        }
    }
}
