//! `turnpike alert destination` and `turnpike alert delivery`: where alerts go, and what became of those on their way.

use clap::{Args, Subcommand};
use serde::Serialize;
use turnpike_proto::admin::v1::{
    self as wire, DeleteRequest, ListAlertDeliveriesRequest, RetryAlertDeliveriesRequest,
    SetAlertDestinationRequest, alert_service_client::AlertServiceClient,
};

use crate::{
    command::value::{Delete, Limit, SecretSource, some},
    failure::Failure,
    moment,
    output::View,
    session::{Outcome, Session, Wait, fetch_all, present},
};

/// What can be done with destinations.
#[derive(Debug, Subcommand)]
pub(in crate::command) enum Destination {
    /// Have alerts go somewhere, or change where they go
    Set(Set),
    /// Show where alerts go
    List(Limit),
    /// Have alerts go there no more
    Delete(Delete),
}

/// The flags. One of --webhook, --slack, --email and --otlp.
#[derive(Debug, Args)]
pub(in crate::command) struct Set {
    /// Its name
    name: String,
    #[command(flatten)]
    channel: Channel,
    /// Only alerts of these kinds, with *; may be given again. Absent: all
    #[arg(long = "kind", value_name = "PATTERN")]
    kinds: Vec<String>,
    #[command(flatten)]
    secret: SecretSource,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Channel {
    /// Post JSON there, signed by Standard Webhooks with the secret, which has at least 24 bytes
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Post in Slack's format; the secret is the URL of Slack's webhook
    #[arg(long)]
    slack: bool,
    /// Send e-mail to this address, by the operators' mail server; may be given again
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// Post log records there, OTLP over HTTP: https://HOST/v1/logs. A secret, if there is one, is sent as a bearer token
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

/// What can be done with deliveries.
#[derive(Debug, Subcommand)]
pub(in crate::command) enum Delivery {
    /// Show what was sent, waits to be sent or was given up in the last 30 days, newest first
    List {
        /// Only those that are waiting, sent or dead
        #[arg(long, value_parser = ["waiting", "sent", "dead"], default_value = "", hide_default_value = true)]
        state: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Try again what was given up
    Retry {
        /// Only what goes to this destination. Absent: all
        #[arg(default_value = "", hide_default_value = true)]
        destination: String,
    },
}

#[derive(Serialize)]
struct DestinationView {
    name: String,
    channel: String,
    url: Option<String>,
    to: Vec<String>,
    kinds: Vec<String>,
    has_secret: bool,
}

impl View for DestinationView {
    const COLUMNS: &'static [&'static str] = &["name", "channel", "url", "to", "kinds", "has_secret"];
}

impl From<wire::AlertDestination> for DestinationView {
    fn from(destination: wire::AlertDestination) -> Self {
        let wire::AlertDestination {
            name,
            channel,
            url,
            to,
            kinds,
            has_secret,
        } = destination;
        Self {
            name,
            channel,
            url: some(url),
            to,
            kinds,
            has_secret,
        }
    }
}

#[derive(Serialize)]
struct DeliveryView {
    position: u64,
    destination: String,
    state: String,
    attempts: u32,
    time: Option<String>,
    error: Option<String>,
}

impl View for DeliveryView {
    const COLUMNS: &'static [&'static str] =
        &["position", "destination", "state", "attempts", "time", "error"];
}

impl From<wire::AlertDelivery> for DeliveryView {
    fn from(delivery: wire::AlertDelivery) -> Self {
        let wire::AlertDelivery {
            position,
            destination,
            state,
            attempts,
            time_us,
            error,
        } = delivery;
        Self {
            position,
            destination,
            state,
            attempts,
            time: moment::precise(time_us),
            error: some(error),
        }
    }
}

#[derive(Serialize)]
struct Retried {
    deliveries: u64,
}

impl Destination {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = AlertServiceClient::new(session.service());
        match self {
            Self::Set(set) => {
                let wait = set.wait;
                let request = set.request(session)?;
                let answer = client.set_destination(request).await?.into_inner();
                let view = DestinationView::from(present(answer.destination)?);
                session.wrote("destination", &view, answer.receipt, wait)
            }
            Self::List(Limit { limit }) => {
                let all = fetch_all(limit, async |page| {
                    let part = client.list_destinations(page).await?.into_inner();
                    Ok((part.destinations, part.next))
                })
                .await?;
                session.list::<DestinationView, _>(all)
            }
            Self::Delete(Delete { name, wait }) => {
                let options = session.options(wait);
                let receipt = client.delete_destination(DeleteRequest { name, options }).await?;
                session.deleted(receipt.into_inner(), wait)
            }
        }
    }
}

impl Set {
    fn request(self, session: &Session) -> Result<SetAlertDestinationRequest, Failure> {
        let Self {
            name,
            channel,
            kinds,
            secret,
            wait,
        } = self;
        let Channel {
            webhook,
            slack: _,
            email,
            otlp,
        } = channel;
        let (channel, url) = match (webhook, otlp) {
            (Some(url), _) => ("webhook", url),
            (_, Some(url)) => ("otlp", url),
            _ if email.is_empty() => ("slack", String::new()),
            _ => ("email", String::new()),
        };
        let secret = secret.read()?.map(|secret| secret.expose().to_owned());
        Ok(SetAlertDestinationRequest {
            destination: Some(wire::AlertDestination {
                name,
                channel: channel.to_owned(),
                url,
                to: email,
                kinds,
                has_secret: false,
            }),
            secret: secret.unwrap_or_default(),
            options: session.options(wait),
        })
    }
}

impl Delivery {
    pub(in crate::command) async fn run(self, session: &Session) -> Result<Outcome, Failure> {
        let mut client = AlertServiceClient::new(session.service());
        match self {
            Self::List { state, limit } => {
                let all = fetch_all(limit.limit, async |page| {
                    let request = ListAlertDeliveriesRequest {
                        page: Some(page),
                        state: state.clone(),
                    };
                    let part = client.list_deliveries(request).await?.into_inner();
                    Ok((part.deliveries, part.next))
                })
                .await?;
                session.list::<DeliveryView, _>(all)
            }
            Self::Retry { destination } => {
                let request = RetryAlertDeliveriesRequest { destination };
                let deliveries = client.retry_deliveries(request).await?.into_inner().deliveries;
                session.printer.one(&Retried { deliveries })?;
                Ok(Outcome::Done)
            }
        }
    }
}
