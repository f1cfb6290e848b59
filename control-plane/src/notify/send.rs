//! One delivery on its way, by the channel of its destination.

use turnpike_access::{
    alert::destination::{Channel, Destination},
    id::Name,
};
use turnpike_runtime::{
    keyring::{SealError, Sealed},
    secret::Secret,
    token::fetch::FetchError,
};

use super::{MailError, Message, Notify, otlp, slack, webhook};
use crate::store::outbox::Delivery;

/// Why a delivery was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error("the destination was deleted")]
    Gone,
    #[error("its secret can't be opened: {0}")]
    Sealed(#[from] SealError),
    #[error("it needs a secret and has none; set it again")]
    NoSecret,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("this control plane has no mail server: set TURNPIKE_SMTP_URL and TURNPIKE_SMTP_FROM")]
    NoMail,
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error("the message can't be written")]
    Unwritable,
}

/// What a destination's secret is sealed for: moved to another one it does not open.
pub(crate) fn purpose(tenant: &Name, destination: &Name) -> String {
    format!("alert-destination:{tenant}/{destination}")
}

impl Notify {
    pub(super) async fn send(&self, delivery: &Delivery, message: &Message) -> Result<(), NotSent> {
        let snapshot = self.executor.snapshot();
        let tenant = snapshot.tenant(delivery.tenant.as_str()).ok_or(NotSent::Gone)?;
        let destination = tenant.alerts().destinations.get(&delivery.destination);
        let destination = destination.ok_or(NotSent::Gone)?;
        let secret = self.secret(delivery, destination)?;
        let needed = || secret.as_ref().ok_or(NotSent::NoSecret);
        match &destination.channel {
            Channel::Webhook { url } => {
                let body = message.json().to_string();
                let now = turnpike_runtime::clock::now();
                let headers =
                    webhook::signed(&message.id(), now, &body, needed()?).ok_or(NotSent::Unwritable)?;
                self.fetcher.post_json_with(url, headers, body).await?;
            }
            Channel::Slack {} => {
                let body = slack::body(message).to_string();
                self.fetcher
                    .post_json_with(needed()?.expose(), Default::default(), body)
                    .await?;
            }
            Channel::Otlp { url } => {
                let headers = otlp::headers(secret.as_ref()).ok_or(NotSent::Unwritable)?;
                self.fetcher
                    .post_json_with(url, headers, otlp::body(message).to_string())
                    .await?;
            }
            Channel::Email { to } => {
                let mail = self.mail.as_ref().ok_or(NotSent::NoMail)?;
                mail.send(message, to).await?;
            }
        }
        Ok(())
    }

    fn secret(&self, delivery: &Delivery, destination: &Destination) -> Result<Option<Secret>, NotSent> {
        let Some(sealed) = &destination.sealed_secret else {
            return Ok(None);
        };
        let sealed: Sealed = sealed.parse()?;
        let purpose = purpose(&delivery.tenant, &delivery.destination);
        let opened = self.keyring.open(&purpose, &sealed)?;
        let text = std::str::from_utf8(opened.expose()).map_err(|_| SealError::Damaged)?;
        Ok(Some(Secret::new(text)))
    }
}
