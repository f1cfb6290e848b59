//! Where alerts go. Their secrets pass through here unsealed, inside the request, and are never kept.

use turnpike_access::{
    alert::destination::{Channel, Destination},
    id::Name,
};

use crate::{
    ConversionError,
    admin::{Write, v1},
    field::{all, parse, required, texts},
};

/// A destination to be set.
#[derive(Clone)]
pub struct NewDestination {
    /// Its name.
    pub name: Name,
    /// The destination; its secret is not sealed into it yet.
    pub destination: Destination,
    /// The secret, in the clear; empty: what there is stays.
    pub secret: String,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::SetAlertDestinationRequest> for NewDestination {
    type Error = ConversionError;

    fn try_from(request: v1::SetAlertDestinationRequest) -> Result<Self, ConversionError> {
        let v1::SetAlertDestinationRequest {
            destination,
            secret,
            options,
        } = request;
        let v1::AlertDestination {
            name,
            channel,
            url,
            to,
            kinds,
            has_secret: _,
        } = required("destination", destination)?;
        let channel = match channel.as_str() {
            "webhook" => Channel::Webhook { url: url.into() },
            "slack" => Channel::Slack {},
            "email" => Channel::Email {
                to: to.into_iter().map(Into::into).collect(),
            },
            "otlp" => Channel::Otlp { url: url.into() },
            _ => {
                return Err(ConversionError::new(
                    "destination.channel",
                    "is one of webhook, slack, email, otlp",
                ));
            }
        };
        Ok(Self {
            name: parse("destination.name", &name)?,
            destination: Destination {
                channel,
                sealed_secret: None,
                kinds: all("destination.kinds", kinds)?,
            },
            secret,
            write: options.try_into()?,
        })
    }
}

impl v1::AlertDestination {
    /// What is shown of a destination.
    pub fn named(name: &Name, destination: &Destination) -> Self {
        let Destination {
            channel,
            sealed_secret,
            kinds,
        } = destination;
        let (url, to) = match channel {
            Channel::Webhook { url } | Channel::Otlp { url } => (url.to_string(), Vec::new()),
            Channel::Email { to } => (String::new(), texts(to)),
            Channel::Slack {} => Default::default(),
        };
        Self {
            name: name.to_string(),
            channel: channel.as_str().to_owned(),
            url,
            to,
            kinds: texts(kinds),
            has_secret: sealed_secret.is_some(),
        }
    }
}
