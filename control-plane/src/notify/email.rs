//! Alerts as e-mail, by the operators' mail server: tenants choose who gets them, not by which server.

use std::{sync::Arc, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message as Letter, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use turnpike_runtime::secret::Secret;

use super::Message;

/// The longest wait for the server.
const PATIENCE: Duration = Duration::from_secs(20);

/// A mail server, and who writes.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why no mail was sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL of the server is none. The text does not hold the URL, which may hold a password.
    #[error("write smtps://USER:PASSWORD@HOST, or smtp://HOST?tls=required; smtp://HOST sends in the clear")]
    Url,
    /// Who writes is nobody.
    #[error("write an e-mail address, such as turnpike@acme.example")]
    From,
    /// An address can't be written to.
    #[error("an address can't be written to")]
    Address,
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Refused(String),
}

impl Mail {
    /// A mail server by its URL.
    ///
    /// # Errors
    /// The URL or the address is none.
    pub fn new(url: &Secret, from: &str) -> Result<Self, MailError> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose());
        let builder = builder.map_err(|_| MailError::Url)?;
        Ok(Self {
            transport: builder.timeout(Some(PATIENCE)).build(),
            from: from.parse().map_err(|_| MailError::From)?,
        })
    }

    pub(super) async fn send(&self, message: &Message, to: &[Arc<str>]) -> Result<(), MailError> {
        let letter = self.letter(message, to)?;
        let sent = self.transport.send(letter).await;
        sent.map(drop)
            .map_err(|error| MailError::Refused(error.to_string()))
    }

    fn letter(&self, message: &Message, to: &[Arc<str>]) -> Result<Letter, MailError> {
        let facts = message.facts();
        let facts = facts.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let body = format!("{}\n\n{}", message.alert.summary, facts.collect::<String>());
        let mut builder = Letter::builder()
            .from(self.from.clone())
            .subject(format!("{} {}", message.title(), message.alert.summary))
            .message_id(Some(format!("<{}@{}>", message.id(), self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for one in to {
            let address: Address = one.parse().map_err(|_| MailError::Address)?;
            builder = builder.to(Mailbox::new(None, address));
        }
        builder.body(body).map_err(|_| MailError::Address)
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}
