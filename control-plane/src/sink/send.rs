//! One message on its way, by the way of its sink.

use http::{HeaderMap, StatusCode};
use turnpike_access::{
    audit::sink::{Sink, Way},
    id::Name,
};
use turnpike_runtime::{
    clock,
    dial::DialError,
    keyring::{SealError, Sealed},
    secret::Secret,
    token::fetch::FetchError,
};

use super::{One, Sinks, batch, otlp, syslog};
use crate::{notify::webhook, store::StoredRecord};

/// Why rows were not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("its secret can't be opened: {0}")]
    Sealed(#[from] SealError),
    #[error("it needs a secret and has none; set it again")]
    NoSecret,
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("a row can't be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    #[error("its secret can't sign")]
    Unsigned,
    #[error("its secret is no token and no headers")]
    NoHeaders,
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// What was taken.
pub(super) struct Sent {
    /// The first so many rows.
    pub(super) count: usize,
    /// So many of them the receiver said it dropped.
    pub(super) rejected: u64,
}

/// Where rows go, with what is needed for it.
pub(super) struct Target {
    way: Way,
    secret: Result<Option<Secret>, SealError>,
}

/// What a sink's secret is sealed for: moved to another one it does not open.
pub(crate) fn purpose(tenant: &Name, sink: &Name) -> String {
    format!("audit-sink:{tenant}/{sink}")
}

impl Sinks {
    pub(super) fn target(&self, one: &One<'_>) -> Target {
        let Sink {
            way, sealed_secret, ..
        } = &one.held.sink;
        let open = |sealed: &str| {
            let sealed: Sealed = sealed.parse()?;
            let opened = self.keyring.open(&purpose(one.tenant, one.name), &sealed)?;
            let text = std::str::from_utf8(opened.expose()).map_err(|_| SealError::Damaged)?;
            Ok(Secret::new(text))
        };
        Target {
            way: way.clone(),
            secret: sealed_secret.as_deref().map(open).transpose(),
        }
    }

    /// Sends the first of the rows, as many as one message holds and its receiver takes, and says how many that were.
    pub(super) async fn send_rows(&self, target: &Target, rows: &[StoredRecord]) -> Result<Sent, String> {
        let mut rows = rows;
        loop {
            match self.send_some(target, rows).await {
                // A receiver may take less at once.
                Err(NotTaken::Fetch(FetchError::Status(StatusCode::PAYLOAD_TOO_LARGE))) if rows.len() > 1 => {
                    rows = rows.get(..rows.len() / 2).unwrap_or_default();
                }
                sent => return sent.map_err(|why| why.to_string()),
            }
        }
    }

    async fn send_some(&self, target: &Target, rows: &[StoredRecord]) -> Result<Sent, NotTaken> {
        let secret = target.secret.as_ref().map_err(Clone::clone)?.as_ref();
        match &target.way {
            Way::Webhook { url } => {
                let (body, count) = batch::lines(rows)?;
                let sent = rows.get(..count).unwrap_or_default();
                let secret = secret.ok_or(NotTaken::NoSecret)?;
                let headers: Option<HeaderMap> =
                    webhook::signed(&batch::id(sent), clock::now(), &body, secret);
                let headers = headers.ok_or(NotTaken::Unsigned)?;
                let body = body.into_bytes();
                self.fetcher
                    .post(url, headers, "application/x-ndjson", body)
                    .await?;
                Ok(Sent { count, rejected: 0 })
            }
            Way::Otlp { url } => {
                let headers = match secret {
                    Some(secret) => otlp::headers(secret.expose()).ok_or(NotTaken::NoHeaders)?,
                    None => HeaderMap::new(),
                };
                let (body, count) = otlp::body(rows, clock::now());
                let answer = self
                    .fetcher
                    .post(url, headers, "application/x-protobuf", body)
                    .await?;
                let rejected = otlp::rejected(&answer);
                Ok(Sent { count, rejected })
            }
            Way::Syslog { url, ca } => {
                let (frames, count) = syslog::frames(rows)?;
                self.dialer.deliver(url, ca.as_deref(), &frames).await?;
                Ok(Sent { count, rejected: 0 })
            }
        }
    }
}
